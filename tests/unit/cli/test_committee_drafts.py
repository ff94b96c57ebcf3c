"""committee rotate … sign: records are made offline, and signed one after the other."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from quorate.consensus import clean_run, judge_sets, quarantine, succession
from quorate.consensus import draft as drafts
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.draft import Draft
from quorate.consensus.epoch import Admins, Change, Epoch, Seat, material_of
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.thresholds import PRESETS
from quorate.consensus.wire import Verdict
from quorate.genesis import encode
from quorate.policy import in_force
from quorate_cli.committee import chain_file
from quorate_cli.committee.chain_file import Chain
from quorate_consensus.relay import read_policy
from tests.fakes import vouching
from tests.fakes.ballots import Canaried, Committee, canaries, digest
from tests.unit.cli.conftest import Quorate, Ran

SIGNATURES = KeySignatures()


@dataclass
class Desk:
    """A committee's chain in a file, and the keys of its two administrators beside it."""

    quorate: Quorate
    folder: Path
    committee: Committee

    @property
    def out(self) -> Path:
        """Where proposals are written."""
        return self.folder / "proposal.json"

    def __call__(self, *words: object, chain: str = "chain.json") -> Ran:
        """Make a proposal from the chain."""
        where = ("--chain", self.folder / chain, "--out", self.out, "--output", "json")
        return self.quorate(*words, *where)

    def key(self, name: str) -> Path:
        """Somebody's private key."""
        return self.folder / f"{name}.key"

    def draft(self) -> Draft:
        """The proposal that was written."""
        return drafts.parse(self.out.read_bytes())

    def check(self, change: Change) -> Epoch:
        """It is of this kind, and follows the committee's head."""
        draft = self.draft()
        assert draft.record.change is change
        return succession.check(self.committee.epoch, draft.record)


@pytest.fixture
def desk(quorate: Quorate, tmp_path: Path) -> Desk:
    """Five members; member m4 may be put under quarantine."""
    for name in ("ann", "ben"):
        assert quorate("keygen", "--out", tmp_path / name).code == 0
    assert quorate("keygen", "--member", "--out", tmp_path / "new").code == 0
    keys = tuple((tmp_path / f"{name}.pub").read_text() for name in ("ann", "ben"))
    committee = Committee(admins=Admins(keys, 2))
    chain_file.save(tmp_path / "chain.json", Chain(committee.epoch))
    return Desk(quorate, tmp_path, committee)


def test_a_new_key_is_proposed_and_signed_by_two(desk: Desk) -> None:
    """rotate, show, sign, sign: what each says, and that the signatures count in the end."""
    new = ("--member", "m1", "--new-key", desk.folder / "new.pub", "--reason", "yearly")
    ran = desk("committee", "rotate", *new, "--key", desk.key("ann"))
    assert ran.code == 0, ran.out
    assert (ran.document["number"], ran.document["change"]) == (1, "Membership")
    assert ran.document["needed"] == {"administrators": 2, "members": 4}
    assert len(ran.document["signers"]) == 1
    shown = desk.quorate("committee", "show", desk.out)
    for words in ("m1: key sha256:", "1 of 2 administrators", "committee sign"):
        assert words in shown.out
    signed = desk.quorate("committee", "sign", desk.out, "--key", desk.key("ben"))
    assert "2 of 2 administrators" in signed.out
    assert "committee apply" in signed.out
    desk.check(Change.MEMBERSHIP)
    draft = desk.draft()
    by_members = desk.committee.endorse(draft.record, members=4).members
    certified = CertifiedRecord(draft.record, by_members, draft.admins)
    succession.verify(desk.committee.epoch, certified, SIGNATURES)


def test_who_is_no_administrator_signs_nothing(desk: Desk) -> None:
    """The file stays as it was, also when somebody signs twice."""
    new = ("--member", "m1", "--new-key", desk.folder / "new.pub", "--reason", "r")
    assert desk("committee", "rotate", *new, "--key", desk.key("new")).code == 2
    assert not desk.out.exists()
    assert desk("committee", "rotate", *new, "--key", desk.key("ann")).code == 0
    before = desk.out.read_bytes()
    for name in ("new", "ann"):
        assert desk.quorate("committee", "sign", desk.out, "--key", desk.key(name)).code == 2
    assert desk.out.read_bytes() == before
    other = desk.folder / "other.json"
    sign = ("committee", "sign", desk.out, "--key", desk.key("ben"), "--out", other)
    assert desk.quorate(*sign).code == 0
    assert (desk.out.read_bytes(), other.exists()) == (before, True)


