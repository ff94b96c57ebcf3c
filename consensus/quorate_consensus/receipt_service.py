"""Receipts for sidecars: who asks, what is known of the pod, and the signature."""

from typing import Protocol

from quorate import receipt as receipts
from quorate.errors import EvidenceError, Unavailable
from quorate.ports import Clock
from quorate.verdict import Reason, Verdict, deny
from quorate_consensus import receipt_content, state_content
from quorate_consensus.collected import Collected, certificates_for
from quorate_consensus.issuing import Committee
from quorate_consensus.judging import Judge
from quorate_consensus.proposed_time import check_near
from quorate_consensus.relay import Relay
from quorate_consensus.signed_images import first_end, servers_signed
from quorate_consensus.state_service import protected_pod
from quorate_consensus.tokens import Caller

_MESSAGE_CHARS = 4096


class ReceiptDenied(EvidenceError):
    """The pod gets no receipt, for all the reasons in ``verdict``."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text()[:_MESSAGE_CHARS])
        self.reason = verdict.denials[0].reason


class Meter(Protocol):
    """What is counted."""

    def answered(self, reason: str) -> None:
        """A receipt was issued, or denied for a reason."""


class Receipts:
    """Issues receipts to the callers' own pods."""

    def __init__(
        self,
        committee: Committee,
        relay: Relay,
        judge: Judge,
        collected: Collected,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._committee = committee
        self._collected = collected
        self._relay = relay
        self._judge = judge
        self._clock = clock
        self._meter = meter

    async def envelope(self, caller: Caller, body: bytes) -> bytes:
        """The receipt that ``body`` asks for, a DSSE envelope.

        Raises ReceiptDenied, PodUnknown for a pod that is not protected, InvalidInput for a request
        that is none, Unavailable while the member does not know the cluster, lacks a certificate,
        has not heard the operator lately or has too much to do.
        """
        try:
            envelope = await self._envelope(caller, body)
        except ReceiptDenied as denied:
            self._meter.answered(denied.reason.value)
            raise
        self._meter.answered("")
        return envelope

    async def _envelope(self, caller: Caller, body: bytes) -> bytes:
        observed, pod = protected_pod(self._relay, caller)
        # Before anything is awaited: what is learnt meanwhile is not in this answer.
        heard_at = self._relay.heard_at
        if heard_at is None:
            raise Unavailable("the operator was not heard yet")
        asked = self._request(body)
        _check(receipt_content.identity(caller, pod, asked))
        question = state_content.question(observed, pod)
        if isinstance(question, Verdict):
            raise ReceiptDenied(question)
        standings = [await self._judge.standing(p, question.model) for p in question.policies]
        # Again: it may have gone, or moved on, while its model was judged.
        _, pod = protected_pod(self._relay, caller)
        _check(receipt_content.identity(caller, pod, asked))
        _check(receipt_content.terms(pod, asked, question, standings))
        now = self._clock.now()
        _check(servers_signed(pod, question, standings, now))
        held = self._collected.of(question.model, now)
        chosen = certificates_for(question.model, question.policies, held)
        certificates = [one.certificate for one in chosen]
        self._judge.note(certificates)
        statement = receipt_content.statement(
            caller,
            pod,
            asked,
            certificates,
            epoch=self._committee.signing_epoch(),
            now=now,
            heard_at=heard_at,
            signed_until=first_end(pod, question.policies, certificates, now),
            life=self._committee.receipt_life,
        )
        return receipts.issue(statement, [self._committee.signer])

    def _request(self, body: bytes) -> receipts.RequestStatement:
        """The request, from somebody who holds its session key."""
        cluster_id, now = self._committee.epochs.head.cluster_id, self._clock.now()
        try:
            asked = receipts.verify_request(body, cluster_id, now)
            check_near(asked.issued_at, now)
            return asked
        except EvidenceError as error:
            raise ReceiptDenied(
                deny(
                    Reason.SESSION_KEY_NOT_PROVEN,
                    error.message,
                    fix="if it is a matter of time, set the clocks of the nodes",
                )
            ) from error


def _check(verdict: Verdict) -> None:
    if not verdict.allowed:
        raise ReceiptDenied(verdict)
