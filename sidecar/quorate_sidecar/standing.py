"""Whether this pod may serve now, and if not, why: the one place that decides it.

Two kinds of no: what the committee decided (a denial) keeps the pod Ready and is answered with its
reason; what is wrong with this pod (a lapse) makes it unready too, so that a Service leaves it out.
Both deny every request.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quorate import limits
from quorate.ports import Clock
from quorate.receipt import Receipt
from quorate.signed_state import PodState
from quorate_sidecar.refusal import Code, Refusal

RESTART = "delete the pod, so that it is admitted and measured again"


@dataclass(frozen=True, slots=True)
class CommitteeDenial:
    """The committee's answer that this pod may not serve."""

    reason: str
    message: str
    learnt_at: datetime


@dataclass(slots=True)
class Standing:
    """What is known about this pod. Others write the facts; :meth:`refusal` judges them."""

    clock: Clock
    state: PodState | None = None
    denial: CommitteeDenial | None = None
    measured: str = ""
    """The manifest digest that this container measured; empty until it has."""
    port: int = 0
    """The port that is bound; 0 until it is."""
    foreign: list[str] = field(default_factory=list)
    changed: str = ""
    """How the model differs from what was measured. It never empties again: the server may have
    loaded what was there."""
    unsure: str = ""
    """Why it is not known now whether the model is what was measured."""
    audit_failure: str = ""
    draining: bool = False
    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that nobody sets: the receipt's end is counted by it."""
    receipt: Receipt | None = None
    """The last one that was verified; it may have ended."""
    receipt_until: float = 0.0
    """When it ends, by ``monotonic``: all that a request has to compare."""
    receipt_problem: str = "it was not asked for yet"
    """Why the last request for one failed; empty if it did not."""
    receipt_invalid: bool = False
    """Whether it failed because the answer was no receipt of this pod."""

    def accept(self, state: PodState) -> bool:
        """Take a newer state. False for one that is older than what is known: a replay."""
        if self.state is not None and state.issued_at < self.state.issued_at:
            return False
        if self.denial is not None:
            skew = timedelta(seconds=limits.CLOCK_SKEW)
            if state.issued_at < self.denial.learnt_at - skew:
                return False
        self.state, self.denial = state, None
        return True

    def deny(self, reason: str, message: str) -> None:
        """Take the committee's denial."""
        if self.denial is None or (self.denial.reason, self.denial.message) != (reason, message):
            self.denial = CommitteeDenial(reason, message, self.clock.now())

    def take_receipt(self, receipt: Receipt, until: float) -> None:
        """Take a verified receipt, which ends at ``until`` by the monotonic clock."""
        self.receipt, self.receipt_until = receipt, until
        self.receipt_problem, self.receipt_invalid = "", False

    def refusal(self) -> Refusal | None:
        """Why a request is denied now, or None."""
        if self.draining:
            return _lapse(Code.DRAINING, "this pod is shutting down")
        if self.denial is not None:
            message = f"{self.denial.reason}: {self.denial.message}"
            return Refusal(403, Code.POLICY, message)
        return self._lapse()

    def unready(self) -> list[str]:
        """Reasons for not being ready; a committee's denial is none."""
        reasons = ["shutting down"] if self.draining else []
        if unstarted := self.unstarted():
            return reasons + unstarted
        lapse = self._lapse()
        return [*reasons, lapse.message] if lapse else reasons

    def expiry(self) -> float:
        """When the state expires, in Unix time; 0 if there is none."""
        return self.state.expires_at.timestamp() if self.state else 0.0

    def receipt_expiry(self) -> float:
        """When the receipt expires, in Unix time; 0 without one, or if none is to be had."""
        if self.receipt is None or self.denial is not None:
            return 0.0
        return self.receipt.statement.expires_at.timestamp()

    def unstarted(self) -> list[str]:
        """Reasons for not having started: the model server waits for this to be empty."""
        reasons = self._unprepared()
        if self.receipt is None:
            reasons.append(f"no receipt yet: {self.receipt_problem}")
        return reasons

    def _unprepared(self) -> list[str]:
        """What is missing before a receipt can be asked for."""
        reasons = []
        if self.state is None and self.denial is None:
            reasons.append("no signed state yet")
        if not self.port:
            reasons.append("the model's port is not bound yet")
        if not self.measured:
            reasons.append("the model is being measured")
        return reasons

    def _lapse(self) -> Refusal | None:
        """What is wrong with this pod itself."""
        if unprepared := self._unprepared():
            return _lapse(Code.NOT_READY, "; ".join(unprepared))
        if self.foreign:
            message = (
                f"{'; '.join(self.foreign[:5])}: the pod can be reached around its sidecar. "
                "Start the model with --host 127.0.0.1 (or OLLAMA_HOST=127.0.0.1)"
            )
            return _lapse(Code.FOREIGN_LISTENER, message)
        if self.changed:
            return _lapse(Code.MODEL_CHANGED, f"{self.changed}: {RESTART}")
        if self.unsure:
            return _lapse(Code.MODEL_CHANGED, self.unsure)
        if self.audit_failure:
            return _lapse(Code.AUDIT, unwritten(self.audit_failure))
        # With a denial there may be no state, and no receipt is to be had; the denial itself is
        # what is answered then.
        lapse = self._state_lapse(self.state) if self.state is not None else None
        if lapse or self.monotonic() < self.receipt_until or self.denial is not None:
            return lapse
        return self._receipt_lapse()

    def _receipt_lapse(self) -> Refusal:
        why = f": {self.receipt_problem}" if self.receipt_problem else ""
        if self.receipt_invalid:
            return _lapse(Code.RECEIPT_INVALID, f"this pod has no valid receipt{why}")
        if self.receipt is None:
            return _lapse(Code.RECEIPT_MISSING, f"this pod has no receipt{why}")
        at = self.receipt.statement.expires_at.isoformat(timespec="seconds")
        return _lapse(Code.RECEIPT_EXPIRED, f"the receipt expired at {at}{why}")

    def _state_lapse(self, state: PodState) -> Refusal | None:
        if self.clock.now() >= state.expires_at:
            at = state.expires_at.isoformat(timespec="seconds")
            message = f"the signed state expired at {at} and no member gave a newer one"
            return _lapse(Code.STATE_EXPIRED, message)
        if state.manifest_digest != self.measured:
            message = (
                f"this pod holds model {self.measured}, but {state.manifest_digest} is certified: "
                f"{RESTART}"
            )
            return _lapse(Code.NOT_READY, message)
        if state.rules.port != self.port:
            message = (
                f"the policy now names port {state.rules.port}, and {self.port} is bound: {RESTART}"
            )
            return _lapse(Code.NOT_READY, message)
        return None


def unwritten(failure: str) -> str:
    """How a refusal for want of a record reads."""
    return f"no audit record can be written: {failure}"


def _lapse(code: Code, message: str) -> Refusal:
    return Refusal(503, code, message, retry_after=5)