def joined(seats: tuple[Seat, ...]) -> set[str]:
    """The members' names."""
    return {seat.name for seat in seats}


def test_another_member_takes_a_seat(desk: Desk) -> None:
    """With what is said of it; the rest is the seat's."""
    ran = desk(
        *("committee", "replace", "--member", "m1", "--by", "m7", "--judges", "all"),
        *("--new-key", desk.folder / "new.pub", "--failure-domain", "zone-x", "--reason", "r"),
    )
    assert ran.code == 0, ran.out
    desk.check(Change.MEMBERSHIP)
    seat = desk.draft().record.seats[1]
    assert (seat.name, seat.failure_domain) == ("m7", "zone-x")
    assert seat.judges == judge_sets.digest_of_set("all")
    assert joined(desk.draft().record.seats) == {"m0", "m7", "m2", "m3", "m4"}


def test_a_sixth_joins(desk: Desk) -> None:
    """With the thresholds of the preset for six; and without them it is refused."""
    add = f"m5={desk.folder / 'new.pub'},zone-y,{digest('d')}"
    made = ("committee", "resize", "--add", add, "--reason", "r")
    assert desk(*made, "--preset", "ha").code == 0
    desk.check(Change.MEMBERSHIP)
    assert desk.draft().record.thresholds == PRESETS["ha"]
    refused = desk(*made, "--strict", "3")
    assert refused.code == 2
    assert "2*3-6" in refused.document["error"]["message"]
    assert desk(*made, "--preset", "standard").code == 2
    assert desk(*made, "--r", "99").code == 2


def test_recovery_warns_and_needs_no_member(desk: Desk) -> None:
    """It may change nothing else; members are put out; and it says what to look at first."""
    ran = desk.quorate(
        *("committee", "recover", "--reason", "split", "--out", desk.out),
        *("--chain", desk.folder / "chain.json"),
    )
    assert ran.code == 0
    assert "look first" in ran.out
    desk.check(Change.RECOVERY)
    new = desk.folder / "new.pub"
    out = ("committee", "recover", "--reason", "r", "--remove", "m4", "--rekey", f"m0={new}")
    ran = desk(*out, "--fast", "3", "--strict", "3")
    assert ran.code == 0, ran.out
    assert ran.document["needed"] == {"administrators": 2, "members": 0}
    desk.check(Change.RECOVERY)


def equivocation(committee: Committee) -> bytes:
    """m4 said two things."""
    return quarantine.encode(
        Equivocation((committee.vote("m4", Verdict.APPROVE), committee.vote("m4", Verdict.DENY)))
    )


def test_evidence_makes_a_quarantine_and_a_new_key_ends_it(desk: Desk) -> None:
    """Evidence that convicts nobody makes none, nobody need sign it; the old key stays out."""
    file = desk.folder / "evidence.bin"
    file.write_bytes(b"nonsense")
    made = ("committee", "quarantine", "--evidence", file)
    assert desk(*made).code == 2
    file.write_bytes(equivocation(desk.committee))
    assert desk(*made, "--key", desk.key("ann")).code == 2
    ran = desk(*made)
    assert ran.code == 0, ran.out
    assert ran.document["needed"] == {"administrators": 0, "members": 4}
    assert "m4: its vote is taken away" in ran.document["changes"]
    desk.check(Change.QUARANTINE)
    assert desk.quorate("committee", "sign", desk.out, "--key", desk.key("ann")).code == 2

    certified = desk.committee.endorse(desk.draft().record, members=4)
    chain = Chain(desk.committee.epoch, (certified,))
    chain_file.save(desk.folder / "away.json", chain)
    desk.committee.open(certified.record)
    back = ("committee", "readmit", "--member", "m4", "--reason", "r", "--new-key")
    (desk.folder / "old.pub").write_text(desk.committee.epoch.record.seats[4].key)
    assert desk(*back, desk.folder / "old.pub", chain="away.json").code == 2
    alone = ("--without-clean-run",)
    assert desk(*back, desk.folder / "old.pub", *alone, chain="away.json").code == 2
    ran = desk(*back, desk.folder / "new.pub", *alone, chain="away.json")
    assert ran.code == 0, ran.out
    assert any("no run of clean canaries" in line for line in ran.document["changes"])
    assert ran.document["cleanRun"] == ""
    desk.check(Change.READMISSION)


