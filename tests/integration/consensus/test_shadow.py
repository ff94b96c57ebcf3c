"""A member under quarantine, as a process among five: asked canaries in shadow over its own route,
and back by 200 clean ones, a new key, and people. Only the API server is missing.
"""

import asyncio
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate import names, shadow
from quorate.certificate import PolicyRef
from quorate.consensus import blank, clean_run, quarantine, wire
from quorate.consensus import draft as drafts
from quorate.consensus.detector import Result
from quorate.consensus.epoch import Change
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.keys import KeySignatures
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Verdict
from quorate.evidence import dsse
from quorate.receipt import ReceiptPolicy
from quorate.statements import encode
from quorate_cli.__main__ import main
from quorate_consensus.shadow_asks import ASKS_PER_WINDOW
from quorate_consensus.shedding import WINDOW_SECONDS
from quorate_io import member_api
from quorate_io.committee_client import CommitteeClient
from quorate_sidecar.canaries.deck import DeckReader
from quorate_sidecar.canaries.shadow import SHOW_SECONDS, Counted
from tests.fakes import receipts
from tests.integration.consensus.chain_keeping import ChainKeeping
from tests.integration.consensus.operating import now
from tests.integration.consensus.test_canaries import (
    HONEST,
    LIAR,
    Serving,
    Sidecar,
    committed,
    deck_of,
    looking,
)
from tests.integration.consensus.weird_committee import WeirdCommittee, made

SIGNATURES = KeySignatures()
OF_EACH = 400
"""Many more than are needed: on a busy machine a judge is late now and then."""
PAUSE = 1.1 * WINDOW_SECONDS / ASKS_PER_WINDOW
SESSION = receipts.session_key()


def receipt(keeping: ChainKeeping, cluster: WeirdCommittee) -> bytes:
    """Of the pod, by as many as must sign."""
    principal = cluster.principal()
    (digest,) = principal.policy_digests
    policy = PolicyRef("ClusterSafetyPolicy", None, "floor")
    statement = receipts.receipt_statement(
        SESSION,
        now(),
        cluster_id=cluster.genesis.cluster_id,
        epoch=keeping.committee.epoch.digest_text,
        manifest_digest=principal.manifest_digest,
        policies=(ReceiptPolicy(policy, digest, f"sha256:{'8' * 64}"),),
        expires_at=now() + timedelta(minutes=10),
    )
    keys = [keeping.committee.parties[name].identity for name in (*HONEST[:3], LIAR)]
    return dsse.sign(encode(statement), names.RECEIPT_TYPE, keys)


async def convict(keeping: ChainKeeping) -> None:
    """The fifth said two things; everybody knows, it too."""
    committee = keeping.committee
    votes = (
        committee.vote(LIAR, Verdict.DENY),
        committee.vote(LIAR, Verdict.APPROVE, sequence=2),
    )
    evidence = Equivocation(votes)
    record = quarantine.propose(committee.epoch, evidence, SIGNATURES)
    data = quarantine.encode(evidence)
    certified = await keeping.certify(record, *HONEST, evidence=data, admins=0)
    await keeping.show(certified, *HONEST, LIAR)


async def until_clean(sidecar: Sidecar, cluster: WeirdCommittee) -> None:
    """Put canaries to the fifth alone, until 200 are clean."""
    loaded = DeckReader(cluster.folder / "volume" / "deck").read()
    epoch = sidecar.committee.epoch
    assert epoch is not None
    for step in range(6, OF_EACH):
        for index in (step, OF_EACH + step):
            turn = sidecar.asker._turn(loaded, index, Serving(cluster).state)
            request = blank.fill(turn.canary.blank, turn.asked_as)
            result = Result(loaded.deck.reveal(index), turn.asked_as, ())
            subject = turn.canary.subject(request)
            # No faster than a member lets one pod ask.
            pause = asyncio.create_task(asyncio.sleep(PAUSE))
            await sidecar.shadow.ask(Counted(result, epoch, subject, request))
            await pause
        run = sidecar.shadow._clean[LIAR].run(LIAR)
        if run is not None and len(run.results) == 200:
            return
    raise AssertionError(sidecar.metrics._counts["quorate_sidecar_shadow_answers_total"])


