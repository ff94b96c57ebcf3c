"""committee propose: what the operator finds in the SafetyCommittee, and what is refused before."""

import copy
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quorate.api.v1alpha1.safety_committee import EVIDENCE_KEY, PROPOSALS_MAX
from quorate.consensus import draft as drafts
from quorate.consensus import quarantine
from quorate.consensus.epoch import Admins
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.wire import Verdict
from quorate_cli.cluster import connection
from quorate_cli.cluster.kinds import CONFIG_MAP, SAFETY_COMMITTEE, Document, Kind
from quorate_cli.cluster.writer import Conflict
from quorate_cli.committee import chain_file, proposals, proposing, whereabouts
from quorate_cli.committee.chain_file import Chain
from quorate_operator.committee_members import evidence_in
from quorate_operator.reconcile.committee_plan import Offered, hindrance, read_offered
from tests.fakes.ballots import Committee
from tests.unit.cli.conftest import Quorate, Ran
from tests.unit.cli.fake_cluster import FakeReader


@dataclass
class FakeWriter:
    """Writes into a :class:`FakeReader`; a patch counts for the version that it names."""

    reader: FakeReader
    before: list[Callable[[], None]] = field(default_factory=list)
    """What happens before each write: somebody else is faster."""
    dry: list[str] = field(default_factory=list)

    def patch(
        self, kind: Kind, name: str, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> None:
        if self.before:
            self.before.pop(0)()
        found = self.reader.get(kind, name, namespace)
        assert found is not None
        if found["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("another version")
        if dry_run:
            self.dry.append(kind.name)
            return
        version = str(int(found["metadata"]["resourceVersion"]) + 1)
        found["metadata"]["resourceVersion"] = version
        self.reader.put(found | {"spec": copy.deepcopy(body["spec"])})

    def create(
        self, kind: Kind, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> None:
        if self.reader.get(kind, body["metadata"]["name"], namespace) is not None:
            raise Conflict("is there already")
        if dry_run:
            self.dry.append(kind.name)
        else:
            self.reader.put(body)


@dataclass
class Desk:
    """A committee with two administrators, its object in a cluster, and the command line."""

    quorate: Quorate
    folder: Path
    committee: Committee
    reader: FakeReader = field(default_factory=FakeReader)

    def __post_init__(self) -> None:
        self.writer = FakeWriter(self.reader)
        self.put(spec={"proposals": []})

    def put(self, **parts: Any) -> None:
        """Change the object as somebody else would."""
        found = self.reader.get(SAFETY_COMMITTEE, "committee") or {
            "kind": "SafetyCommittee",
            "metadata": {"name": "committee", "resourceVersion": "0"},
        }
        version = str(int(found["metadata"]["resourceVersion"]) + 1)
        found["metadata"]["resourceVersion"] = version
        self.reader.put(found | parts)

    def proposal(self, *signers: str, reason: str = "yearly") -> Path:
        """A signed proposal of another key for m1."""
        path = self.folder / f"{reason}-{'-'.join(signers)}.json"
        made = self.quorate(
            *("committee", "rotate", "--member", "m1", "--new-key", self.folder / "new.pub"),
            *("--reason", reason, "--chain", self.folder / "chain.json", "--out", path),
        )
        assert made.code == 0, made.err
        for name in signers:
            assert self.quorate("committee", "sign", path, "--key", self.key(name)).code == 0
        return path

    def key(self, name: str) -> Path:
        """Somebody's private key."""
        return self.folder / f"{name}.key"

    def propose(self, path: Path, *words: object) -> Ran:
        """Put it into the object."""
        return self.quorate("committee", "propose", path, *words, "--output", "json")

    def offered(self) -> tuple[Offered, ...]:
        """What the operator reads there."""
        found = self.reader.get(SAFETY_COMMITTEE, "committee")
        assert found is not None
        return read_offered(found["spec"])

    def status(self, **parts: Any) -> None:
        """The operator wrote this."""
        self.put(status=parts)


@pytest.fixture
def desk(quorate: Quorate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Five members, an object without proposals."""
    for name in ("ann", "ben"):
        assert quorate("keygen", "--out", tmp_path / name).code == 0
    assert quorate("keygen", "--member", "--out", tmp_path / "new").code == 0
    keys = tuple((tmp_path / f"{name}.pub").read_text() for name in ("ann", "ben"))
    committee = Committee(admins=Admins(keys, 2))
    chain_file.save(tmp_path / "chain.json", Chain(committee.epoch))
    one = Desk(quorate, tmp_path, committee)
    monkeypatch.setattr(connection, "connect_both", lambda _arguments: (one.reader, one.writer))
    return one


@pytest.mark.requirement("committee: a signed draft is put into the object by a command")
def test_the_operator_finds_what_was_signed(desk: Desk) -> None:
    """Record and signatures as the members take them; once, however often it is said."""
    path = desk.proposal("ann", "ben")
    ran = desk.propose(path)
    assert (ran.code, ran.document["proposed"], ran.document["name"]) == (0, True, "membership-1")
    (offered,) = desk.offered()
    assert offered.record == drafts.parse(path.read_bytes()).record
    assert hindrance(offered, desk.committee.epoch) == ""
    again = desk.propose(path)
    assert (again.code, again.document["proposed"]) == (0, False)
    assert len(desk.offered()) == 1


def test_a_dry_run_keeps_nothing(desk: Desk) -> None:
    """The API server is asked to check it."""
    ran = desk.propose(desk.proposal("ann", "ben"), "--dry-run")
    assert (ran.code, ran.document["proposed"], ran.document["dryRun"]) == (0, False, True)
    assert (desk.offered(), desk.writer.dry) == ((), ["SafetyCommittee"])


def test_members_sign_last(desk: Desk) -> None:
    """Without its administrators it would hinder nobody and get nowhere: it is refused here."""
    ran = desk.propose(desk.proposal("ann"))
    assert ran.code == 1
    assert "1 of 2 administrators signed it" in ran.out
    assert desk.offered() == ()


def test_others_proposals_stay(desk: Desk) -> None:
    """Also those that somebody put there between reading and writing."""
    theirs = {"name": "theirs", "record": "{}"}
    desk.writer.before.append(lambda: desk.put(spec={"proposals": [theirs]}))
    assert desk.propose(desk.proposal("ann", "ben")).code == 0
    assert [one.name for one in desk.offered()] == ["theirs", "membership-1"]


def test_somebody_who_always_writes_first_is_an_error(desk: Desk) -> None:
    """After some attempts, and nothing is overwritten."""
    desk.writer.before += [lambda: desk.put(spec={"proposals": []})] * proposing.ATTEMPTS
    assert desk.propose(desk.proposal("ann", "ben")).code == 3
    assert desk.offered() == ()


def test_another_of_the_same_name_gives_way_when_told(desk: Desk) -> None:
    """And the same record under another name is told where it is."""
    first, other = desk.proposal("ann", "ben"), desk.proposal("ann", "ben", reason="lost")
    assert desk.propose(first).code == 0
    refused = desk.propose(other)
    assert (refused.code, "--replace" in refused.out) == (2, True)
    assert desk.propose(other, "--replace").code == 0
    (offered,) = desk.offered()
    assert offered.record is not None
    assert offered.record.reason == "lost"
    twice = desk.propose(other, "--name", "again")
    assert (twice.code, "is proposed as membership-1" in twice.out) == (2, True)
    assert desk.propose(other, "--name", "No").code == 2


def test_what_is_over_makes_room(desk: Desk) -> None:
    """Eight wait at the most; those that are certified or superseded do not wait."""
    known = [{"name": f"p{n}", "record": f"{{{n}}}"} for n in range(PROPOSALS_MAX)]
    desk.put(spec={"proposals": known})
    path = desk.proposal("ann", "ben")
    full = desk.propose(path)
    assert (full.code, "wait already" in full.out) == (2, True)
    desk.status(
        proposals=[{"name": "p0", "phase": "Certified"}, {"name": "p1", "phase": "Waiting"}]
    )
    assert desk.propose(path).code == 0
    names = [one.name for one in desk.offered()]
    assert names == [*(f"p{n}" for n in range(1, PROPOSALS_MAX)), "membership-1"]


def test_an_epoch_that_is_decided_is_refused(desk: Desk) -> None:
    """It would be superseded at once."""
    desk.status(epoch={"number": 1})
    ran = desk.propose(desk.proposal("ann", "ben"))
    assert (ran.code, "epoch 1 is in force" in ran.out) == (2, True)
    desk.reader.drop("SafetyCommittee", "committee")
    ran = desk.propose(desk.proposal("ann", "ben"))
    assert (ran.code, "there is no SafetyCommittee" in ran.out) == (3, True)


def test_a_quarantine_brings_its_evidence(desk: Desk) -> None:
    """Into a ConfigMap that the operator reads; the same again is no error, other evidence is."""
    committee = desk.committee
    votes = tuple(committee.vote("m4", verdict) for verdict in (Verdict.APPROVE, Verdict.DENY))
    data = quarantine.encode(Equivocation(votes))
    evidence, path = desk.folder / "evidence.bin", desk.folder / "away.json"
    evidence.write_bytes(data)
    made = desk.quorate(
        *("committee", "quarantine", "--evidence", evidence, "--out", path),
        *("--chain", desk.folder / "chain.json"),
    )
    assert made.code == 0, made.err
    assert desk.propose(path, "--dry-run").code == 0
    assert desk.writer.dry == ["ConfigMap", "SafetyCommittee"]
    assert desk.propose(path).code == 0
    (offered,) = desk.offered()
    found = desk.reader.get(CONFIG_MAP, offered.evidence, "quorate-system")
    assert found is not None
    assert evidence_in(found, EVIDENCE_KEY) == data
    assert hindrance(offered, committee.epoch) == ""
    desk.put(spec={"proposals": []})
    assert desk.propose(path).code == 0
    desk.put(spec={"proposals": []})
    desk.reader.put(found | {"binaryData": {EVIDENCE_KEY: "AAAA"}})
    other = desk.propose(path)
    assert (other.code, "holds other evidence" in other.out) == (2, True)


STATUS = {
    "proposals": [
        {
            "name": "one",
            "phase": "Collecting",
            "digest": "",
            "endorsed": ["m0"],
            "needed": 4,
            "message": "m1: AnotherChosen",
        },
        {"name": "one", "phase": "no phase"},
        {"name": "quarantine-0a", "phase": "Collecting", "needed": 4},
    ]
}


@pytest.mark.requirement("committee: the proposals' phases are shown by committee status")
def test_phases_are_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator says of each, its own first; a new one has no phase yet, and what is none
    is skipped."""
    desk.put(spec={"proposals": [{"name": "one"}, {"name": "two"}]})
    desk.status(**STATUS)
    found = read(desk, monkeypatch)
    assert [one["phase"] for one in found.document["proposals"]] == ["Collecting"] * 2 + ["New"]
    assert list(found.lines(80))[1:] == [
        "  quarantine-0a  Collecting, 0 of 4 signed",
        "  one  Collecting, 1 of 4 signed: m1: AnotherChosen",
        "  two  New",
    ]


def test_an_api_server_that_is_away_hides_no_members(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a line; and whoever names members and no cluster asks none."""
    desk.reader.forbidden.add("SafetyCommittee")
    (_, line) = read(desk, monkeypatch).lines(200)
    assert "you may not get safetycommittees" in line
    assert list(read(desk, monkeypatch, "--member-url", "x").lines(80)) == []


@pytest.mark.requirement(
    "self-healing: after a quarantine a spare and a prepared epoch change that people acknowledge"
)
def test_status_names_what_is_prepared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes whose seat, and the command; what is no replacement is shown to nobody."""
    prepared = {
        "member": "m1",
        "by": "m5",
        "keyId": f"sha256:{'1' * 64}",
        "number": 2,
        "digest": f"sha256:{'2' * 64}",
        "record": "{}",
    }
    desk.status(replacement=prepared)
    found = read(desk, monkeypatch)
    text = " ".join(" ".join(found.lines(80)).split())
    assert "m5 for m1" in text
    assert "quorate committee acknowledge" in text
    assert found.document["prepared"] == {"member": "m1", "by": "m5"}
    desk.status(replacement=prepared | {"by": "{0}"})
    assert read(desk, monkeypatch).prepared is None
    desk.status()
    assert read(desk, monkeypatch).document["prepared"] is None


def read(desk: Desk, monkeypatch: pytest.MonkeyPatch, *words: str) -> proposals.Proposals:
    """What ``committee status`` with these flags reads."""
    parser = ArgumentParser()
    whereabouts.add_arguments(parser)
    found = connection.Connection(desk.reader, "default")
    monkeypatch.setattr(connection, "connect", lambda _arguments: found)
    return proposals.read(parser.parse_args(words))