@pytest.mark.requirement("committee: 200 clean canaries stand behind a return")
def test_a_return_shows_its_clean_canaries_or_is_refused_with_the_count(desk: Desk) -> None:
    """With 199 nothing is written; with 200 the proposal holds the run, and says so."""
    admins = desk.committee.epoch.record.admins
    scene = Canaried(deck=canaries(100, 100), admins=admins)
    genesis, away = scene.committee.epoch, scene.committee.seats(m4={"quarantined": True})
    record = scene.committee.next_record(Change.QUARANTINE, seats=away, evidence=digest("e"))
    chain = Chain(genesis, (scene.committee.endorse(record, members=4),))
    chain_file.save(desk.folder / "away.json", chain)
    scene.committee.open(record)
    others = ["m0", "m1", "m2", "m3"]
    results = tuple(scene.result(n, silent=others) for n in range(200))
    file = desk.folder / "run.bin"
    who = ("committee", "readmit", "--member", "m4", "--reason", "r")
    made = (*who, "--run", file, "--new-key", desk.folder / "new.pub")
    file.write_bytes(clean_run.encode(CleanRun("m4", results[1:])))
    ran = desk(*made, chain="away.json")
    assert ran.code == 1
    said = ran.document["error"]
    assert "99 of 100 unsafe and 100 of 100 safe canaries are clean; 1 more" in said["message"]
    assert "--without-clean-run" in said["fix"]
    assert not desk.out.exists()
    file.write_bytes(clean_run.encode(CleanRun("m4", results)))
    assert desk(*made, "--without-clean-run", chain="away.json").code == 2
    ran = desk(*made, chain="away.json")
    assert ran.code == 0, ran.out
    assert ran.document["cleanRun"] == desk.draft().record.evidence
    clean_run.check(desk.draft().record, scene.committee.epoch, file.read_bytes(), SIGNATURES)
    assert desk.draft().evidence == file.read_bytes()


def test_a_freeze_is_released_by_its_id(desk: Desk) -> None:
    """Ids that are none are refused."""
    made = ("unfreeze", "--reason", "r", "--id")
    assert desk(*made, "x").code == 2
    assert desk(*made, digest("1"), "--id", digest("2")).code == 0
    desk.check(Change.RELEASE)
    assert set(desk.draft().record.released) == {digest("1"), digest("2")}


def test_administrators_join_and_leave(desk: Desk) -> None:
    """By key and by key's id; nobody may be left with more signatures to give than keys."""
    ann = material_of(desk.committee.epoch.record.admins.keys[0])
    made = ("committee", "administrators", "--reason", "r")
    assert desk(*made, "--add", desk.folder / "new.pub", "--remove", ann).code == 0
    desk.check(Change.MEMBERSHIP)
    keys = [material_of(key) for key in desk.draft().record.admins.keys]
    assert (len(keys), ann in keys, desk.draft().record.admins.needed) == (2, False, 2)
    for wrong in (
        ("--remove", ann),
        ("--remove", digest("1")),
        ("--needed", "3"),
        ("--needed", "0"),
        ("--add", desk.folder / "ann.pub"),
        (),
    ):
        assert desk(*made, *wrong).code == 2, wrong


def test_policies_are_proposed_by_what_is_read(desk: Desk) -> None:
    """The digest is the one that members compute of what the cluster holds; others are refused."""
    floor = vouching.policy(
        {
            "model": {"signers": vouching.signers(vouching.signer()), "gates": []},
            "runtime": {"upstream": {"port": 8000}},
        }
    )
    file = desk.folder / "floor.yaml"
    made = ("committee", "policies", "--reason", "r", "--file", file)
    file.write_text(yaml.safe_dump(floor))
    ran = desk(*made)
    assert ran.code == 0, ran.out
    desk.check(Change.POLICIES)
    assert desk.draft().record.policies == in_force.digest([read_policy(floor)])
    for text in (
        "kind: Pod\nmetadata: {name: x}",
        "- 1",
        "{",
        yaml.safe_dump(floor | {"spec": {}}),
    ):
        file.write_text(text)
        assert desk(*made).code == 2, text


WRONG: list[Callable[[dict[str, Any]], object]] = [
    lambda file: file.pop("before"),
    lambda file: file["record"].update(policies=digest("9")),
    lambda file: file["before"].update(reason="another past"),
    lambda file: file.update(evidence="eA=="),
    lambda file: file.update(note="trust me"),
]


