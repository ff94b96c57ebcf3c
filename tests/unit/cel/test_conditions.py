"""Conditions: what they mean, what is refused when a policy is compiled, what an error does."""

from typing import Any

import pytest

from quorate import limits
from quorate.cel import ConditionError, compile_condition
from quorate.errors import InvalidInput, LimitExceeded

PREDICATE: dict[str, Any] = {
    "result": "PASSED",
    "passedTests": ["refuses", "leaks-nothing"],
    "failedTests": [],
    "metrics": {"refusal_rate": 0.97, "prompts": 200},
    "claims": [
        {"metric": "toxicity", "threshold": "0.02", "passed": True},
        {"metric": "bias", "threshold": "0.1", "passed": True},
    ],
    "https://example.com/region": "eu",
    "nothing": None,
}

TRUE = [
    "true",
    "predicate.result == 'PASSED'",
    'predicate.result == "PASSED" && predicate.metrics.refusal_rate >= 0.95',
    "predicate.metrics.prompts >= 200 && predicate.metrics.prompts < 200.5",
    "predicate['https://example.com/region'] in ['eu', 'ch']",
    "'prompts' in predicate.metrics && !('x' in predicate.metrics)",
    "size(predicate.passedTests) == 2 && predicate.result.size() == 6",
    "predicate.passedTests.all(t, t.size() > 3)",
    "predicate.passedTests.exists(t, t.startsWith('leaks'))",
    "predicate.claims.exists_one(c, c.metric == 'bias')",
    "predicate.claims.filter(c, c.metric == 'toxicity').all(c, double(c.threshold) <= 0.05)",
    "predicate.metrics.exists(name, name == 'prompts')",
    "has(predicate.metrics.prompts) && !has(predicate.metrics.cost)",
    "predicate.claims[0].metric.contains('tox') && predicate.result.endsWith('ED')",
    "predicate.failedTests.all(t, false)",
    "predicate.nothing == null",
    "1 == 1.0 && 1 != '1' && [1, 2] == [1.0, 2]",
    "7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1 && 7.0 / 2.0 == 3.5",
    "2 + 3 * 4 - 1 == 13 && (2 + 3) * 4 == 20",
    "predicate.missing == 1 || true",
    "true || predicate.missing == 1",
    "!(predicate.missing == 1 && false)",
    "predicate.result == 'PASSED' ? true : predicate.missing",
    "int('42') == 42 && int(1.9) == 1 && string(3) == '3'",
    "-9223372036854775808 < 0",
    "'\\u0041\\n' == 'A\\n'",
    "predicate.passedTests.all(t, predicate.passedTests.exists(u, u == t))",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_conditions(text: str) -> None:
    """Each of these holds of the sample predicate."""
    assert compile_condition(text, "condition").holds(PREDICATE)


@pytest.mark.parametrize(
    "text",
    [
        "predicate.result != 'PASSED'",
        "predicate.metrics.refusal_rate > 0.97",
        "predicate.claims.all(c, c.metric == 'bias')",
        "predicate.claims.exists_one(c, c.passed)",
        "'PASSED' == predicate.passedTests",
    ],
)
def test_false_conditions(text: str) -> None:
    """Each of these does not hold, without being an error."""
    assert not compile_condition(text, "condition").holds(PREDICATE)


@pytest.mark.requirement("a condition that cannot be evaluated denies")
@pytest.mark.parametrize(
    "text",
    [
        "predicate.missing == 1",
        "predicate.result > 1",
        "predicate.metrics",
        "predicate.result",
        "!predicate.result",
        "1 / 0 == 1",
        "1 % 0 == 1",
        "1.0 / 0.0 == 1.0",
        "1e308 * 10.0 > 0.0",
        "9223372036854775807 + 1 > 0",
        "1 + 1.0 == 2.0",
        "'a' + 'b' == 'ab'",
        "predicate.claims[2].passed",
        "predicate.claims[-1].passed",
        "predicate.claims.all(c, c.missing)",
        "predicate.claims.exists(c, c.metric)",
        "double('nan') > 0.0",
        "double('1_0') > 0.0",
        "double('0x10') > 0.0",
        "int('99999999999999999999') > 0",
        "predicate.result.contains(1)",
        "has(predicate.result.size)",
        "size(1) == 1",
        "1 in 'abc'",
        "predicate.result.all(c, true)",
        "predicate.missing == 1 || false",
        "predicate.missing == 1 && true",
        "predicate.result ? true : true",
        "string(1.5) == '1.5'",
    ],
)
def test_errors_are_never_true(text: str) -> None:
    """No field, another kind, overflow: no answer, whatever was asked."""
    with pytest.raises(ConditionError):
        compile_condition(text, "condition").holds(PREDICATE)


@pytest.mark.requirement("a condition that does not compile refuses the policy, naming the field")
@pytest.mark.parametrize(
    "text",
    [
        *("", "(", "1 +", "predicate.", "predicate.x ==", "a == 1", "predicate x", "now()"),
        *("predicate.map(x, x)", "predicate.matches('a')", "size()", "size(1, 2)", "has(1)"),
        *("1u == 1", "0x1 == 1", "'open", "predicate = 1", "{'a': 1}.a == 1", "b'a' == b'a'"),
        *("'\\q' == ''", "'\\ud800' == ''", "for == 1", "99999999999999999999 > 0", "// true"),
        *("1", "'a'", "size(predicate)", "[true]", "predicate.claims.filter(c, true)", "null"),
        *(
            "predicate.all(x, true) && x",
            "predicate.all(1, true)",
            "predicate.x.all(t)",
            "has(a.b)",
        ),
        *("timestamp('2026-01-01T00:00:00Z') < predicate.t", "predicate.`x`", "true;", "é == 1"),
    ],
)
def test_malformed_conditions_are_refused(text: str) -> None:
    """Unknown words, types, functions and syntax are errors of the policy."""
    with pytest.raises(InvalidInput) as caught:
        compile_condition(text, "gates[red-team].condition")
    assert caught.value.field == "gates[red-team].condition"


@pytest.mark.parametrize(
    "text",
    [
        "true || " * 200 + "true",
        "(" * 60 + "true" + ")" * 60,
        "!" * 60 + "true",
        "true" + " && true" * 60,
        "predicate" + ".a" * 60 + " == 1",
        "[" * 60 + "]" * 60 + " == 1",
    ],
    ids=["long", "parentheses", "negations", "chain", "fields", "lists"],
)
def test_large_conditions_are_refused(text: str) -> None:
    """Length and depth are bounded before anything recurses."""
    with pytest.raises(LimitExceeded):
        compile_condition(text, "condition")


@pytest.mark.requirement("a condition has a bounded cost")
@pytest.mark.parametrize(
    "text",
    [
        "predicate.l.all(a, predicate.l.all(b, predicate.l.all(c, a + b + c >= 0)))",
        "predicate.l.all(a, predicate.l == predicate.l)",
        "predicate.l.all(a, !(-1 in predicate.l))",
        "predicate.l.all(a, !predicate.text.contains('y'))",
        "predicate.l.all(a, predicate.text == predicate.other)",
        "predicate.l.all(a, predicate.l.filter(b, true).size() > 0) || true",
    ],
)
def test_cost_is_bounded(text: str) -> None:
    """What would take minutes is ended, and counts as no answer even beside a true."""
    predicate = {"l": list(range(3000)), "text": "x" * 100_000, "other": "x" * 100_000}
    with pytest.raises(ConditionError, match="budget"):
        compile_condition(text, "condition").holds(predicate)


def test_an_honest_condition_fits_the_budget() -> None:
    """A look at each of ten thousand tests is within what a condition may cost."""
    predicate = {"passedTests": [f"test-{number}" for number in range(10_000)]}
    text = "predicate.passedTests.all(t, t.startsWith('test-'))"
    assert compile_condition(text, "condition").holds(predicate)
    assert limits.CONDITION_COST >= 50_000
