"""What people do on the command line, at five member processes: freeze, propose, sign, recover."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from quorate.consensus import draft as drafts
from quorate.consensus.draft import Draft
from quorate.consensus.epoch import Admins, Epoch
from quorate.genesis import first_epoch
from quorate_cli.__main__ import main
from quorate_io import member_api, tls
from quorate_io.member_api import EpochsRequest, Proposal
from tests.integration.consensus.member_process import Cluster

PEOPLE = ("ann", "ben", "cem")
Run = Callable[..., tuple[int, Any]]


@dataclass
class Administered(Cluster):
    """A committee of five, with three administrators of whom two must sign."""

    n: int = 5

    @property
    def genesis(self) -> Epoch:
        """As the base's, with the people whose keys are in the folder."""
        record = super().genesis.record
        keys = tuple((self.folder / f"{name}.pub").read_text() for name in PEOPLE)
        return first_epoch(record.cluster_id, record.seats, record.thresholds, Admins(keys, 2))

    @contextlib.contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """These members, each with a directory for its epochs."""
        with contextlib.ExitStack() as stack:
            for name in names:
                options = ("--epochs", str(self.folder / f"{name}-epochs"))
                stack.enter_context(self.member(*options, name=name))
            yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command line in this process: its exit code, and the document it prints."""

    def ran(*words: object) -> tuple[int, Any]:
        code = main([*map(str, words), "--output", "json"])
        return code, json.loads(capsys.readouterr().out)

    for name in PEOPLE:
        assert ran("keygen", "--out", tmp_path / name)[0] == 0
    assert ran("keygen", "--member", "--out", tmp_path / "new")[0] == 0
    return ran


@pytest.fixture
def cluster(run: Run, tmp_path: Path) -> Administered:
    """Its keys are those that keygen made."""
    return Administered(tmp_path)


def reached(cluster: Administered) -> tuple[object, ...]:
    """The flags that say where the members are, and which genesis pins them."""
    return ("--genesis", cluster.folder / "genesis.json", "--member-url", cluster.template)


async def proposed(cluster: Administered, draft: Draft) -> tuple[int, str]:
    """What the first member says to a proposal of somebody without a token."""
    proposal = Proposal(record=draft.record, admins=draft.admins)
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
    async with (
        aiohttp.ClientSession(cluster.url, connector=connector) as session,
        session.post(
            member_api.EPOCHS_PATH,
            data=member_api.encode(EpochsRequest(propose=proposal)),
            headers={"Content-Type": "application/json"},
        ) as response,
    ):
        return response.status, (await response.json())["reason"]


@pytest.mark.requirement("kubectl quorate freeze|unfreeze: one admin sets it, k release it")
@pytest.mark.requirement("people sign epoch records offline; members certify and open them")
def test_people_freeze_and_unfreeze_and_rotate(cluster: Administered, run: Run) -> None:
    """One key freezes at all five; two end it, with the members; and give a member another key."""
    folder, at = cluster.folder, reached(cluster)
    draft, chain = folder / "unfreeze.json", folder / "chain.json"
    ann, ben = folder / "ann.key", folder / "ben.key"
    with cluster.running(*cluster.names):
        code, said = run("committee", "status", *at)
        assert (code, said["epoch"]["number"]) == (0, 0)
        assert [one["agrees"] and one["answers"] for one in said["members"]] == [True] * 5
        assert [(one["needed"], one["spare"]) for one in said["tiers"]] == [(3, 2), (4, 1)]

        stop = ("freeze", "--scope", "tenant", "--name", "team-a", "--reason", "7")
        code, said = run(*stop, "--expires", "2h", "--key", folder / "new.key", *at)
        assert (code, said["error"]["field"]) == (2, "--key")
        code, frozen = run(*stop, "--expires", "2h", "--key", ann, *at)
        assert (code, frozen["taken"]) == (0, ["1", "2", "3", "4", "5"]), frozen
        _, said = run("freeze", "list", *at)
        assert [(one["id"], len(one["members"])) for one in said["freezes"]] == [(frozen["id"], 5)]

        end = ("unfreeze", "--id", frozen["id"], "--reason", "mended", "--out", draft)
        code, said = run(*end, "--key", ann, *at)
        assert (code, said["changes"]) == (0, [f"freeze {frozen['id']} ends"])
        code, said = run("committee", "apply", draft, *at)
        assert (code, said["error"]["message"]) == (1, "1 of 2 administrators signed it")
        assert asyncio.run(proposed(cluster, drafts.parse(draft.read_bytes()))) == (
            401,
            "Unauthenticated",
        )
        assert run("committee", "sign", draft, "--key", ann)[0] == 2
        assert run("committee", "sign", draft, "--key", ben)[0] == 0
        code, said = run("committee", "apply", draft, *at)
        assert (code, said["number"], len(said["signed"])) == (0, 1, 5), said
        assert run("freeze", "list", *at) == (0, {"freezes": [], "problems": []})

        assert run("committee", "verify", "--out", chain, *at)[0] == 0
        rotate = folder / "rotate.json"
        code, _ = run(
            *("committee", "rotate", "--member", "5", "--new-key", folder / "new.pub"),
            *("--reason", "yearly", "--chain", chain, "--out", rotate, "--key", ben),
        )
        assert code == 0
        assert run("committee", "sign", rotate, "--key", folder / "cem.key")[0] == 0
        code, said = run("committee", "apply", rotate, *at)
        assert (code, said["number"], said["opened"]) == (0, 2, ["1", "2", "3", "4", "5"]), said
        # Again: it is there, and nobody minds.
        assert run("committee", "apply", rotate, *at)[0] == 0
        assert run("committee", "apply", draft, *at)[0] == 2

        code, said = run("committee", "status", *at)
        (fifth,) = (one for one in said["members"] if one["name"] == "5")
        assert (code, said["epoch"]["number"], fifth["answers"]) == (3, 2, False)
        assert said["tiers"][1]["spare"] == 0

        code, said = run("committee", "verify", "--out", chain, *at)
        assert (code, [one["change"] for one in said["epochs"]]) == (0, ["Release", "Membership"])
        assert [len(one["administrators"]) for one in said["epochs"]] == [2, 2]
    pin = ("--genesis-digest", cluster.genesis.digest_text)
    assert run("committee", "verify", chain, *pin)[0] == 0
    assert run("committee", "verify", chain, "--genesis-digest", f"sha256:{'0' * 64}")[0] == 1


@pytest.mark.requirement("recovery by a k-of-m admin key (kubectl quorate committee recover)")
def test_people_move_on_a_committee_that_cannot(cluster: Administered, run: Run) -> None:
    """With two of five down nothing is certified; the administrators alone put others in."""
    folder, at = cluster.folder, reached(cluster)
    draft, recover = folder / "rotate.json", folder / "recover.json"
    with cluster.running("1", "2", "3"):
        code, said = run("committee", "status", *at)
        assert (code, said["tiers"][1]["spare"]) == (3, -1)
        new = ("--new-key", folder / "new.pub", "--reason", "r")
        assert run("committee", "rotate", "--member", "4", *new, "--out", draft, *at)[0] == 0
        for name in ("ann", "ben"):
            assert run("committee", "sign", draft, "--key", folder / f"{name}.key")[0] == 0
        code, said = run("committee", "apply", draft, *at)
        assert (code, said["certified"], said["signed"]) == (1, False, ["1", "2", "3"])

        few = ("--remove", "4", "--remove", "5", "--reason", "two nodes lost", "--r", "0")
        made = ("committee", "recover", *few, "--fast", "2", "--out", recover, *at)
        code, said = run(*made, "--strict", "1")
        assert code == 2
        assert run(*made, "--strict", "3")[0] == 0
        assert run("committee", "apply", recover, *at)[0] == 1
        for name in ("ann", "cem"):
            assert run("committee", "sign", recover, "--key", folder / f"{name}.key")[0] == 0
        code, said = run("committee", "apply", recover, *at)
        assert (code, said["number"], said["opened"]) == (0, 1, ["1", "2", "3"]), said
        code, said = run("committee", "status", *at)
        assert (code, len(said["members"]), said["tiers"][1]["spare"]) == (0, 3, 0)