@pytest.mark.parametrize("change", WRONG)
def test_a_proposal_that_was_changed_is_not_signed(
    desk: Desk, change: Callable[[dict[str, Any]], object]
) -> None:
    """Also if it shows the signer another past than the record names."""
    new = ("--member", "m1", "--new-key", desk.folder / "new.pub", "--reason", "r")
    assert desk("committee", "rotate", *new).code == 0
    document = json.loads(desk.out.read_text())
    change(document)
    desk.out.write_text(json.dumps(document))
    for words in (("sign", desk.out, "--key", desk.key("ann")), ("show", desk.out)):
        assert desk.quorate("committee", *words).code in (1, 2)


@pytest.mark.parametrize(
    "words",
    [
        ["rotate", "--member", "m9", "--new-key", "{new}"],
        ["rotate", "--member", "m1", "--new-key", "{missing}"],
        ["rotate", "--member", "m1", "--new-key", "{signer}"],
        ["resize", "--add", "m9={signer},zone,all", "--strict", "5"],
        ["replace", "--member", "m9", "--by", "m1", "--new-key", "{new}"],
        ["replace", "--member", "m1", "--by", "m2", "--new-key", "{new}"],
        ["replace", "--member", "m1", "--by", "m9", "--new-key", "{new}", "--judges", "none"],
        ["resize", "--remove", "m9"],
        ["resize", "--rekey", "m1"],
        ["resize", "--add", "m9={new},zone"],
        ["resize"],
        ["readmit", "--member", "m1", "--new-key", "{new}"],
    ],
)
def test_what_no_member_would_sign_is_not_written(desk: Desk, words: list[str]) -> None:
    """It is bad usage, and no file is left."""
    files = {"new": "new.pub", "missing": "none", "signer": "ann.pub"}
    places = {word: str(desk.folder / name) for word, name in files.items()}
    filled = [word.format(**places) for word in words]
    assert desk("committee", *filled, "--reason", "r").code == 2
    assert not desk.out.exists()


def test_the_genesis_alone_is_a_chain_and_a_pin_is_compared(desk: Desk) -> None:
    """As it is in the cluster; of another committee nothing is made."""
    (desk.folder / "genesis.json").write_bytes(encode(desk.committee.epoch))
    made = ("unfreeze", "--reason", "r", "--id", digest("1"))
    assert desk(*made, chain="genesis.json").code == 0
    pinned = ("--genesis-digest", desk.committee.epoch.digest_text)
    assert desk(*made, *pinned).code == 0
    assert desk(*made, "--genesis-digest", digest("0")).code == 1
    assert desk(*made, "--genesis", desk.folder / "genesis.json").code == 0


def test_the_chain_is_told_epoch_by_epoch(desk: Desk, quorate: Quorate) -> None:
    """Who signed what; an epoch that too few signed ends it, and nothing is kept of it."""
    committee = desk.committee
    pin = ("--genesis-digest", committee.epoch.digest_text)
    genesis = committee.epoch
    away = committee.next_record(
        Change.QUARANTINE, seats=committee.seats(m4={"quarantined": True}), evidence=digest("e")
    )
    good = committee.endorse(away, members=4)
    committee.open(away)
    bad = committee.endorse(committee.next_record(Change.POLICIES, policies=digest("1")), members=4)
    file = desk.folder / "chain.json"
    chain_file.save(file, Chain(genesis, (good,)))
    ran = quorate("committee", "verify", file, *pin)
    assert ran.code == 0, ran.err
    for words in ("Quarantine: because", "m4: its vote is taken away", "m0, m1, m2, m3 (4 needed)"):
        assert words in ran.out
    assert "not pinned" not in ran.out
    chain_file.save(file, Chain(genesis, (good, bad)))
    out = desk.folder / "kept.json"
    ran = quorate("committee", "verify", file, "--out", out, "--output", "json")
    assert (ran.code, len(ran.document["epochs"]), ran.document["pinned"]) == (1, 1, False)
    assert "administrators" in ran.document["problem"]
    assert not out.exists()
    document = json.loads(file.read_text())
    document["chain"] = [msgspec.to_builtins(bad)]
    file.write_text(json.dumps(document))
    assert quorate("committee", "verify", file).code == 1
    for text in ("{}", "[]", "no", '{"genesis": 1}'):
        file.write_text(text)
        assert quorate("committee", "verify", file).code == 2
