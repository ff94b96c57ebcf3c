"""approve: a person's word about one model, for named gates, with an end."""

import json
from pathlib import Path

import pytest

from quorate.evidence.intoto import Outcome, read_document, verify_document
from quorate.evidence.signatures import SignerSet
from quorate.keys import load_public_key
from quorate.predicates import PredicateUri
from tests.fakes.predicates import predicate
from tests.unit.cli.conftest import Quorate

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def terms(key: Path, tmp_path: Path) -> list[object]:
    """An approval of DIGEST for the gate release."""
    return [
        *("approve", "--manifest-digest", DIGEST, "--gate", "release", "--reason", "reviewed"),
        *("--key", key, "--out", tmp_path / "approval.json"),
    ]


def signed_by(path: Path, *keys: Path) -> int:
    """How many of the keys signed the approval in the file."""
    public = [load_public_key(key.with_suffix(".pub").read_text()) for key in keys]
    document = read_document(path.read_bytes())
    return len(verify_document(document, PredicateUri.APPROVAL, SignerSet(tuple(public))).signers)


@pytest.mark.requirement("quorate approve signs an approval")
def test_an_approval_says_what_was_typed(
    quorate: Quorate, terms: list[object], key: Path, tmp_path: Path
) -> None:
    """Gate, namespace, reason and end are signed by the approver's key."""
    ran = quorate(*terms, "--namespace", "team-a", "--days", "7", "--output", "json")
    assert ran.code == 0, ran.err
    assert ran.document["decision"] == "APPROVED"
    public = load_public_key(key.with_suffix(".pub").read_text())
    document = read_document((tmp_path / "approval.json").read_bytes())
    evidence = verify_document(document, PredicateUri.APPROVAL, SignerSet((public,)))
    facts = evidence.facts
    assert evidence.subjects == {DIGEST}
    assert (facts.result, facts.gates) == (Outcome.PASSED, frozenset({"release"}))
    assert facts.namespaces == {"team-a"}
    assert facts.expires_at is not None
    assert (facts.expires_at - facts.made_at).days == 7


def test_a_rejection_is_signed_too(quorate: Quorate, terms: list[object]) -> None:
    """Saying no is evidence."""
    ran = quorate(*terms, "--reject", "--output", "json")
    assert ran.document["decision"] == "REJECTED"


@pytest.mark.requirement("approvers k-of-n sign one approval")
def test_a_second_approver_signs_the_same_words(
    quorate: Quorate, terms: list[object], key: Path, tmp_path: Path
) -> None:
    """The payload stays as it is and carries both signatures."""
    assert quorate(*terms).code == 0
    quorate("keygen", "--out", tmp_path / "second")
    first, both, second = (
        tmp_path / "approval.json",
        tmp_path / "both.json",
        tmp_path / "second.key",
    )
    line = ("approve", "--manifest-digest", DIGEST, "--add-to", first, "--out", both)
    ran = quorate(*line, "--key", second)
    assert ran.code == 0, ran.err
    assert json.loads(both.read_text())["payload"] == json.loads(first.read_text())["payload"]
    assert signed_by(both, key, second) == 2
    again = quorate(
        "approve", "--manifest-digest", DIGEST, "--add-to", both, "--out", both, "--key", key
    )
    assert again.code != 0
    assert "signature already" in again.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--add-to", "OTHER"], "another model"),
        (["--add-to", "GATE"], "no approval"),
        (["--add-to", "FIRST", "--reason", "x"], "no other terms"),
        (["--gate", "release"], "--reason"),
        (["--reason", "x"], "--gate"),
        (["--gate", "*", "--reason", "x"], "approval"),
        (["--gate", "release", "--reason", "x", "--days", "0"], "expiresAt"),
        (["--gate", "release", "--reason", "x", "--days", "400"], "expiresAt"),
    ],
)
def test_what_cannot_be_meant_is_not_signed(
    quorate: Quorate,
    terms: list[object],
    key: Path,
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    """Another model's approval, another kind of evidence, no terms, no end: nothing is written."""
    assert quorate(*terms).code == 0
    other = f"sha256:{'cd' * 32}"
    elsewhere = [other if item == DIGEST else item for item in terms]
    elsewhere[-1] = tmp_path / "other.json"
    assert quorate(*elsewhere).code == 0
    (tmp_path / "bom.json").write_text(json.dumps(predicate(PredicateUri.CYCLONEDX)))
    line = ("gate", "--predicate", tmp_path / "bom.json", "--type", PredicateUri.CYCLONEDX)
    named = {"OTHER": "other.json", "GATE": "gate.json", "FIRST": "approval.json"}
    gate = quorate(
        *line, "--manifest-digest", DIGEST, "--key", key, "--out", tmp_path / "gate.json"
    )
    assert gate.code == 0, gate.err
    quorate("keygen", "--out", tmp_path / "second")
    given = [str(tmp_path / named[item]) if item in named else item for item in arguments]
    out = tmp_path / "new.json"
    ran = quorate(
        *("approve", "--manifest-digest", DIGEST, *given),
        *("--key", tmp_path / "second.key", "--out", out),
    )
    assert ran.code != 0
    assert says in ran.err
    assert not out.exists()


@pytest.mark.parametrize(
    "kind", [kind for kind in PredicateUri if kind is not PredicateUri.APPROVAL]
)
def test_any_evidence_can_be_signed_as_it_is(
    quorate: Quorate, model: Path, key: Path, bundle: Path, tmp_path: Path, kind: PredicateUri
) -> None:
    """What gate signs, verify accepts and model manifest takes."""
    source, out = tmp_path / "predicate.json", tmp_path / "signed.json"
    source.write_text(json.dumps(predicate(kind)))
    line = ("gate", "--predicate", source, "--type", kind, "--model", model, "--key", key)
    ran = quorate(*line, "--out", out)
    assert ran.code == 0, ran.err
    public = key.with_suffix(".pub")
    verified = quorate(
        *("verify", model, "--bundle", bundle, "--key", public, "--gate", out),
        *("--gate-key", public, "--output", "json"),
    )
    assert verified.code == 0, verified.out
    assert verified.document["gates"][0]["predicateType"] == kind
    made = quorate(
        *("model", "manifest", "--name", "demo", "--namespace", "team-a", "--bundle", bundle),
        *("--gate", out, "--source-pvc", "weights"),
    )
    assert made.code == 0, made.err


def test_malformed_evidence_is_not_signed(quorate: Quorate, key: Path, tmp_path: Path) -> None:
    """A predicate that no gate could read does not leave the producer."""
    (tmp_path / "p.json").write_text('{"verifier": {}}')
    line = ("gate", "--predicate", tmp_path / "p.json", "--type", PredicateUri.SVR)
    ran = quorate(*line, "--manifest-digest", DIGEST, "--key", key, "--out", tmp_path / "o.json")
    assert ran.code != 0
    assert not (tmp_path / "o.json").exists()
    alone = quorate(
        *("gate", "--predicate", tmp_path / "p.json", "--manifest-digest", DIGEST),
        *("--key", key, "--out", tmp_path / "o.json"),
    )
    assert "--predicate and --type" in alone.err
