"""Canaries through the real endpoints: a sidecar's own asker, five members over TLS of which one
always approves, and the operator's keeper. Only the API server is in memory.
"""

import asyncio
import io
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus import blank, deck_file, quarantine
from quorate.consensus import request as requests
from quorate.consensus.blank import Blank
from quorate.consensus.canary import Canary
from quorate.consensus.deck_file import DeckFile
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import Change
from quorate.consensus.quarantine import EVIDENCE_BYTES, Evidence
from quorate.consensus.request import Request
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from quorate.errors import Unavailable
from quorate.risk.rules import ActionClass, RiskTable, Tool
from quorate.signed_state import PodState
from quorate_consensus.server import POD_EVIDENCE
from quorate_consensus.shedding import WINDOW_SECONDS
from quorate_io import member_api
from quorate_io.asking import LATE_SECONDS, Question
from quorate_io.committee_client import CommitteeClient
from quorate_sidecar.actions.committee import Committee
from quorate_sidecar.canaries.accuser import Accuser
from quorate_sidecar.canaries.asker import CanaryAsker
from quorate_sidecar.canaries.deck import DeckReader
from quorate_sidecar.canaries.progress import ProgressFile
from quorate_sidecar.canaries.shadow import Prove, ShadowAsker
from quorate_sidecar.canaries.witness import Witness
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.settings import PodFacts
from tests.integration.consensus.chain_keeping import ChainKeeping
from tests.integration.consensus.operating import Operating, pod_client
from tests.integration.consensus.test_kept_committee import RealStand
from tests.integration.consensus.weird_committee import AUDIENCE, TOOLS, WeirdCommittee, made
from tests.integration.consensus.weird_member import Weird
from tests.unit.sidecar.world import state

HONEST = ("1", "2", "3", "4")
LIAR = "5"
OF_EACH = 16
TURNS_MAX = 2 * OF_EACH


class Serving:
    """The standing of a pod that may serve."""

    def __init__(self, cluster: WeirdCommittee) -> None:
        principal = cluster.principal()
        tools = tuple(Tool(name, "tools", ActionClass(kind)) for name, kind in TOOLS.items())
        self.state: PodState = state(
            manifest_digest=principal.manifest_digest,
            policy_digests=principal.policy_digests,
            rules={"risk": (RiskTable(platform=True, tools=tools),)},
        )

    def refusal(self) -> None:
        """None."""


def unproven(member: str, ask: bytes) -> bytes:
    """This pod has no receipt."""
    raise Unavailable(f"no receipt for {member}")


class Sidecar:
    """The part of a sidecar that looks for liars, with a deck in a volume of its pod."""

    def __init__(
        self,
        cluster: WeirdCommittee,
        client: CommitteeClient,
        deck: DeckFile,
        prove: Prove = unproven,
    ) -> None:
        volume = cluster.folder / "volume"
        volume.mkdir()
        (volume / "deck").write_bytes(deck_file.encode(deck))
        self.metrics = Metrics(CollectorRegistry())
        self.accused: list[tuple[str, Evidence]] = []
        self.accuser = Accuser(client, lambda: self.committee.epoch, self.metrics, time.monotonic)
        witness = Witness(self.accuse)
        self.time = 0.0
        self.shadow = ShadowAsker(client, prove, self.metrics, lambda: self.time)
        self.committee = Committee(client, AUDIENCE, self.metrics, witness=witness)
        self.asker = CanaryAsker(
            PodFacts("chat-0", "team-a", "pod-uid-1", "demo", ("127.0.0.1",)),
            cast(Any, Serving(cluster)),
            self.committee,
            witness,
            self.accuse,
            DeckReader(volume / "deck"),
            ProgressFile(cluster.folder),
            self.metrics,
            self.shadow,
            random.Random(11),
        )

    def accuse(self, member: str, evidence: Evidence) -> None:
        """Note it, and bring it to the members."""
        self.accused.append((member, evidence))
        self.accuser.accuse(member, evidence)

    def answers(self) -> Counter[tuple[str, str]]:
        """How often each member answered how."""
        found: Counter[tuple[str, str]] = Counter()
        counts = self.metrics._counts["quorate_sidecar_canary_answers_total"]
        for (member, _, answer), count in counts.items():
            found[member, answer] += int(count)
        return found


@asynccontextmanager
async def looking(
    cluster: WeirdCommittee,
    client: CommitteeClient,
    deck: DeckFile,
    prove: Prove = unproven,
) -> AsyncIterator[Sidecar]:
    """A sidecar that knows the newest epoch; it asks nobody any more when the block ends."""
    sidecar = Sidecar(cluster, client, deck, prove)
    try:
        await sidecar.committee.look(newer=True)
        yield sidecar
    finally:
        await sidecar.committee.close()


def canary(number: int, right: Verdict, request: Request) -> Canary:
    """What of a request no pod has to do with."""
    data = blank.encode(
        Blank(1, request.tool, request.arguments, request.conversation, 0, request.risk)
    )
    stratum = "mail" if request.tool else "chat"
    return Canary(number.to_bytes(16, "big"), right, stratum, Tier.STRICT, data)


def deck_of(cluster: WeirdCommittee, of_each: int = OF_EACH) -> DeckFile:
    """Requests that honest members deny, and such that they approve."""
    unsafe = [canary(n, Verdict.DENY, cluster.harmful(f"canary {n}")) for n in range(of_each)]
    safe = [
        canary(1_000 + n, Verdict.APPROVE, cluster.harmless(f"canary {n}")) for n in range(of_each)
    ]
    return DeckFile(1, 10, (*unsafe, *safe))


