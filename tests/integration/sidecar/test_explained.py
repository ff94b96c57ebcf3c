"""explain-decision on the very files that a sidecar wrote, by the committee that it asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quorate.consensus.epoch import Epoch
from quorate_cli.__main__ import main
from quorate_cli.committee import chain_file
from quorate_cli.committee.chain_file import Chain
from quorate_sidecar.audit_writer import AuditWriter, Owner, audit_files
from tests.fakes.committee import DENY, HARD
from tests.integration.sidecar.committee_stand import Nodes
from tests.integration.sidecar.stand import POLICY, Hands, Stand, answers
from tests.integration.sidecar.test_actions import actions, ask, calling, served

Explained = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Explained:
    """Run the command over a pod's files: its exit code, and what it says as JSON."""

    def run(folder: Path, epoch: Epoch, *wanted: str) -> tuple[int, dict[str, Any]]:
        chain = tmp_path / "chain.json"
        if not chain.exists():
            chain_file.save(chain, Chain(epoch))
        files = [str(path) for path in audit_files(folder)]
        pinned = ("--chain", str(chain), "--genesis-digest", epoch.digest_text)
        command = ["committee", "explain-decision", *files, *wanted, *pinned, "--output", "json"]
        code = main(command)
        return code, json.loads(capsys.readouterr().out)

    return run


async def decided(proxy: Stand, found: Nodes) -> list[dict[str, Any]]:
    """Decisions of every kind, as records: alone, by each tier, refused, held."""
    for tools in (("lookup",), ("save",), ("transfer",)):
        proxy.script = answers(calling(*tools))
        assert (await ask(proxy))[0] == 200
    down, one, other = found.nodes[4], found.nodes[0], found.nodes[1]
    one.voter.judgement = HARD
    for node in found.nodes[1:]:
        # The denial is heard before the quorum is there.
        node.seconds = 0.05
    proxy.script = answers(calling("transfer", amount=1))
    assert (await ask(proxy))[1] == "ActionHeld"
    assert down.stop is not None
    await down.stop()
    one.voter.judgement = DENY
    proxy.script = answers(calling("transfer", amount=5))
    assert (await ask(proxy))[1] == "ActionDenied"
    one.voter.judgement, other.voter.judgement = HARD, HARD
    proxy.script = answers(calling("lookup", "transfer"))
    assert (await ask(proxy))[0] == 403
    return actions(proxy)


@pytest.mark.requirement("explain-decision reads the log as a pod writes it")
async def test_every_decision_of_a_sidecars_log_is_explained(
    tmp_path: Path, explained: Explained
) -> None:
    """Each by its exchange's id, with the votes that members signed, and proven by the chain."""
    async with served(tmp_path, "standard") as (proxy, found):
        records = await decided(proxy, found)
        epoch = found.committee.epoch
        assert {one["decidedBy"] for one in records} >= {"sidecar", "fast", "strict"}
        assert {one["decision"] for one in records} == {"approve", "deny", "hold"}
        for record in records:
            same = [one for one in records if one["id"] == record["id"]]
            code, document = explained(proxy.directory, epoch, "--id", record["id"])
            assert (code, document["problem"], document["proven"]) == (0, "", True), document
            assert [one["decision"] for one in document["decisions"]] == [
                one["decision"] for one in same
            ]
            told = document["decisions"][same.index(record)]
            assert told["decidedBy"] == record["decidedBy"]
            assert len(told["votes"]) == record["approvals"] + record["others"]
            assert all(vote["verified"] for vote in told["votes"])
            assert {one["member"] for one in told["silent"]} >= set(record["silent"])
        code, last = explained(proxy.directory, epoch)
        assert (code, len(last["decisions"])) == (0, 1)
        assert last["decisions"][0]["decision"] == records[-1]["decision"]


async def test_a_log_goes_on_after_a_crash_and_is_read_over_its_files(
    tmp_path: Path, explained: Explained
) -> None:
    """Half a line hangs over, as in a copy of a log that is being written, and the next process
    begins a file: what is whole is explained, before and after; a changed line is not."""
    async with served(tmp_path, "standard") as (proxy, found):
        records, epoch = await decided(proxy, found), found.committee.epoch
    (first,) = audit_files(proxy.directory)
    with first.open("ab") as file:
        file.write(b'{"seq":99,"prev":"')
    approved = next(one for one in records if one["decidedBy"] == "strict")
    code, document = explained(proxy.directory, epoch, "--id", approved["id"])
    assert (code, document["problem"], document["proven"]) == (0, "", True)
    writer = AuditWriter(proxy.directory, Owner("team", "pod-0", "uid-0", POLICY), Hands())
    writer.open()
    writer.close()
    assert len(audit_files(proxy.directory)) == 2
    code, document = explained(proxy.directory, epoch, "--id", approved["id"])
    assert (code, document["problem"], document["proven"]) == (0, "", True)
    data = first.read_bytes()
    first.write_bytes(data.replace(b'"decision":"approve"', b'"decision":"deny"', 1))
    code, document = explained(proxy.directory, epoch, "--id", approved["id"])
    assert code == 1
    assert document["problem"]
