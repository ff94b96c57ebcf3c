"""Asks of sidecars: who may ask, about whom, how much at once; then the member votes.

The token says which pod asks. What a request says of its principal must be what this member knows
of that very pod, or it abstains: a pod can ask about itself only, and judges, freezes and whoever
reads the votes can go by what the request says.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Protocol

from quorate import names
from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.asker import target
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Target
from quorate.consensus.member import Abstain
from quorate.consensus.request import ADMISSION, Request
from quorate.consensus.wire import Abstention, Ask, Ballot
from quorate.errors import QuorateError, Unavailable
from quorate.risk.score import Signals, assess
from quorate.verdict import Verdict
from quorate_consensus import state_content
from quorate_consensus.observed import Observed
from quorate_consensus.relay import Relay
from quorate_consensus.shedding import PodRate, TooManyRequests
from quorate_consensus.state_service import protected_pod
from quorate_consensus.tokens import Caller
from quorate_consensus.voter import NOT_VOTING
from quorate_io.member_api import ObservedPod

ASKS_PER_WINDOW: Final = 600
"""Of one pod, in shedding.WINDOW_SECONDS. A model's answer makes a few calls."""
ASKS_MAX: Final = 512
"""In work at once. More are answered with an abstention, unread."""
ASKS_PER_POD: Final = 32
"""Of these, of one pod: as many as one answer of a model makes calls."""
BODY_SECONDS: Final = 1.0
"""For the body of an ask. Who dribbles it holds a place that others need, and has no time left."""
LATE_SECONDS: Final = 0.5
"""How long after the asker's time an answer is still waited for, and then given up."""

Read = Callable[[], Awaitable[bytes]]


class Declined(StrEnum):
    """Why a member abstains before it judges, beside core's :class:`Abstain`. Stable words."""

    NOT_VOTING = NOT_VOTING
    TOO_MANY = "TooManyAsks"
    LATE = "AnswerLate"
    REQUEST = "RequestMalformed"
    NOT_READY = "ClusterUnknown"
    POD_DENIED = "PodDenied"
    CERTIFY = "CertifyNotAsked"
    NAMESPACE = "OtherNamespace"
    WORKLOAD = "OtherWorkload"
    MODEL = "OtherModel"
    MANIFEST = "OtherManifest"
    POLICIES = "OtherPolicies"
    CAPABILITY = "OtherCapability"
    ACTION_CLASS = "OtherActionClass"


class Votes(Protocol):
    """Who votes: see :class:`quorate_consensus.voter.Voter`."""

    @property
    def epoch(self) -> Epoch:
        """The epoch it votes in."""

    @property
    def store_broken(self) -> str:
        """Why votes cannot be kept any more; empty while they can."""

    async def ask(self, data: bytes, target: Target) -> bytes:
        """The answer to one ask, a vote or an abstention."""

    def drain(self) -> None:
        """Take no new asks from now on."""


class Meter(Protocol):
    """What is counted."""

    def asked(self, outcome: str, reason: str) -> None:
        """An ask was approved, denied, abstained from or refused, for a reason."""


def subject(observed: Observed, pod: ObservedPod, request: Request) -> Target | Declined:
    """What a freeze must name to cover ``request`` of ``pod``, by what this member knows.

    A reason not to vote if the request says anything else of the pod, of its model, of what it is
    held to, or of what the platform declares its action to be.
    """
    try:
        question = state_content.question(observed, pod)
    except Unavailable:
        return Declined.NOT_READY
    if isinstance(question, Verdict):
        return Declined.POD_DENIED
    principal = request.principal
    digests = sorted({policy.digest for policy in question.policies})
    assessed = assess(Signals(request.tool), question.rules.risk)
    claims = (
        (Declined.NAMESPACE, principal.namespace, pod.namespace),
        (Declined.WORKLOAD, principal.workload, pod.name),
        (Declined.MODEL, principal.model, pod.labels.get(names.MODEL_LABEL)),
        (
            Declined.MANIFEST,
            principal.manifest_digest,
            question.model.model.spec.manifest_digest,
        ),
        (Declined.POLICIES, list(principal.policy_digests), digests),
        (Declined.CAPABILITY, request.capability, assessed.capability),
        (Declined.ACTION_CLASS, request.action_class, assessed.action_class.value),
    )
    if request.capability == ADMISSION:
        return Declined.CERTIFY
    for declined, claimed, known in claims:
        if claimed != known:
            return declined
    return target(principal, assessed.capability, assessed.capabilities)