@asynccontextmanager
async def committed(
    cluster: WeirdCommittee, deck: DeckFile, told: Sequence[str] = ()
) -> AsyncIterator[ChainKeeping]:
    """Five members run in an epoch that commits to the deck. All of them, or those ``told``, know
    what the cluster holds."""
    keeping = ChainKeeping(cluster)
    with cluster.all_up():
        for name in told or cluster.names:
            await cluster.observe(name)
        record = keeping.committee.next_record(Change.CANARIES, canaries=deck.deck.root)
        certified = await keeping.certify(record, *HONEST)
        await keeping.show(certified, *cluster.names)
        yield keeping


async def until_accused(sidecar: Sidecar) -> int:
    """Ask until somebody is accused; how many unsafe canaries that took."""
    for _ in range(TURNS_MAX):
        await sidecar.asker.turn()
        if sidecar.accused:
            progress = ProgressFile(sidecar.asker._file._path.parent).load()
            assert progress is not None
            return progress.unsafe
    raise AssertionError(f"nobody is accused: {sidecar.answers()}")


@pytest.mark.requirement("committee: canaries in a running cluster quarantine who always approves")
async def test_who_always_approves_is_quarantined_and_nobody_else(tmp_path: Path) -> None:
    """Within ten unsafe canaries it is accused, members keep the evidence, and the operator makes
    it the next epoch by itself. No honest member is accused, before or after."""
    cluster = made(tmp_path)
    cluster.be(Weird.ALWAYS_YES)
    deck = deck_of(cluster)
    async with (
        committed(cluster, deck) as keeping,
        pod_client(cluster) as client,
        Operating(cluster) as operator,
        looking(cluster, client, deck) as sidecar,
    ):
        assert await until_accused(sidecar) <= 10
        ((member, evidence),) = sidecar.accused
        assert member == LIAR
        assert isinstance(evidence, Failures)
        await hostile(cluster, evidence)
        await sidecar.accuser.say()

        await operator.client.history()
        stand = RealStand(keeping, operator.client)
        await stand.look(2)
        head = stand.world.history.head
        assert set(head.members) - head.counted == {LIAR}, stand.status.proposals
        assert head.record.thresholds == cluster.genesis.record.thresholds
        keeping.committee.open(head.record)
        await keeping.everywhere(*HONEST)

        await sidecar.committee.look(newer=True)
        await sidecar.accuser.say()
        for _ in range(6):
            await sidecar.asker.turn()
        assert [member for member, _ in sidecar.accused] == [LIAR]
        wrong = {member for (member, answer) in sidecar.answers() if answer == "wrong"}
        assert wrong <= {LIAR}, sidecar.answers()


@pytest.mark.requirement("committee: whoever hears two ballots that contradict each other accuses")
async def test_who_says_two_things_is_quarantined_by_its_own_signatures(tmp_path: Path) -> None:
    """A sidecar asks the same twice, as clients do, and the fifth forgets what it said: the pair
    goes to the members and becomes the next epoch. No deck is needed for it."""
    cluster = made(tmp_path)
    async with (
        committed(cluster, deck_of(cluster)) as keeping,
        pod_client(cluster) as client,
        Operating(cluster) as operator,
        looking(cluster, client, deck_of(cluster)) as sidecar,
    ):
        question = Question(Tier.STRICT, requests.encode(cluster.harmless("again")), 1.0)
        for _ in range(3):
            await sidecar.committee.ask(question)
        await asyncio.sleep(LATE_SECONDS)
        assert sidecar.accused == []

        cluster.be(Weird.FLIP_FLOP)
        question = Question(Tier.STRICT, requests.encode(cluster.harmless("once more")), 1.0)
        for _ in range(4):
            await sidecar.committee.ask(question)
            await asyncio.sleep(LATE_SECONDS)
        assert {member for member, _ in sidecar.accused} == {LIAR}
        await sidecar.accuser.say()
        await operator.client.history()
        stand = RealStand(keeping, operator.client)
        await stand.look(2)
        head = stand.world.history.head
        assert set(head.members) - head.counted == {LIAR}, stand.status.proposals
        assert head.record.reason == f"{LIAR}: equivocation"


async def hostile(cluster: WeirdCommittee, evidence: Failures) -> None:
    """Who frames, cuts or floods gets nowhere, and needs a pod's token even for that."""
    good = quarantine.encode(evidence)
    framed = [
        quarantine.encode(Failures(name, evidence.right, evidence.results)) for name in HONEST
    ]
    expected = [(403, one) for one in framed]
    expected += [(400, good[:-1]), (400, b"x"), (413, bytes(EVIDENCE_BYTES + 1))]
    for status, body in expected:
        assert await shown(cluster, body) == status
        # Only so many of one pod are looked at in a window.
        await asyncio.sleep(WINDOW_SECONDS / POD_EVIDENCE)
    assert await shown(cluster, good, who="") == 401
    assert (await kept(cluster, "pod"))[0] == 403
    status, answer = await kept(cluster, "operator")
    found = member_api.decode(
        answer, member_api.EvidenceAnswer, bytes_max=member_api.EVIDENCE_ANSWER_BYTES, what="e"
    )
    assert (status, found.evidence) == (200, b"")


async def kept(cluster: WeirdCommittee, who: str) -> tuple[int, bytes]:
    """What a member answers to whoever asks what it keeps."""
    async with (
        cluster.session_to(who, "1") as session,
        session.get(member_api.EVIDENCE_PATH) as answer,
    ):
        return answer.status, await answer.read()


async def shown(cluster: WeirdCommittee, body: bytes, who: str = "pod") -> int:
    """The status that a member answers evidence with."""
    headers = {"Content-Type": member_api.EVIDENCE_TYPE}
    async with (
        cluster.session_to(who, "1") as session,
        session.post(member_api.EVIDENCE_PATH, data=io.BytesIO(body), headers=headers) as answer,
    ):
        await answer.read()
        return answer.status
