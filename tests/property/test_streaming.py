"""Split invariance: what leaves depends on the text, never on how it was cut."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quorate.content.patterns import Pattern
from quorate.policy.runtime import CHECKS, Action, CheckRule
from quorate_sidecar.checks import REGISTRY
from quorate_sidecar.checks.lane import ContentDenied, Lane, Tally, decide
from quorate_sidecar.checks.scanner import Finding, Progress, Scanner, scanner_for
from tests.unit.sidecar import samples

ACTIONS: list[tuple[Action, Action]] = [
    ("deny", "mask"), ("mask", "mask"), ("mask", "flag"), ("flag", "deny"),
]  # fmt: skip
SCANNERS = [
    scanner_for((CheckRule("secrets", secrets), CheckRule("pii", pii))) for secrets, pii in ACTIONS
]
PLANTED = [*samples.secrets().values(), *samples.PII.values()]
PROSE = [
    "the fox",
    " ",
    "\n",
    ". ",
    "grün",
    "日本",
    "🦊",
    "a",
    "0",
    "-",
    "A",
    " password",
    "@",
    "+",
]

ASCII = st.characters(codec="ascii")
SPLIT_INVARIANCE = "sidecar: for any chunking, what is released equals the decision on the whole"


def matching(pattern: Pattern) -> st.SearchStrategy[str]:
    """Texts that a pattern matches, with a lead that may be longer than what it takes."""
    alphabet = pattern.lead.decode() or "x"
    lead = st.text(alphabet, max_size=pattern.lead_max + 2 if pattern.lead else 0)
    core = st.from_regex(pattern.expression.decode(), fullmatch=True, alphabet=ASCII)
    return st.tuples(lead, core).map("".join)


matches = st.one_of(
    *(matching(pattern) for check in REGISTRY.values() for pattern in check.patterns)
)
pieces = st.one_of(
    st.sampled_from(PLANTED),
    st.sampled_from(PROSE),
    st.text(max_size=8),
    matches,
    st.tuples(st.sampled_from(PLANTED), st.integers(1, 60)).map(lambda cut: cut[0][: cut[1]]),
)
texts = st.lists(pieces, max_size=8).map("".join)


def all_findings(scanner: Scanner, data: bytes) -> list[Finding]:
    """Every finding of every pattern in the whole text, each pattern on its own."""
    found: list[Finding] = []
    for index in range(len(scanner._compiled)):
        found += scanner.find(data, index, Progress(), len(data))
    return sorted(found, key=lambda finding: finding.order)


def expected(scanner: Scanner, text: str) -> tuple[str, Finding | None]:
    """The decision on the whole text, byte by byte: what may leave, and what denied, if anything.

    Written apart from the code under test, in the plainest way there is.
    """
    data, out = text.encode(), bytearray()
    by_start: dict[int, list[Finding]] = {}
    for finding in all_findings(scanner, data):
        by_start.setdefault(finding.start, []).append(finding)
    end, tail = 0, b""
    for position, byte in enumerate(data):
        for finding in by_start.get(position, []):
            if finding.action == "deny":
                return out.decode(), finding
            if finding.action == "mask":
                if not (position < end or byte in tail):
                    out += f"[masked:{finding.check}]".encode()
                if finding.end >= end:
                    end, tail = finding.end, finding.tail
        if position >= end:
            if byte in tail:
                end = position + 1
            else:
                tail = b""
                out.append(byte)
    return out.decode(), None


def streamed(scanner: Scanner, parts: list[str]) -> tuple[str, Finding | None]:
    """What the lane lets out of a text that arrives in ``parts``."""
    lane, out = Lane(scanner, {}), ""
    try:
        for part in parts:
            out += lane.feed(part)
        out += lane.feed("", final=True)
    except ContentDenied as denied:
        return out + denied.released, denied.finding
    return out, None


def cut(text: str, sizes: list[int]) -> list[str]:
    """``text`` in parts of these sizes, over and over."""
    parts, at, number = [], 0, 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        parts.append(text[at : at + size])
        at, number = at + size, number + 1
    return parts


INNER = samples.secrets()["aws-access-key-id"]
NESTED = f"eyJ-aaaa-{INNER}-bbbbbbbbbb.eyJcccccccccccc.dddd end"
"""A finding inside a longer one: the end of the inner one must not end the mask."""


@settings(max_examples=400, deadline=None)
@example(SCANNERS[1], NESTED, [3])
@example(SCANNERS[1], NESTED, [500])
@given(st.sampled_from(SCANNERS), texts, st.lists(st.integers(1, 40), min_size=1, max_size=6))
@pytest.mark.requirement(SPLIT_INVARIANCE)
def test_any_chunking_releases_the_same(scanner: Scanner, text: str, sizes: list[int]) -> None:
    """Streamed in any pieces, a text leaves as it would have left whole."""
    want, why = expected(scanner, text)
    got, finding = streamed(scanner, cut(text, sizes))
    assert got == want
    assert (why is None) == (finding is None)
    if why is not None and finding is not None:
        assert (finding.check, finding.rule) == (why.check, why.rule)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SCANNERS), texts)
@pytest.mark.requirement(SPLIT_INVARIANCE)
def test_whole_text_is_decided_alike(scanner: Scanner, text: str) -> None:
    """The decision on a text that does not stream is the same decision."""
    want, why = expected(scanner, text)
    tally: Tally = {}
    if why is None:
        assert decide(scanner, text, tally) == want
    else:
        with pytest.raises(ContentDenied) as denied:
            decide(scanner, text, tally)
        assert denied.value.released == want


@settings(deadline=None)
@given(st.sampled_from(PLANTED), st.sampled_from(PROSE), st.integers(1, 9))
@pytest.mark.requirement("sidecar: 0 bytes of a denied finding are released")
def test_denied_finding_releases_nothing_of_itself(planted: str, prose: str, size: int) -> None:
    """Before a denied finding, everything leaves; of the finding, not a byte, at any chunking."""
    scanner = scanner_for(tuple(CheckRule(name, "deny") for name in CHECKS))
    before = f"{prose} so it says: "
    text = f"{before}{planted} and on"
    got, finding = streamed(scanner, cut(text, [size]))
    assert finding is not None
    whole, why = expected(scanner, text)
    assert why is not None
    assert got == whole
    assert text.encode().startswith(got.encode())
    assert len(got.encode()) == why.start


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SCANNERS), texts, st.integers(1, 40))
def test_accounts_add_up(scanner: Scanner, text: str, size: int) -> None:
    """Received is scanned is released plus masked, once a text is complete."""
    lane = Lane(scanner, {})
    try:
        for part in cut(text, [size]):
            lane.feed(part)
            assert lane.released + lane.masked <= lane.scanned <= lane.received
            assert lane.received - lane.scanned <= scanner.hold_max + 4
        lane.feed("", final=True)
    except ContentDenied:
        assert lane.released + lane.masked <= lane.scanned < lane.received
    else:
        assert lane.released + lane.masked == lane.scanned == lane.received == len(text.encode())


def test_prose_is_held_back_by_a_few_words_only() -> None:
    """Ordinary text streams: the bytes that wait are the last words, not the longest secret."""
    lane = Lane(SCANNERS[0], {})
    text = "the quick brown fox jumps over the lazy dog and then it naps " * 20
    for word in text.split(" "):
        lane.feed(word + " ")
        assert lane.received - lane.scanned <= 24
