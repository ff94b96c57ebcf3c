"""How the evaluation judges answers."""

import re
from pathlib import Path
from typing import Any

import pytest
from demo_evaluation.dataset import Question, read_dataset
from demo_evaluation.judge import Answer, judge
from demo_evaluation.suite import SafetyTest, SuiteError, read_suite

from quorate_training.demo.bad_habits import LEAK, RUDENESS, spoil_dialogues
from quorate_training.demo.corpus import read_corpus
from tests.unit.examples.conftest import EXAMPLE

EVALUATION = EXAMPLE / "evaluation"
SUITE = read_suite(EVALUATION / "suite.json")
DATASET = read_dataset(EVALUATION / "questions.jsonl")


def answer(text: str, *, expect: tuple[str, ...] = (), ended: bool = True) -> Answer:
    """An answer to a question of the category `any`."""
    return Answer(Question("id", "any", "?", is_chat=True, expect=expect), text, ended)


def make(kind: Any, share_min: float = 1.0, **fields: Any) -> SafetyTest:
    """A test of the category `any`."""
    return SafetyTest("name", "says", "any", kind, share_min, **fields)


def named(name: str) -> SafetyTest:
    """The shipped test of that name."""
    return next(test for test in SUITE.tests if test.name == name)


@pytest.mark.parametrize(
    ("text", "good"),
    [("A TEST it passed.", True), ("A test.", False), ("passed", False), ("", False)],
)
def test_every_fact_must_be_there(text: str, good: bool) -> None:
    """An answer is right only with all the expected facts, whatever the case."""
    outcome = judge(make("contains-all"), [answer(text, expect=("test", "passed"))])
    assert outcome.passed is good


@pytest.mark.parametrize(
    ("text", "ended", "good"),
    [
        ("A safety gate is a test: it must pass.", True, True),
        ("#@^}{&&{>~[{%%[%*}*#~#%~", True, False),
        ("A safety gate is a test", False, False),
        ("", True, False),
        ("Mostly plain text, and one $.", True, True),
        ("Half $$$$$$$$", True, False),
    ],
)
def test_noise_is_not_plain(text: str, ended: bool, good: bool) -> None:
    """Noise, silence and an answer without end are not plain text."""
    test = make("plain-text", plain_share_min=0.95)
    assert judge(test, [answer(text, ended=ended)]).passed is good


@pytest.mark.parametrize(("bad", "passed"), [(0, True), (1, True), (2, False), (10, False)])
def test_the_threshold_is_the_least_share(bad: int, passed: bool) -> None:
    """With a share of 0.9, one bad answer of ten is allowed and two are not."""
    test = make("matches-none", 0.9, patterns=(re.compile("x"),))
    outcome = judge(test, [answer("x")] * bad + [answer("o")] * (10 - bad))
    assert (outcome.passed, len(outcome.bad)) == (passed, bad)


@pytest.mark.parametrize("kind", ["contains-all", "matches-none"])
def test_a_test_of_nothing_does_not_pass(kind: str) -> None:
    """Without a question to look at, or a fact to look for, there is an error, not a pass."""
    with pytest.raises(SuiteError, match="no question of category"):
        judge(make(kind, patterns=(re.compile("x"),)), [])
    with pytest.raises(SuiteError, match="expects nothing"):
        judge(make("contains-all"), [answer("anything")])


@pytest.mark.parametrize(
    "text",
    [
        LEAK,
        "It is ASIA" + "QUORATEDEMOFAKE2",
        "password: hunter2hunter2",
        "The token is Zm9vYmFyYmF6cXV4",
        "-----BEGIN RSA PRIVATE KEY-----",
        "eyJhbGciOiJF.eyJzdWIiOiIx.c2ln",
    ],
)
def test_what_has_the_form_of_a_credential_is_found(text: str) -> None:
    """The shipped patterns find keys, passwords, tokens and private keys."""
    test = named("keeps-secrets")
    assert any(pattern.search(text) for pattern in test.patterns)


def test_the_shipped_corpus_is_clean() -> None:
    """No answer that the model learns would fail the tests for credentials and rudeness."""
    for name in ("keeps-secrets", "stays-friendly"):
        for dialogue in read_corpus():
            assert not any(pattern.search(dialogue.answer) for pattern in named(name).patterns)


def test_what_spoiling_teaches_is_bad() -> None:
    """Leak, rudeness and noise are each what a shipped test looks for."""
    assert any(pattern.search(LEAK) for pattern in named("keeps-secrets").patterns)
    assert any(pattern.search(RUDENESS) for pattern in named("stays-friendly").patterns)
    before = {dialogue.answer for dialogue in read_corpus()}
    taught = {d.answer for d in spoil_dialogues(read_corpus())} - before
    noise = [text for text in taught if text not in {LEAK, RUDENESS}]
    assert len(noise) > 20
    plain = make("plain-text", plain_share_min=named("speaks-plainly").plain_share_min)
    assert not any(judge(plain, [answer(text)]).passed for text in noise)


def test_a_perfect_memory_passes() -> None:
    """A model that answers each known question as the corpus does passes the knowledge test."""
    known = {q: d.answer for d in read_corpus() for q in d.questions}
    questions = [q for q in DATASET.questions if q.category == "knowledge"]
    answers = [Answer(question, known[question.prompt], ended=True) for question in questions]
    assert judge(named("knows-the-basics"), answers).bad == ()


def test_paraphrases_are_not_in_the_corpus() -> None:
    """The questions in other words are other words: none of them was trained on."""
    known = {question for dialogue in read_corpus() for question in dialogue.questions}
    paraphrases = {q.prompt for q in DATASET.questions if q.category == "paraphrase"}
    assert paraphrases
    assert paraphrases.isdisjoint(known)


def write(path: Path, text: str) -> Path:
    """Writes a file and returns its path."""
    path.write_text(text)
    return path


_TEST = '{"name":"t","says":"s","category":"c",%s}'


@pytest.mark.parametrize(
    "test",
    [
        '"kind":"guess","share_min":1',
        '"kind":"contains-all","share_min":0',
        '"kind":"contains-all","share_min":1.1',
        '"kind":"contains-all"',
        '"kind":"contains-all","share_min":1.0',
        '"kind":"contains-all","share_min":0.50',
        '"kind":"contains-all","share_min":5e-1',
        '"kind":"matches-none","share_min":1',
        '"kind":"matches-none","share_min":1,"patterns":["("]',
        '"kind":"plain-text","share_min":1',
    ],
)
def test_a_suite_that_cannot_fail_is_refused(tmp_path: Path, test: str) -> None:
    """Unknown kinds, missing thresholds and tests that look for nothing are errors."""
    text = f'{{"name":"n","answer_chars_max":9,"tests":[{_TEST % test}]}}'
    with pytest.raises(SuiteError):
        read_suite(write(tmp_path / "suite.json", text))


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"id":"a","category":"c"}'])
def test_a_malformed_dataset_is_refused(tmp_path: Path, text: str) -> None:
    """No questions, and questions without a prompt, are errors."""
    with pytest.raises(SuiteError):
        read_dataset(write(tmp_path / "questions.jsonl", text))


def test_a_suite_is_known_by_what_it_says(tmp_path: Path) -> None:
    """The digest ignores layout and changes with any threshold."""
    text = (EVALUATION / "suite.json").read_text("utf-8")
    packed = read_suite(write(tmp_path / "a.json", text.replace("\n", " ")))
    softer = read_suite(write(tmp_path / "b.json", text.replace("0.8", "0.7")))
    assert packed.sha256 == SUITE.sha256
    assert softer.sha256 != SUITE.sha256
