"""A cluster whose real members vote: seats with real judges, stores, and asks over TLS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from quorate.consensus import judge_sets, signing, wire
from quorate.consensus import request as requests
from quorate.consensus.epoch import Admins, Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.request import Band, Message, Principal, Request, Risk
from quorate.consensus.thresholds import PRESETS, Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Vote
from quorate.genesis import first_epoch
from quorate.keys import LocalSigner
from quorate_consensus.relay import read_policy
from quorate_io import member_api, tls
from tests.fakes import vouching
from tests.fakes.asking import user
from tests.integration.consensus.member_process import Cluster

LEFT_MS = 8_000
SET = judge_sets.ALL


@dataclass
class VotingCluster(Cluster):
    """One member that votes, by all judges of the release."""

    @property
    def genesis(self) -> Epoch:
        """As the base's, with the judges that the member has."""
        (seat,) = vouching.seats([LocalSigner(self.vote_key)])
        seat = msgspec.structs.replace(seat, judges=judge_sets.digest_of_set(SET))
        admins = Admins((self.admin.public_key.pem,), 1)
        return first_epoch("cluster-1", (seat,), PRESETS["dev"], admins)

    @property
    def store(self) -> Path:
        """Where the member keeps its votes."""
        return self.folder / "votes"

    def voting(self, *extra: str) -> list[str]:
        """The options of a member that votes."""
        epochs = str(self.folder / "epochs")
        return ["--store", str(self.store), "--epochs", epochs, "--judges", SET, *extra]

    def init(self, *extra: str) -> "subprocess.CompletedProcess[str]":
        """Make the member's store."""
        folder = self.folder
        command = [sys.executable, "-P", "-m", "quorate_consensus", "init"]
        files = ["--genesis", str(folder / "genesis.json"), "--key", str(folder / "key.pem")]
        whole = [*command, *files, "--store", str(self.store), *extra]
        return subprocess.run(whole, capture_output=True, text=True, check=False, env=os.environ)

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

    def session_to(self, who: str = "pod") -> aiohttp.ClientSession:
        """A session of a caller: ``pod``, ``operator`` or nobody (empty)."""
        headers = {}
        if who:
            token = (self.folder / f"{who}.token").read_text()
            headers["Authorization"] = f"Bearer {token}"
        connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
        return aiohttp.ClientSession(self.url, connector=connector, headers=headers)

    async def observe(self) -> None:
        """Tell the member what the cluster holds."""
        async with (
            self.session_to("operator") as session,
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
