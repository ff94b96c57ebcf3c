"""Five real members with five sets of judges, asked by a sidecar's client over TLS."""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from quorate.consensus import approval, wire
from quorate.consensus import request as requests
from quorate.consensus.approval import Subject
from quorate.consensus.ask import Cause, Decision, Heard, Outcome, Refused
from quorate.consensus.keys import KeySignatures
from quorate.consensus.thresholds import Tier
from quorate_io.asking import Asker, Question
from quorate_io.committee_client import CommitteeClient
from tests.fakes.asking import user
from tests.integration.consensus.test_asks import HARMLESS, SENT
from tests.integration.consensus.voting_cluster import VotingCluster

AUDIENCE = b"a" * wire.DIGEST_BYTES
BUDGET = 8.0


class Watcher:
    """Remembers what the members said."""

    def __init__(self) -> None:
        self.said: list[Heard | Refused] = []

    def heard(self, effect: Heard | Refused) -> None:
        self.said.append(effect)


async def asked(
    asker: Asker, cluster: VotingCluster, tier: Tier, unlike: str, **fields: Any
) -> tuple[bytes, Outcome]:
    """A request and its outcome; on a busy machine, of one that no member was too late for."""
    before = fields.pop("before", ())
    for number in range(20):
        request = requests.encode(cluster.request(user(f"{unlike} {number}"), *before, **fields))
        outcome = await asker.ask(Question(tier, request, BUDGET))
        if not any(late(vote) for vote in outcome.votes):
            return request, outcome
    raise AssertionError("some judges were never in time")


def late(vote: wire.Vote) -> bool:
    """Whether a member's judges were."""
    return wire.decode(vote.ballot.body, wire.Ballot).reasons == (wire.JUDGE_LATE,)


def verified(outcome: Outcome, cluster: VotingCluster, tier: Tier, request: bytes) -> int:
    """How many members' approvals the outcome's certificate holds."""
    assert outcome.certificate is not None
    nonce = wire.decode(outcome.votes[0].ballot.body, wire.Ballot).nonce
    subject = Subject(wire.request_digest(request), tier, nonce, AUDIENCE)
    found = approval.verify(outcome.certificate, cluster.genesis, subject, KeySignatures())
    return len(found.voters)


@pytest.mark.requirement("n=5: one member down changes nothing; with two strict denies at once")
async def test_five_members_decide(tmp_path: Path) -> None:
    """All approve what is harmless, in a certificate that anybody verifies; what a page wants is
    denied; with one member killed both tiers are decided, with two strict is denied at once."""
    cluster = VotingCluster(tmp_path, n=5)
    for name in cluster.names:
        assert cluster.init(name=name).returncode == 0
    async with AsyncExitStack() as stack:
        processes = {
            name: stack.enter_context(cluster.member(*cluster.voting(name=name), name=name))
            for name in cluster.names
        }
        for name in cluster.names:
            await cluster.observe(name)
        client = await stack.enter_async_context(
            CommitteeClient(
                cluster.template,
                cluster.names,
                cluster.genesis.digest_text,
                cluster.folder / "pod.token",
            )
        )
        epoch = (await client.history()).head
        asker = Asker(
            epoch, client.channels(epoch), AUDIENCE, KeySignatures(), Watcher(), time.monotonic
        )

        _, outcome = await asked(asker, cluster, Tier.STRICT, "What does it say?", **SENT)
        assert outcome.decision is not Decision.APPROVE
        for down, tier, decision in (
            ((), Tier.STRICT, Decision.APPROVE),
            (("5",), Tier.STRICT, Decision.APPROVE),
            (("4", "5"), Tier.FAST, Decision.APPROVE),
            (("4", "5"), Tier.STRICT, Decision.DENY),
        ):
            for name in down:
                processes[name].kill()
                processes[name].wait()
            begin = time.monotonic()
            question = f"{HARMLESS} {tier} {len(down)}"
            request, outcome = await asked(asker, cluster, tier, question)
            assert outcome.decision is decision, (down, tier, outcome.cause)
            if decision is Decision.APPROVE:
                needed = cluster.genesis.record.thresholds.needed(tier)
                assert verified(outcome, cluster, tier, request) >= needed
            else:
                assert outcome.cause is Cause.NO_QUORUM
                assert time.monotonic() - begin < BUDGET