class Asks:
    """Answers the asks of protected pods. For one event loop."""

    def __init__(
        self,
        voter: Votes | None,
        relay: Relay,
        meter: Meter,
        monotonic: Callable[[], float],
        parse: Callable[[bytes], Request] = requests.parse,
    ) -> None:
        """``voter`` None: this member does not vote, and abstains from everything. ``parse`` reads
        a request."""
        self._voter = voter
        self._relay = relay
        self._meter = meter
        self._parse = parse
        self._rate = PodRate(monotonic, ASKS_PER_WINDOW)
        self._busy: Counter[str] = Counter()

    async def answer(self, caller: Caller, read: Read) -> bytes:
        """The vote or abstention, a message of :mod:`quorate.consensus.wire`. ``read`` the ask.

        Raises PodUnknown for a pod that is not protected, Unavailable while the member does not
        know the cluster, and what ``read`` raises.
        """
        try:
            protected_pod(self._relay, caller)
            answer = await self._admitted(caller, read)
        except (QuorateError, TimeoutError) as error:
            self._meter.asked("refused", type(error).__name__)
            raise
        self._meter.asked(*_outcome(answer))
        return answer

    @property
    def store_broken(self) -> str:
        """Why votes cannot be kept any more; empty while they can, or if none are cast here."""
        return self._voter.store_broken if self._voter is not None else ""

    def drain(self) -> None:
        """Take no new asks; those under way are answered."""
        if self._voter is not None:
            self._voter.drain()

    async def _admitted(self, caller: Caller, read: Read) -> bytes:
        """Within what this member does at once. What is shed is not read."""
        if self._voter is None:
            return _abstain(Declined.NOT_VOTING)
        uid = caller.pod_uid
        try:
            self._rate.check(uid)
        except TooManyRequests:
            return _abstain(Declined.TOO_MANY)
        if self._busy[uid] >= ASKS_PER_POD or self._busy.total() >= ASKS_MAX:
            return _abstain(Abstain.OVERLOADED)
        self._busy[uid] += 1
        try:
            async with asyncio.timeout(BODY_SECONDS):
                data = await read()
            return await self._voted(self._voter, caller, data)
        finally:
            self._busy[uid] -= 1
            if not self._busy[uid]:
                del self._busy[uid]

    async def _voted(self, voter: Votes, caller: Caller, data: bytes) -> bytes:
        try:
            ask = wire.decode(data, Ask)
        except QuorateError:
            return _abstain(Abstain.MALFORMED)
        if ask.epoch != voter.epoch.digest:
            return _abstain(Abstain.OTHER_EPOCH)
        if ask.left_ms < wire.LEFT_MS_MIN:
            return _abstain(Declined.LATE)
        try:
            request = self._parse(ask.request)
        except QuorateError:
            return _abstain(Declined.REQUEST)
        # Again: the pod may have gone while the body came.
        observed, pod = protected_pod(self._relay, caller)
        found = subject(observed, pod, request)
        if isinstance(found, Declined):
            return _abstain(found)
        try:
            async with asyncio.timeout(ask.left_ms / 1_000 + LATE_SECONDS):
                return await voter.ask(data, found)
        except TimeoutError:
            return _abstain(Declined.LATE)


def _abstain(reason: Declined | Abstain) -> bytes:
    return wire.encode(Abstention(wire.VERSION, reason.value))


def _outcome(answer: bytes) -> tuple[str, str]:
    said = wire.decode_answer(answer)
    if isinstance(said, Abstention):
        return "abstained", said.reason
    ballot = wire.decode(said.ballot.body, Ballot)
    return ("approved" if ballot.verdict is wire.Verdict.APPROVE else "denied"), ""
