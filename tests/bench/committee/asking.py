"""Sidecars' side of the committee: an asker for each pod, and no question asked twice."""

import itertools
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.approval import Subject
from quorate.consensus.ask import Heard, Refused
from quorate.consensus.keys import KeySignatures
from quorate.consensus.thresholds import Tier
from quorate.risk.route import FAST_MS, STRICT_MS
from quorate_io import resident
from quorate_io.asking import Asker, Question
from quorate_io.committee_client import CommitteeClient
from tests.bench.committee.members import BenchCommittee
from tests.fakes.asking import user

BUDGETS = {Tier.FAST: FAST_MS / 1000, Tier.STRICT: STRICT_MS / 1000}
"""How long a sidecar waits, in seconds."""
AUDIENCE = b"a" * wire.DIGEST_BYTES
TEXT = (
    "My garden faces north, and a tall hedge keeps the sun away until noon. I would like to grow "
    "something for the kitchen there: which herbs do well in the shade, how much water do they "
    "need in a dry summer, and when should I cut them back so that they come again next year? "
    "Please answer in a short list, with the plant's name first. My plot has the number {}."
)
"""What is asked, some 400 bytes: a member remembers what it said of a question."""


class Deaf:
    """Listens to no member: the outcomes are what is counted."""

    def heard(self, effect: Heard | Refused) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Sample:
    """A certificate, and what it is about."""

    certificate: bytes
    subject: Subject


class Sidecars:
    """The askers of all pods, each over connections of its own."""

    def __init__(self, committee: BenchCommittee) -> None:
        self.samples: dict[Tier, Sample] = {}
        """Of the last asks that were approved."""
        self._committee = committee
        self._askers: list[Asker] = []
        self._stack = AsyncExitStack()
        self._numbers = itertools.count()
        request = committee.request()
        self._requests = [
            msgspec.structs.replace(
                request, principal=msgspec.structs.replace(request.principal, workload=pod.name)
            )
            for pod in committee.pods()
        ]

    async def __aenter__(self) -> Self:
        committee = self._committee
        for pod in committee.pods():
            token = committee.folder / f"{pod.name}.token"
            client = CommitteeClient(
                committee.template, committee.names, committee.genesis.digest_text, token
            )
            await self._stack.enter_async_context(client)
            epoch = (await client.history()).head
            channels = client.channels(epoch)
            signatures = KeySignatures()
            asker = Asker(epoch, channels, AUDIENCE, signatures, Deaf(), time.monotonic)
            self._stack.push_async_callback(asker.close)
            self._askers.append(asker)
        resident.settle()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def ask(self, tier: Tier, *, approved: bool) -> bool:
        """A harmless question that nobody asked before, by the next pod; whether it was approved,
        or was not, as it must be."""
        number = next(self._numbers)
        pod = number % len(self._askers)
        conversation = (user(TEXT.format(number)),)
        request = msgspec.structs.replace(self._requests[pod], conversation=conversation)
        encoded = requests.encode(request)
        asked = await self._askers[pod].put(Question(tier, encoded, BUDGETS[tier]))
        certificate = asked.outcome.certificate
        if certificate is not None:
            subject = Subject(wire.request_digest(encoded), tier, asked.nonce, AUDIENCE)
            self.samples[tier] = Sample(certificate, subject)
        return (certificate is not None) is approved