async def hostile(cluster: WeirdCommittee, keeping: ChainKeeping, envelope: bytes) -> None:
    """What the fifth is shown is good at no other member, and an honest one answers nothing here,
    though it were asked properly; without a receipt the fifth judges nothing."""
    epoch = keeping.committee.epoch
    ask = Ask(1, Tier.STRICT, epoch.digest, bytes(16), bytes(32), 1_000, b"{}")
    data = wire.encode(ask)
    for member, body, expected in (
        ("1", shadow.sign(LIAR, data, envelope, SESSION), "VoteCounts"),
        ("1", shadow.sign("1", data, envelope, SESSION), "VoteCounts"),
        (LIAR, shadow.sign(LIAR, data, envelope, SESSION), "RequestMalformed"),
        (LIAR, shadow.sign("1", data, envelope, SESSION), 401),
        (LIAR, shadow.sign(LIAR, data, envelope, receipts.session_key()), 401),
    ):
        headers = {"Content-Type": member_api.ASKS_TYPE}
        async with (
            cluster.session_to("", member) as session,
            session.post(member_api.SHADOW_PATH, data=io.BytesIO(body), headers=headers) as answer,
        ):
            found: Any = answer.status
            if found == 200:
                said = wire.decode_answer(await answer.read())
                assert isinstance(said, Abstention)
                found = said.reason
        assert found == expected, (member, expected)


@pytest.mark.requirement("committee: a quarantined member votes in shadow, on canaries alone")
@pytest.mark.requirement("committee: 200 clean canaries stand behind a return")
async def test_who_is_under_quarantine_comes_back_by_clean_canaries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows nothing of the cluster, is shown no token, and answers canaries beside the others.
    With too few `readmit` refuses, and so do members; with 200 each of them signs the return."""
    cluster = made(tmp_path)
    deck = deck_of(cluster, OF_EACH)
    token = cluster.folder / "pod.token"
    pinned = cluster.genesis.digest_text
    async with (
        committed(cluster, deck, told=HONEST) as keeping,
        CommitteeClient(cluster.template, cluster.names, pinned, token, shadow_suffix="") as client,
    ):
        # The liar signed it as well, which counts no more afterwards.
        envelope = receipt(keeping, cluster)
        await convict(keeping)
        await hostile(cluster, keeping, envelope)

        def prove(member: str, ask: bytes) -> bytes:
            return shadow.sign(member, ask, envelope, SESSION)

        async with looking(cluster, client, deck, prove) as sidecar:
            for _ in range(3):
                await sidecar.asker.turn()
            counts = sidecar.metrics._counts["quorate_sidecar_shadow_answers_total"]
            assert sum(counts.values()) == 3
            assert {answer for (_, _, answer) in counts} <= {"right", "none"}
            assert LIAR not in {member for member, _ in sidecar.answers()}
            code, said = await asyncio.to_thread(readmitted, cluster, capsys)
            assert code == 1
            assert "canaries are clean" in said["error"]["message"]

            await until_clean(sidecar, cluster)
            run = sidecar.shadow._clean[LIAR].run(LIAR)
            assert run is not None
            sidecar.time += 2 * SHOW_SECONDS
            await client.show_run(clean_run.encode(run))
        code, said = await asyncio.to_thread(readmitted, cluster, capsys)
        assert code == 0, said
        draft = drafts.parse((cluster.folder / "back.json").read_bytes())

        short = clean_run.encode(msgspec.structs.replace(run, results=run.results[1:]))
        other = msgspec.structs.replace(draft.record, evidence=quarantine.digest_of(short))
        for record, data, why in (
            (other, short, "EvidenceRefuted"),
            (draft.record, b"", "EvidenceRefuted"),
        ):
            declined = (await keeping.ask("1", record, data)).declined
            assert declined is not None
            assert declined.reason == why
        certified = await keeping.certify(draft.record, *HONEST, evidence=draft.evidence)
        await keeping.show(certified, *HONEST)
        assert certified.record.change is Change.READMISSION
        assert keeping.committee.epoch.counted == set(cluster.names)


def readmitted(cluster: WeirdCommittee, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """What the command line makes of what members keep."""
    folder = cluster.folder
    capsys.readouterr()
    if not (folder / "back.pub").exists():
        assert main(["keygen", "--member", "--out", str(folder / "back"), "--output", "json"]) == 0
        capsys.readouterr()
    words = ["committee", "readmit", "--member", LIAR, "--reason", "mended"]
    words += ["--new-key", str(folder / "back.pub"), "--out", str(folder / "back.json")]
    words += ["--genesis", str(folder / "genesis.json"), "--member-url", cluster.template]
    code = main([*words, "--output", "json"])
    return code, json.loads(capsys.readouterr().out)
