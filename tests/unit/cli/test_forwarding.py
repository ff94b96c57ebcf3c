"""Without --member-url kubectl forwards the members' ports, for as long as the command runs."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from quorate.genesis import encode
from quorate_cli.committee import forwarding
from tests.fakes.member_server import GENESIS, FakeMember
from tests.unit.cli.conftest import Quorate

SEAT = GENESIS.record.seats[0].name


@pytest.fixture
def pinned(tmp_path: Path) -> tuple[object, ...]:
    """The flags that pin the genesis."""
    (tmp_path / "genesis.json").write_bytes(encode(GENESIS))
    return ("--genesis", tmp_path / "genesis.json", "--output", "json")


def kubectl(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """A kubectl that notes its words and its process, and then does as these lines say."""
    script = folder / "bin" / "kubectl"
    script.parent.mkdir()
    note = f'echo "$$ $@" > {folder}/ran'
    script.write_text("\n".join(["#!/bin/sh", note, *lines, ""]))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")


async def test_a_port_is_forwarded_and_given_up(
    quorate: Quorate, tmp_path: Path, pinned: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl is told which cluster; the member answers through it; afterwards it has ended."""
    member = FakeMember(name=SEAT)
    async with member.serving() as url:
        line = f"Forwarding from 127.0.0.1:{url.rpartition(':')[2]} -> 8443"
        kubectl(tmp_path, monkeypatch, "sleep 0.2", f"echo '{line}'", "exec sleep 60")
        words = ("committee", "status", *pinned, "--context", "staging")
        ran = await asyncio.to_thread(quorate, *words)
    assert (ran.code, ran.document["members"][0]["answers"]) == (0, True), ran.out
    assert member.tokens == []
    process, *said = (tmp_path / "ran").read_text().split()
    assert said == [
        *("--context=staging", "port-forward", "-n", "quorate-system"),
        *(f"service/quorate-{SEAT}", ":8443", "--address", "127.0.0.1"),
    ]
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


@pytest.mark.parametrize(
    "lines", [["exit 1"], ["echo nonsense", "exec sleep 60"], ["exec sleep 60"]]
)
def test_a_port_that_cannot_be_forwarded_is_a_member_that_does_not_answer(
    quorate: Quorate,
    tmp_path: Path,
    pinned: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
) -> None:
    """It ends in time, whatever kubectl does."""
    monkeypatch.setattr(forwarding, "SECONDS", 0.5)
    kubectl(tmp_path, monkeypatch, *lines)
    ran = quorate("committee", "status", *pinned)
    assert ran.code == 3
    assert SEAT in json.loads(ran.out)["error"]["message"]


def test_without_kubectl_one_has_to_say_where_they_are(
    quorate: Quorate, tmp_path: Path, pinned: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = quorate("committee", "status", *pinned)
    assert (ran.code, "--member-url" in ran.document["error"]["fix"]) == (3, True)
