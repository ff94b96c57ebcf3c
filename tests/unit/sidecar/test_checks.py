"""What the content checks find, what they leave alone, and the bounds they declare."""

import importlib
import random
import string
from typing import Any

import pytest

from quorate.content.patterns import SPACE, Pattern
from quorate.content.pii.numbers import is_iban, is_payment_card, luhn
from quorate.policy.runtime import CHECKS, CheckRule
from quorate_sidecar.checks import REGISTRY
from quorate_sidecar.checks.scanner import CANDIDATES_MAX, Progress, scanner_for
from tests.unit.sidecar import samples

SECRETS = samples.secrets()
PATTERNS = [(check, pattern) for check in REGISTRY.values() for pattern in check.patterns]
ALL = scanner_for(tuple(CheckRule(name, "deny") for name in CHECKS))


def rules_in(text: str) -> set[str]:
    """The rules that find something in ``text``."""
    data = text.encode()
    return {
        finding.rule
        for index in ALL.suspects(data)
        for finding in ALL.find(data, index, Progress(), len(data))
    }


def test_registry_holds_exactly_the_checks_policies_may_name() -> None:
    """A policy that compiles never names a check the sidecar does not have, nor the reverse."""
    assert tuple(REGISTRY) == CHECKS
    assert all(name == check.name for name, check in REGISTRY.items())


def test_every_rule_has_a_sample() -> None:
    """No pattern goes without the tests below."""
    assert {pattern.rule for _, pattern in PATTERNS} == {*SECRETS, *samples.PII}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rule", sorted(SECRETS))
@pytest.mark.requirement("sidecar: a planted credential in the prompt is found")
def test_credential_is_found(rule: str, seed: int) -> None:
    """Each kind of credential is found in the middle of prose, at both ends, and in JSON."""
    secret = samples.secrets(seed)[rule]
    for text in (secret, f"see {secret} there", f'{{"k": "{secret}"}}', f"grün {secret}\n"):
        assert rule in rules_in(text), text


