"""What whoever keeps the chain does with members, by hand: proposes, collects, shows, looks."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import msgspec

from quorate.consensus.epoch import Epoch, EpochRecord, Seat
from quorate.consensus.history import History
from quorate.consensus.succession import CertifiedRecord
from quorate.names import MEMBER_MARK
from quorate_io import member_api, member_trust, tls
from quorate_io.member_api import (
    EpochsRequest,
    EpochTaken,
    EvaluateAnswer,
    EvaluateRequest,
    Proposal,
    ProposeAnswer,
)
from quorate_io.member_trust import Followed
from tests.fakes.ballots import Committee, Party
from tests.fakes.vouching import JUDGES_DIGEST
from tests.integration.consensus.member_process import Cluster, own

JSON = {"Content-Type": "application/json"}


@dataclass
class ChainKeeping:
    """Keeps the chain of a cluster's members, which run as processes."""

    cluster: Cluster
    committee: Committee = field(init=False)
    """Everybody's keys, at the newest epoch."""

    def __post_init__(self) -> None:
        self.committee = Committee()
        self.committee.parties = {name: Party(key) for name, key in self.cluster.keys.items()}
        self.committee.admins = [self.cluster.admin]
        self.committee.epoch = self.cluster.genesis

    def options(self, name: str) -> list[str]:
        """Of a member that keeps its chain, and learns from others."""
        directory = str(self.cluster.folder / f"{name}-epochs")
        return ["--epochs", directory, "--member-url", self.cluster.template]

    def init(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Make a new member's store; it learns from the others who it is."""
        folder = self.cluster.folder
        files = ["--genesis", str(folder / "genesis.json")]
        files += ["--key", str(folder / own(name, "key.pem"))]
        files += ["--store", str(folder / f"{name}-votes")]
        command = [sys.executable, "-P", "-m", "quorate_consensus", "init"]
        whole = [*command, *files, *self.options(name)]
        return subprocess.run(whole, capture_output=True, text=True, check=False, env=os.environ)

    def seat(self, name: str) -> Seat:
        """A new member's."""
        key = self.committee.parties[name].identity.public_key.pem
        return Seat(name, key, f"zone-{name}", JUDGES_DIGEST)

    async def send(self, name: str, request: EpochsRequest, *, token: bool) -> tuple[int, bytes]:
        """What a member answers, with the operator's token or none."""
        headers = dict(JSON)
        if token:
            text = (self.cluster.folder / "operator.token").read_text()
            headers["Authorization"] = f"Bearer {text}"
        data = member_api.encode(request)
        return await self._send(name, member_api.EPOCHS_PATH, data, headers)

    async def _send(
        self, name: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        url = self.cluster.template.replace(MEMBER_MARK, name) + path
        connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
        method = "GET" if data is None else "POST"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, url, data=data, headers=headers) as response,
        ):
            return response.status, await response.read()

    async def ask(
        self, name: str, record: EpochRecord, evidence: bytes = b"", admins: int = 1
    ) -> ProposeAnswer:
        """Ask one member to sign."""
        signed = self.committee.endorse(record, 0, admins).admins
        proposal = Proposal(record=record, admins=signed, evidence=evidence)
        status, body = await self.send(name, EpochsRequest(propose=proposal), token=True)
        assert status == 200, body
        return msgspec.json.decode(body, type=ProposeAnswer)

    async def certify(
        self, record: EpochRecord, *names: str, evidence: bytes = b"", admins: int = 1
    ) -> CertifiedRecord:
        """Have these members sign, all of them."""
        answers = await asyncio.gather(
            *(self.ask(name, record, evidence, admins) for name in names)
        )
        signed = tuple(one.endorsement for one in answers if one.endorsement is not None)
        assert len(signed) == len(names), answers
        by_admins = self.committee.endorse(record, 0, admins).admins
        return CertifiedRecord(record, signed, by_admins)

    async def show(self, certified: CertifiedRecord, *names: str) -> Epoch:
        """Show it to these members, without any token. It is in force from then on."""
        for name in names:
            status, body = await self.send(name, EpochsRequest(certified=certified), token=False)
            assert status == 200, body
            taken = msgspec.json.decode(body, type=EpochTaken)
            assert taken.number == certified.record.number
        return self.committee.open(certified.record)

    async def history(self, name: str) -> History:
        """What a member says of the chain, verified from the genesis on."""
        status, body = await self._send(name, member_api.GENESIS_PATH, None, {})
        assert status == 200, body
        return Followed(self.cluster.genesis.digest_text).follow(member_trust.read(body))

    async def everywhere(self, *names: str, seconds: float = 20.0) -> float:
        """Wait until all of these are in the newest epoch. Returns how long it took."""
        begin = time.monotonic()
        while True:
            found = {name: (await self.history(name)).head for name in names}
            if all(head == self.committee.epoch for head in found.values()):
                return time.monotonic() - begin
            numbers = {name: head.record.number for name, head in found.items()}
            assert time.monotonic() - begin < seconds, numbers
            await asyncio.sleep(0.1)

    async def votes(self, issued_at: datetime, *names: str) -> dict[str, bytes]:
        """Certificates for the cluster's model with one signature each, as of one time."""
        headers = JSON | {
            "Authorization": f"Bearer {(self.cluster.folder / 'operator.token').read_text()}"
        }
        asked = EvaluateRequest(
            policy=self.cluster.floor(), model=self.cluster.session().models[0], issued_at=issued_at
        )
        data, found = member_api.encode(asked), {}
        for name in names:
            status, body = await self._send(name, member_api.EVALUATE_PATH, data, headers)
            assert status == 200, body
            answer: Any = msgspec.json.decode(body, type=EvaluateAnswer)
            assert answer.certificate is not None, answer
            found[name] = answer.certificate.encode()
        return found
