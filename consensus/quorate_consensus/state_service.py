"""Signed answers to sidecars: the state of a pod, and the manifest of its model."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import signed_state
from quorate.canonical import canonical
from quorate.consensus.epoch import Epoch
from quorate.errors import EvidenceError, Unavailable
from quorate.ports import Clock
from quorate.verdict import Verdict
from quorate_consensus import state_content
from quorate_consensus.collected import Collected
from quorate_consensus.issuing import Committee, Standing
from quorate_consensus.judging import Judge
from quorate_consensus.observed import Observed
from quorate_consensus.relay import Relay
from quorate_consensus.state_content import Content, Question
from quorate_consensus.tokens import Caller
from quorate_io.member_api import ObservedPod

REMEMBERED_MAX = 1_024
REMEMBERED_SECONDS = 3
"""A signed state is served again for this long if nothing changed. It costs its pod as much life,
and keeps one that asks in a loop from costing a signature each time."""
_REMEMBERED = timedelta(seconds=REMEMBERED_SECONDS)


class PodUnknown(EvidenceError):
    """The token is good, and the member does not know its pod as a protected one."""


class NotFound(EvidenceError):
    """There is no such document for this pod."""


@dataclass(frozen=True, slots=True)
class _Signed:
    content: Content
    epoch: Epoch
    signed_at: datetime
    envelope: bytes

    def counts(self, content: Content, epoch: Epoch, now: datetime) -> bool:
        """Whether it may be served again."""
        age = now - self.signed_at
        same = self.epoch is epoch and self.content == content
        return same and timedelta(0) <= age < _REMEMBERED


class States:
    """Builds and signs what the callers' pods are told."""

    def __init__(
        self, committee: Committee, relay: Relay, judge: Judge, collected: Collected, clock: Clock
    ) -> None:
        self._committee = committee
        self._collected = collected
        self._relay = relay
        self._judge = judge
        self._clock = clock
        self._remembered: OrderedDict[str, _Signed] = OrderedDict()

    async def envelope(self, caller: Caller) -> bytes:
        """The signed state of the caller's pod, a DSSE envelope.

        Raises PodUnknown for a pod that is not protected, Unavailable while the member does not
        know the cluster, lacks a certificate or has too much to do.
        """
        observed, pod = protected_pod(self._relay, caller)
        # Before anything is awaited: what is learnt meanwhile is not in this answer.
        heard_at = self._relay.heard_at
        if heard_at is None:
            raise _not_ready()
        content = await self._content(observed, pod)
        now, epoch = self._clock.now(), self._committee.signing_epoch()
        known = self._remembered.get(pod.uid)
        if known is not None and known.counts(content, epoch, now):
            return known.envelope
        statement = state_content.statement(
            content,
            epoch,
            now=now,
            heard_at=heard_at,
            life=self._committee.state_life,
        )
        envelope = signed_state.issue(statement, [self._committee.signer])
        self._remember(pod.uid, _Signed(content, epoch, now, envelope))
        return envelope

    async def manifest(self, caller: Caller, digest: str) -> bytes:
        """The manifest of the caller's model, if it has this digest. Raises NotFound if not."""
        observed, pod = protected_pod(self._relay, caller)
        asked = state_content.question(observed, pod)
        standings = [] if isinstance(asked, Verdict) else await self._standings(asked)
        for standing in standings:
            manifest = standing.evaluation.manifest
            if manifest is not None and manifest.digest == digest:
                return canonical(manifest.document)
        raise NotFound(f"no verified manifest {digest} for the model of this pod")

    async def _content(self, observed: Observed, pod: ObservedPod) -> Content:
        asked = state_content.question(observed, pod)
        if isinstance(asked, Verdict):
            return state_content.denied(pod, asked)
        standings = await self._standings(asked)
        held = self._collected.of(asked.model, self._clock.now())
        self._judge.note(one.certificate for one in held)
        pairs = zip(asked.policies, standings, strict=True)
        denied = [policy for policy, standing in pairs if not standing.allowed]
        revoked = self._judge.revoked(asked.model, denied)
        return state_content.answer(pod, asked, standings, held, revoked)

    async def _standings(self, asked: Question) -> list[Standing]:
        # One after the other: kept judgements answer at once, and a pod waits for few.
        return [await self._judge.standing(policy, asked.model) for policy in asked.policies]

    def _remember(self, uid: str, signed: _Signed) -> None:
        self._remembered[uid] = signed
        self._remembered.move_to_end(uid)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)


def protected_pod(relay: Relay, caller: Caller) -> tuple[Observed, ObservedPod]:
    """The caller's pod, as one that is protected, and all that is known with it.

    Raises PodUnknown if it is not, Unavailable while the member does not know the cluster.
    """
    observed = relay.current
    if observed is None:
        raise _not_ready()
    pod = observed.pods.get(caller.pod_uid)
    if pod is None or (pod.namespace, pod.name) != (caller.namespace, caller.pod_name):
        raise PodUnknown(
            f"pod {caller.namespace}/{caller.pod_name} ({caller.pod_uid}) is not known here",
            fix="a new pod is known within seconds; see the operator if it lasts",
        )
    return observed, pod


def _not_ready() -> Unavailable:
    return Unavailable(
        "the member does not know yet what the cluster holds",
        fix="it learns it from the operator; see the operator's Pods if this lasts",
    )