@pytest.mark.parametrize("rule", sorted(samples.PII))
@pytest.mark.requirement("sidecar: personal data is found")
def test_personal_data_is_found(rule: str) -> None:
    """Each kind of personal data is found in prose and on its own."""
    for text in (samples.PII[rule], f"It is {samples.PII[rule]}, they said."):
        assert rule in rules_in(text), text


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog.",
        "My password is easy to guess: it is the name of the cat.",
        "token: <your-token-here-please>",
        "password = changeme12345",
        "api_key = xxxxxxxxxxxxxxxxxxxx",
        "https://user:${PASSWORD}@db.example.com",
        "http://localhost:8080/path?query=value#part",
        "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "sk-this-is-just-a-long-hyphenated-phrase-in-prose",
        "AKIA" + "A" * 16,
        "order 1234 5678 9012 3456",
        "0000 0000 0000 0000",
        "on 2026-11-21 at 12:30:45.123456",
        "version 1.2.3.4, pages 100-200, tel. 110",
        "DE00 3704 0044 0532 0130 00",
        "000-12-3456 and 666-12-3456 and 123-00-4567 and 123-45-0000",
        "user@localhost and @handle",
        "3.14159265358979323846264338327950288",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Prose, placeholders, digests and numbers without a valid checksum are not findings."""
    assert rules_in(text) == set()


@pytest.mark.parametrize(("check", "pattern"), PATTERNS, ids=[p.rule for _, p in PATTERNS])
@pytest.mark.requirement("sidecar: hold-back is derived from the detectors' match length")
def test_declared_length_bounds_the_expression(check: object, pattern: Pattern) -> None:
    """The longest text the expression can match is not longer than what it declares."""
    parser = importlib.import_module("re._parser")
    longest = parser.parse(pattern.expression.decode()).getwidth()[1]
    assert longest + pattern.lead_max <= pattern.length_max <= 512
    assert bool(pattern.lead) == bool(pattern.lead_max)
    assert pattern.length_max <= max(p.length_max for _, p in PATTERNS)


def _alphabet_of(expression: str) -> set[int]:
    """Every byte an expression can consume, from its parse tree."""
    parser = importlib.import_module("re._parser")
    found: set[int] = set()

    def walk(node: Any) -> None:
        for op, value in node:
            name = str(op)
            if name == "LITERAL":
                found.add(value)
            elif name == "IN":
                found.update(_class(value))
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                walk(value[2])
            elif name == "SUBPATTERN":
                walk(value[3])
            elif name == "BRANCH":
                for branch in value[1]:
                    walk(branch)
            else:
                assert name == "AT", name

    walk(parser.parse(expression))
    if expression.startswith("(?i)"):
        found |= {ord(chr(byte).swapcase()) for byte in found if byte < 128}
    return found


def _class(items: list[tuple[Any, Any]]) -> set[int]:
    chars: set[int] = set()
    for op, value in items:
        if str(op) == "RANGE":
            low, high = value
            chars.update(range(low, high + 1))
        elif str(op) == "LITERAL":
            chars.add(value)
        else:
            assert str(op) == "NEGATE", op
    negated = str(items[0][0]) == "NEGATE"
    return set(range(256)) - chars if negated else chars


@pytest.mark.parametrize(("check", "pattern"), PATTERNS, ids=[p.rule for _, p in PATTERNS])
@pytest.mark.requirement("sidecar: hold-back is derived from the detectors' match length")
def test_declared_alphabet_covers_the_expression(check: object, pattern: Pattern) -> None:
    """A match holds no byte outside its alphabet, but for white space where gaps are declared."""
    consumed = _alphabet_of(pattern.expression.decode()) | set(pattern.lead)
    outside = consumed - set(pattern.alphabet)
    if pattern.gaps:
        assert outside == {ord(" "), ord("\t")}
        assert not set(pattern.alphabet) & set(SPACE)
    else:
        assert not outside


@pytest.mark.parametrize(("check", "pattern"), PATTERNS, ids=[p.rule for _, p in PATTERNS])
def test_alphabets_are_ascii(check: object, pattern: Pattern) -> None:
    """Nothing a pattern consumes can be a part of a longer character."""
    assert max(pattern.alphabet + pattern.lead + pattern.tail) < 0x80


@pytest.mark.requirement("sidecar: hold-back is derived from the detectors' match length")
def test_text_that_could_all_be_one_match_waits_for_the_longest() -> None:
    """What no byte decides is held back by exactly the longest match, and no more."""
    longest = max(pattern.length_max for _, pattern in PATTERNS)
    assert ALL.hold_max == longest
    for size in (longest + 1, 1000):
        assert ALL.frontier(b"A" * size) == size - longest
    assert ALL.frontier(b"A" * longest) == 0
    assert ALL.frontier("ü".encode()) == 2


@pytest.mark.parametrize(
    ("number", "valid"),
    [("4111111111111111", True), ("4111111111111112", False), ("79927398713", True), ("0", True)],
)
def test_luhn(number: str, valid: bool) -> None:
    """The check digit decides."""
    assert luhn([int(char) for char in number]) is valid


def test_card_inside_a_longer_row_of_digits_groups_is_found() -> None:
    """A number in front of a card does not hide it."""
    assert "payment-card" in rules_in("2000 4111 1111 1111 1111")
    assert "payment-card" in rules_in("4000-4111-1111-1111-1111-4000")


@pytest.mark.parametrize("text", [b"", b"1", b"4" * 12, b"4" * 20, b"5555555555555555"])
def test_cards_have_13_to_19_mixed_digits(text: bytes) -> None:
    """Too few, too many, or one digit repeated is no card."""
    assert not is_payment_card(text)


@pytest.mark.parametrize("text", [b"", b"DE", b"ZZ89370400440532013000", b"DE8937040044053201300"])
def test_iban_needs_a_known_country_and_its_length(text: bytes) -> None:
    """An unknown country or a short number is no IBAN."""
    assert not is_iban(text)


def test_numbers_beyond_the_candidate_bound_are_denied() -> None:
    """A text made to keep the checks busy is refused instead of judged for ever."""
    rng = random.Random(3)
    rows = ["4" + "".join(rng.choices(string.digits, k=13)) for _ in range(CANDIDATES_MAX + 2000)]
    text = ",".join(row for row in rows if not is_payment_card(row.encode()))
    assert "too-many-candidates" in rules_in(text)


@pytest.mark.parametrize("answer", [None, []])
def test_engine_that_gives_up_suspects_everything(
    monkeypatch: pytest.MonkeyPatch, answer: list[int] | None
) -> None:
    """An empty result without the canary means out of memory, and is no acquittal."""

    class GaveUp:
        def Match(self, text: bytes) -> list[int] | None:
            return answer

    monkeypatch.setattr(ALL, "_set", GaveUp())
    assert ALL.suspects(b"harmless") == list(range(len(PATTERNS)))
