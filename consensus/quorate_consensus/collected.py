"""Certificates that the operator collected from the members and relayed with their models.

One member's vote certifies nothing. What members signed together comes back to each of them, who
verifies it by its own history of the committee: only such a certificate goes into a state or a
receipt. Each envelope is verified once, however often pods ask.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from quorate import certificate
from quorate.certificate import Certificate
from quorate.consensus.history import History
from quorate.errors import QuorateError, Unavailable
from quorate.policy.compiled import CompiledPolicy
from quorate_consensus.epochs import Epochs
from quorate_consensus.observed import ObservedModel

VERIFIED_MAX: Final = 16_384
"""Envelopes whose verification is remembered; one that was dropped is verified again."""
REFUSED_SECONDS: Final = 60
"""How long an envelope that does not verify is not looked at again, unless an epoch is learnt: by
time alone only one from the future can become good."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A relayed certificate that verified, as it was relayed."""

    envelope: str
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an envelope came to by ``history``; without a certificate, until ``until`` only."""

    history: History
    certificate: Certificate | None = None
    until: datetime | None = None


class Meter(Protocol):
    """What is counted."""

    def looked_at(self, verified: bool) -> None:
        """A relayed certificate was verified, or does not count."""


class Collected:
    """Verifies what was relayed. For one event loop."""

    def __init__(self, epochs: Epochs, meter: Meter) -> None:
        self._epochs = epochs
        self._meter = meter
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    def of(self, model: ObservedModel, now: datetime) -> tuple[Held, ...]:
        """The certificates for this model that count now; the rest is as good as not there."""
        found = ((text, self._verified(text, now)) for text in model.certificates)
        return tuple(
            Held(envelope, held)
            for envelope, held in found
            if held is not None
            and now < held.statement.expires_at
            and (held.statement.namespace, held.statement.model) == (model.namespace, model.name)
        )

    def _verified(self, envelope: str, now: datetime) -> Certificate | None:
        key = hashlib.sha256(envelope.encode("ascii")).digest()
        seen, history = self._seen.get(key), self._epochs.history
        if seen is None or not _is_current(seen, history, now):
            seen = self._seen[key] = self._look_at(envelope, seen, history, now)
            self._meter.looked_at(seen.certificate is not None)
        self._seen.move_to_end(key)
        if len(self._seen) > VERIFIED_MAX:
            self._seen.popitem(last=False)
        return seen.certificate

    def _look_at(
        self, envelope: str, before: _Seen | None, history: History, now: datetime
    ) -> _Seen:
        if before is not None and before.certificate is not None:
            # Its signatures were verified; who of the signers is still believed may have changed.
            if certificate.stands(before.certificate, history):
                return replace(before, history=history)
            log.warning("certificate %s lost its quorum", before.certificate.certificate_id)
            return _refused(history, now)
        try:
            return _Seen(history, certificate.verify(envelope.encode("ascii"), history, now))
        except QuorateError as error:
            if before is None:
                log.warning("a relayed certificate does not count: %s", error)
            return _refused(history, now)


def _is_current(seen: _Seen, history: History, now: datetime) -> bool:
    return seen.history is history and (seen.until is None or now < seen.until)


def _refused(history: History, now: datetime) -> _Seen:
    return _Seen(history, until=now + timedelta(seconds=REFUSED_SECONDS))


def certificates_for(
    model: ObservedModel, policies: Sequence[CompiledPolicy], held: Sequence[Held]
) -> tuple[Held, ...]:
    """For each policy the certificate that this model holds it, as both are now.

    Raises Unavailable if there is none of one: that is neither yes nor no.
    """
    return tuple(_certificate_for(model, policy, held) for policy in policies)


def _certificate_for(model: ObservedModel, policy: CompiledPolicy, held: Sequence[Held]) -> Held:
    digest = model.model.spec.manifest_digest
    found = [
        one
        for one in held
        if one.certificate.statement.policy == policy.ref
        and one.certificate.statement.policy_digest == policy.digest
        and one.certificate.statement.manifest_digest == digest
    ]
    if not found:
        raise Unavailable(
            f"the certificate for {policy.ref} of AttestedModel {model.namespace}/{model.name} "
            "was not collected yet",
            fix="the operator collects it from the members; see the AttestedModel's conditions",
        )
    return max(found, key=_rank)


def _rank(held: Held) -> tuple[datetime, datetime, str]:
    """The last to expire, of these the last made: members that hold the same choose the same."""
    said = held.certificate.statement
    return said.expires_at, said.issued_at, held.certificate.certificate_id
