"""A cluster whose real members vote: seats with real judges, stores, and asks over TLS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from quorate.consensus import judge_sets, signing, wire
from quorate.consensus import request as requests
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.request import Band, Message, Principal, Request, Risk
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Vote
from quorate.genesis import first_epoch
from quorate.names import MEMBER_MARK
from quorate_consensus.relay import read_policy
from quorate_io import member_api, tls
from tests.fakes import vouching
from tests.fakes.asking import user
from tests.integration.consensus.member_process import FIRST, Cluster, own

LEFT_MS = 8_000


@dataclass
class VotingCluster(Cluster):
    """Members that vote: one by all judges of the release, several by a set of their own each."""

    @property
    def genesis(self) -> Epoch:
        """As the base's, with the judges that the members have."""
        record = super().genesis.record
        seats = tuple(
            msgspec.structs.replace(seat, judges=judge_sets.digest_of_set(self.set_of(seat.name)))
            for seat in record.seats
        )
        return first_epoch(record.cluster_id, seats, record.thresholds, record.admins)

    def set_of(self, name: str) -> str:
        """The judges of a member, as the chart's presets say."""
        several = [one for one in judge_sets.shipped().sets if one != judge_sets.ALL]
        place = int(name) - 1
        return several[place] if self.n > 1 and place < len(several) else judge_sets.ALL

    def store(self, name: str = FIRST) -> Path:
        """Where a member keeps its votes."""
        return self.folder / f"{name}-votes"

    def voting(self, *extra: str, name: str = FIRST) -> list[str]:
        """The options of a member that votes, and knows where others are."""
        others = ("--member-url", self.template) if self.n > 1 else ()
        epochs = str(self.folder / f"{name}-epochs")
        judges = self.set_of(name)
        store = str(self.store(name))
        return ["--store", store, "--epochs", epochs, "--judges", judges, *others, *extra]

    def init(self, *extra: str, name: str = FIRST) -> "subprocess.CompletedProcess[str]":
        """Make a member's store."""
        folder = self.folder
        command = [sys.executable, "-P", "-m", "quorate_consensus", "init"]
        files = ["--genesis", str(folder / "genesis.json")]
        files += ["--key", str(folder / own(name, "key.pem")), "--store", str(self.store(name))]
        whole = [*command, *files, *extra]
        return subprocess.run(whole, capture_output=True, text=True, check=False, env=os.environ)

    @contextmanager
    def voters(self, *names: str) -> Iterator[None]:
        """Run these members, each as its own process."""
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(self.member(*self.voting(name=name), name=name))
            yield

    @contextmanager
    def killed(self, *extra: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the member; it was killed when the block ends."""
        with self.member(*extra) as process:
            yield process
            process.kill()
            process.wait()

    def principal(self) -> Principal:
        """Who the pod is."""
        digest = read_policy(self.floor()).digest
        manifest = vouching.model_files().digest
        return Principal("team-a", "chat-0", "demo", manifest, (digest,))

    def request(self, *conversation: Message, **fields: Any) -> Request:
        """What the pod may ask about itself."""
        whole: dict[str, Any] = {
            "version": 1,
            "principal": self.principal(),
            "capability": "chat",
            "tool": "",
            "action_class": "answer",
            "arguments": {},
            "conversation": conversation,
            "omitted": 0,
            "risk": Risk(400, Band.MEDIUM),
        }
        return Request(**(whole | fields))

    def ask(self, request: Request, tier: Tier = Tier.STRICT, **fields: Any) -> bytes:
        """An ask about ``request``."""
        whole: dict[str, Any] = {
            "version": wire.VERSION,
            "tier": tier,
            "epoch": self.genesis.digest,
            "nonce": os.urandom(wire.NONCE_BYTES),
            "audience": bytes(wire.DIGEST_BYTES),
            "left_ms": LEFT_MS,
            "request": requests.encode(request),
        }
        return wire.encode(Ask(**(whole | fields)))

    def ballot(self, answer: Vote | Abstention, epoch: Epoch | None = None) -> Ballot:
        """The ballot of a vote that verifies."""
        assert isinstance(answer, Vote), answer
        ballot, _ = signing.verify_vote(answer, epoch or self.genesis, KeySignatures())
        return ballot

    def url_of(self, name: str) -> str:
        """Where a member serves."""
        return self.template.replace(MEMBER_MARK, name)

    def session_to(self, who: str = "pod", name: str = FIRST) -> aiohttp.ClientSession:
        """A session of a caller, ``pod``, ``operator`` or nobody (empty), with a member."""
        headers = {}
        if who:
            token = (self.folder / f"{who}.token").read_text()
            headers["Authorization"] = f"Bearer {token}"
        connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
        return aiohttp.ClientSession(self.url_of(name), connector=connector, headers=headers)

    async def observe(self, name: str = FIRST) -> None:
        """Tell a member what the cluster holds."""
        async with (
            self.session_to("operator", name) as session,
            session.post(
                member_api.OBSERVED_PATH,
                data=member_api.encode(self.session()),
                headers={"Content-Type": "application/json"},
            ) as response,
        ):
            assert response.status == 200, await response.text()


async def vote(session: aiohttp.ClientSession, ask: bytes) -> Vote | Abstention:
    """What the member answers."""
    headers = {"Content-Type": member_api.ASKS_TYPE}
    async with session.post(member_api.ASKS_PATH, data=ask, headers=headers) as response:
        body = await response.read()
        assert response.status == 200, body
        assert response.content_type == member_api.ASKS_TYPE
        return wire.decode_answer(body)


async def judged(
    session: aiohttp.ClientSession, cluster: VotingCluster, *, unlike: str, **fields: Any
) -> tuple[Request, Ballot]:
    """A request that the member's judges were in time for, and its ballot.

    A verdict stays, also one for want of time, so on a busy machine another question is asked:
    ``unlike`` with a number.
    """
    for number in range(20):
        before = fields.get("before", ())
        rest = {name: value for name, value in fields.items() if name != "before"}
        request = cluster.request(user(f"{unlike} {number}"), *before, **rest)
        ballot = cluster.ballot(await vote(session, cluster.ask(request)))
        if ballot.reasons != (wire.JUDGE_LATE,):
            return request, ballot
    raise AssertionError("the judges were never in time")
