"""One request on its way: what is known about it so far, for its audit records and metrics."""

import itertools
import os

import msgspec

from quorate.audit.records import Close, Coverage, Deny, Open, Outcome
from quorate.policy.runtime import RuntimeRules
from quorate.signed_state import PodState
from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.checks.scanner import Scanner, scanner_for
from quorate_sidecar.checks.text_guard import results, summed
from quorate_sidecar.examine import Examined
from quorate_sidecar.refusal import Code, Refusal

_TEXT_LENGTH = 1000
"""Characters of a text in an audit record; the record's own bound is in characters too."""


_PROCESS = os.urandom(8).hex()
_COUNTER = itertools.count(1)


def new_request_id() -> str:
    """An id that no client chooses and no other process gives."""
    return f"req_{_PROCESS}{next(_COUNTER):08x}"


class Exchange(msgspec.Struct):
    """Facts that gather while a request is served. Times in seconds of the event loop's clock."""

    started: float
    id: str = msgspec.field(default_factory=new_request_id)
    path: str = "unknown"
    routed: bool = False
    """True once the target is one that is served."""
    state: PodState | None = None
    request_bytes: int = 0
    request_tally: Tally = {}
    recorded: bool = False
    """True once the request passed the rate limit: from there on it leaves a record."""
    opened: bool = False
    ended: bool = False
    upstream_seconds: float = 0.0
    received: int = 0
    released: int = 0
    released_digest: str = ""
    answer_tally: Tally = {}
    coverage: list[Coverage] = []
    _scanner: Scanner | None = None

    @property
    def rules(self) -> RuntimeRules:
        """The rules this exchange is held to: those of its beginning. Needs a state."""
        if self.state is None:
            raise RuntimeError("an exchange without a state has no rules")
        return self.state.rules

    @property
    def scanner(self) -> Scanner:
        """The checks of the rules."""
        if self._scanner is None:
            self._scanner = scanner_for(self.rules.checks)
        return self._scanner

    def open_record(self, examined: Examined) -> Open:
        """The record that is written before anything is sent to the model server."""
        return Open(
            id=self.id,
            path=self.path,
            model=examined.model[:_TEXT_LENGTH],
            stream=examined.stream,
            request_bytes=len(examined.body),
            request_digest=examined.digest,
            checks=results(self.scanner, self.request_tally),
            policy_digests=self._policies(),
            manifest_digest=self.state.manifest_digest if self.state else "",
        )

    def close_record(self, outcome: Outcome, status: int, code: str, seconds: float) -> Close:
        """The record that says how it ended."""
        return Close(
            id=self.id,
            outcome=outcome,
            status=status,
            code=code,
            received_bytes=self.received,
            released_bytes=self.released,
            released_digest=self.released_digest,
            checks=results(self.scanner, self.answer_tally),
            coverage=summed(self.coverage),
            milliseconds=round(seconds * 1000),
        )

    def deny_record(self, refusal: Refusal) -> Deny:
        """The record of a request of which nothing was sent to the model server."""
        return Deny(
            id=self.id,
            path=self.path,
            status=refusal.status,
            code=refusal.code.value,
            # What is malformed is named by the client's own words; those stay out of the log.
            message="" if refusal.code is Code.MALFORMED else refusal.message[:_TEXT_LENGTH],
            request_bytes=self.request_bytes,
            checks=results(self.scanner, self.request_tally) if self.state else (),
            policy_digests=self._policies(),
            manifest_digest=self.state.manifest_digest if self.state else "",
        )

    def _policies(self) -> tuple[str, ...]:
        return self.state.policy_digests if self.state else ()
