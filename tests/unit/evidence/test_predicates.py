"""Every predicate type: the facts a gate needs, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from quorate.errors import InvalidInput
from quorate.evidence.intoto import TYPES, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.predicates import PredicateUri as Uri
from tests.fakes.predicates import EARLIER, SHA, predicate

MADE_AT = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
Change = Callable[[dict[str, Any]], object]


def put(path: str, value: Any) -> Change:
    """Set the value at a path of keys and indices, such as ``scanner/result/0/id``."""

    def change(document: Any) -> None:
        *holders, last = path.split("|")
        for key in holders:
            document = document[int(key) if key.isdigit() else key]
        document[int(last) if last.isdigit() else last] = value

    return change


def drop(path: str) -> Change:
    """Remove the value at a path."""

    def change(document: Any) -> None:
        *holders, last = path.split("|")
        for key in holders:
            document = document[int(key) if key.isdigit() else key]
        del document[int(last) if last.isdigit() else last]

    return change


@pytest.mark.parametrize("kind", list(Uri))
def test_samples_are_read(kind: Uri) -> None:
    """A sample of every type is read as passed, with its time in UTC."""
    facts = TYPES[kind].read(predicate(kind))
    assert facts.result is Outcome.PASSED
    assert facts.made_at == MADE_AT
    assert facts.made_at.tzinfo is UTC


def test_every_type_has_a_reader() -> None:
    """What a policy may name can be read."""
    assert set(TYPES) == set(Uri)


@pytest.mark.parametrize(
    ("kind", "suites", "dataset", "harness"),
    [
        (Uri.TEST_RESULT, {"1"}, "2", "3"),
        (Uri.SVR, {"1"}, None, None),
        (Uri.VSA, {"1"}, None, None),
        (Uri.EVAL_RESULT, set(), "2", "3"),
    ],
)
def test_configuration_is_read(
    kind: Uri, suites: set[str], dataset: str | None, harness: str | None
) -> None:
    """What was run is known by digest where the type says it."""
    facts = TYPES[kind].read(predicate(kind))
    assert facts.suites == {f"sha256:{char * 64}" for char in suites}
    assert facts.dataset == (dataset and f"sha256:{dataset * 64}")
    assert facts.harness == (harness and f"sha256:{harness * 64}")


def test_an_approval_is_limited() -> None:
    """An approval names its gates and namespaces, and ends."""
    facts = TYPES[Uri.APPROVAL].read(predicate(Uri.APPROVAL))
    assert facts.gates == frozenset({"release"})
    assert facts.namespaces == {"team-a"}
    assert facts.expires_at == datetime(2026, 12, 1, tzinfo=UTC)


FAILED: dict[str, tuple[Uri, Change]] = {
    "test result": (Uri.TEST_RESULT, lambda p: p.update(result="FAILED", failedTests=["x"])),
    "svr without a property": (Uri.SVR, put("properties", [])),
    "vsa FAILED": (Uri.VSA, put("verificationResult", "FAILED")),
    "vsa PASSED with FAILED level": (Uri.VSA, put("verifiedLevels", ["FAILED"])),
    "vsa PASSED without levels": (Uri.VSA, put("verifiedLevels", [])),
    "eval claim not passed": (Uri.EVAL_RESULT, put("claims|0|passed", False)),
    "eval claim beyond its threshold": (
        Uri.EVAL_RESULT,
        put("claims|0|https://quorate.dev/attestation/observed", "0.9799999999999999999999999"),
    ),
    "eval strict comparator": (
        Uri.EVAL_RESULT,
        lambda p: p["claims"][0].update(
            {"comparator": ">", "https://quorate.dev/attestation/observed": "0.980"}
        ),
    ),
    "approval rejected": (Uri.APPROVAL, put("decision", "REJECTED")),
}


@pytest.mark.requirement("values that can be recomputed are")
@pytest.mark.parametrize(("kind", "change"), FAILED.values(), ids=FAILED.keys())
def test_results_are_recomputed(kind: Uri, change: Change) -> None:
    """What says FAILED anywhere, or is FAILED by its own numbers, is FAILED and says what."""
    document = predicate(kind)
    change(document)
    facts = TYPES[kind].read(document)
    assert facts.result is Outcome.FAILED
    assert facts.failures


OBSERVED = "claims|0|https://quorate.dev/attestation/observed"
MALFORMED: dict[Uri, dict[str, Change]] = {
    Uri.TEST_RESULT: {"unknown field": put("waived", True)},
    Uri.SVR: {
        "no policies": drop("verifier|policies"),
        "no verifier": drop("verifier"),
        "id no URI": put("verifier|id", "me"),
        "no time": drop("timeCreated"),
        "time without zone": put("timeCreated", "2026-11-21T11:00:00"),
        "property twice": put("properties", ["A", "A"]),
        "property number": put("properties", [1]),
        "property empty": put("properties", [""]),
        "policy without identity": put("verifier|policies|0", {"name": "p"}),
        "policy bad digest": put("verifier|policies|0|digest", {"sha256": "AB"}),
        "too many properties": put("properties", [str(i) for i in range(1025)]),
    },
    Uri.VSA: {
        "two levels of a track": put(
            "verifiedLevels", ["SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_3"]
        ),
        "unknown result": put("verificationResult", "passed"),
        "policy without uri": drop("policy|uri"),
        "input without digest": put("inputAttestations|0", {"uri": "https://example.com/a"}),
        "no resource": drop("resourceUri"),
        "negative count": put("dependencyLevels", {"SLSA_BUILD_LEVEL_1": -1}),
        "no levels": drop("verifiedLevels"),
        "no time": drop("timeVerified"),
    },
    Uri.VULNS: {
        "no result": drop("scanner|result"),
        "result null": put("scanner|result", None),
        "no severity": put("scanner|result|0|severity", []),
        "score number": put("scanner|result|0|severity|0|score", 9.8),
        "no id": drop("scanner|result|0|id"),
        "no finish": drop("metadata|scanFinishedOn"),
        "starts after its end": put("metadata|scanStartedOn", "2026-11-22T00:00:00Z"),
        "database from after the scan": put("scanner|db|lastUpdate", "2026-11-22T00:00:00Z"),
        "no database": drop("scanner|db"),
    },
    Uri.PROVENANCE: {
        "no builder": drop("runDetails|builder"),
        "builder no URI": put("runDetails|builder|id", "trainer"),
        "no time": put("runDetails|metadata", {}),
        "no metadata": drop("runDetails|metadata"),
        "ends before it starts": put("runDetails|metadata|finishedOn", "2026-11-20T00:00:00Z"),
        "no parameters": drop("buildDefinition|externalParameters"),
        "dependency without identity": put("buildDefinition|resolvedDependencies|0", {"name": "x"}),
        "byproduct bad digest": put("runDetails|byproducts|0|digest", {"sha256": "0"}),
    },
    Uri.CYCLONEDX: {
        "before model cards": put("specVersion", "1.4"),
        "another format": put("bomFormat", "SPDX"),
        "no model": put("metadata|component|type", "library"),
        "no card": drop("metadata|component|modelCard"),
        "empty card": put("metadata|component|modelCard", {}),
        "card of another shape": put("metadata|component|modelCard", {"notes": "x"}),
        "unknown field": put("waivers", []),
        "no time": drop("metadata|timestamp"),
        "version 0": put("version", 0),
    },
    Uri.CYCLONEDX_1_5: {
        "another version": put("specVersion", "1.6"),
        "field of a later version": put("declarations", {}),
    },
    Uri.SPDX_3: {
        "no AI profile": put("@graph|1|profileConformance", ["core", "dataset"]),
        "no dataset profile": put("@graph|1|profileConformance", ["core", "ai"]),
        "no dataset": drop("@graph|3"),
        "no model": drop("@graph|2"),
        "no document": drop("@graph|1"),
        "no creation": drop("@graph|0"),
        "version 2": put("@graph|0|specVersion", "2.3"),
        "another context": put("@context", "https://example.com/context"),
        "element without type": put("@graph|3", {"spdxId": "x"}),
        "package without name": drop("@graph|2|name"),
        "created no time": put("@graph|0|created", "yesterday"),
    },
    Uri.REFERENCE: {
        "no references": put("references", []),
        "no digest": drop("references|0|digest"),
        "digest of another kind": put("references|0|digest", {"sha512": "0"}),
        "no media type": drop("references|0|mediaType"),
        "no location": drop("references|0|downloadLocation"),
        "no time": drop("https://quorate.dev/attestation/finishedAt"),
        "no attester": drop("attester"),
    },
    Uri.EVAL_RESULT: {
        "no claims": put("claims", []),
        "threshold number": put("claims|0|threshold", 0.98),
        "threshold exponent": put("claims|0|threshold", "98e-2"),
        "threshold NaN": put("claims|0|threshold", "NaN"),
        "observed number": put(OBSERVED, 0.99),
        "observed words": put(OBSERVED, "high"),
        "comparator": put("claims|0|comparator", "=="),
        "passed text": put("claims|0|passed", "true"),
        "no samples": put("sampleSize", 0),
        "no model": drop("commitments"),
        "model twice": put("model", {"digest": {"sha256": SHA}}),
        "unsalted commitment": put("commitments|model|salted", False),
        "dataset without digest": put("dataset", {"name": "prompts"}),
        "about a receipt": put("subjectProfile", "receipt"),
        "unknown assurance": put("assuranceLevel", "trust-me"),
    },
    Uri.APPROVAL: {
        "unknown field": put("waives", ["model"]),
        "no reason": drop("reason"),
        "empty reason": put("reason", " "),
        "reason with controls": put("reason", "ok\x1b[2J"),
        "no gates": put("scope|gates", []),
        "gate not a name": put("scope|gates", ["*"]),
        "unknown scope": put("scope|clusters", ["all"]),
        "ends before it begins": put("expiresAt", EARLIER),
        "ends at once": put("expiresAt", "2026-11-21T11:00:00Z"),
        "for ever": put("expiresAt", "2030-01-01T00:00:00Z"),
        "never ends": drop("expiresAt"),
        "decision in lower case": put("decision", "approved"),
    },
}
CASES = [
    pytest.param(kind, change, id=f"{kind.name}: {name}")
    for kind, changes in MALFORMED.items()
    for name, change in changes.items()
]


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize(("kind", "change"), CASES)
def test_malformed_predicates_are_refused(kind: Uri, change: Change) -> None:
    """A predicate that lacks what its type requires, or contradicts itself, is no evidence."""
    document = predicate(kind)
    change(document)
    with pytest.raises(InvalidInput):
        TYPES[kind].read(document)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Uri.SVR, put("extension", 1)),
        (Uri.VSA, put("verifier|team", "x")),
        (Uri.VULNS, put("scanner|result|0|fix", "2.0")),
        (Uri.PROVENANCE, put("runDetails|builder|region", "eu")),
        (Uri.REFERENCE, put("references|0|annotations", {"a": 1})),
        (Uri.EVAL_RESULT, put("preRegistration", {"alg": "sha256", "value": "ab"})),
        (Uri.SPDX_3, put("@graph|2|security_note", "x")),
    ],
)
def test_unknown_fields_follow_each_specification(kind: Uri, change: Change) -> None:
    """Where the specification says to ignore what one does not know, it is ignored."""
    document = predicate(kind)
    change(document)
    assert TYPES[kind].read(document) == TYPES[kind].read(predicate(kind))


def test_spdx_creation_may_be_in_place() -> None:
    """Creation information is found by id or in the document itself."""
    document = predicate(Uri.SPDX_3)
    creation = document["@graph"].pop(0)
    document["@graph"][0]["creationInfo"] = creation
    assert TYPES[Uri.SPDX_3].read(document).made_at == MADE_AT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T13:00:00+02:00", MADE_AT),
        ("2026-11-21T11:00:00.123456789Z", MADE_AT.replace(microsecond=123456)),
        ("2026-11-21T11:00:00.5Z", MADE_AT.replace(microsecond=500000)),
    ],
)
def test_times_of_others(text: str, expected: datetime) -> None:
    """Offsets and nanoseconds are read; what is cut makes a document older, never younger."""
    assert parse_rfc3339(text, "t") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-11-21", "2026-11-21 11:00:00Z", "2026-11-21T11:00:00", "2026-13-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "2026-11-21T11:00:00z", "2026-11-21T11:00:00Z\n"),
    ],
)
def test_odd_times_are_refused(text: str) -> None:
    """Any other spelling, and a time before time, is InvalidInput."""
    with pytest.raises(InvalidInput):
        parse_rfc3339(text, "t")
