"""SafetyExceptions: an incident for each that is active, before it lifts anything, until it ends.

Members and webhooks verify approvals themselves. What is written here may hold an exception back:
without the name of its incident in the status nobody looks at it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from quorate import names
from quorate.alerts import Rule
from quorate.api.v1alpha1 import SafetyException
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_exception import SafetyExceptionStatus
from quorate.certificate import PolicyRef
from quorate.errors import Expired, InvalidInput, QuorateError
from quorate.evidence.intoto.timestamps import format_utc
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.exceptions import Lifted, lift
from quorate.ports import Clock
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import (
    CLUSTER_SAFETY_POLICY,
    SAFETY_EXCEPTION,
    Key,
    Kind,
)
from quorate_operator.reconcile.actions import Approved, EmitEvent, RaiseAlert, Target
from quorate_operator.reconcile.conditions import Observation, dated
from quorate_operator.reconcile.texts import clipped
from quorate_operator.world import World

LOOK_SECONDS = 3.0
ENDED_SECONDS = 30.0
"""Between two looks for incidents whose exception has ended."""
ACTIVE = "Active"

log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """How an exception stands, and what it lifts if it does."""

    observed: Observation
    exception: SafetyException | None = None
    lifted: Lifted | None = None


def judge(
    document: Mapping[str, Any],
    policies: Mapping[PolicyRef, CompiledPolicy],
    cluster: str,
    now: datetime,
) -> Seen:
    """How an exception stands. Pure."""
    try:
        exception = read(SafetyException, document)
    except InvalidInput as error:
        return Seen(Observation("False", "Malformed", str(error)))
    if exception.metadata.namespace != names.NAMESPACE:
        message = f"ignored: exceptions count in the namespace {names.NAMESPACE} only"
        return Seen(Observation("False", "NotProtectedNamespace", message))
    name = exception.spec.policy
    policy = policies.get(PolicyRef(CLUSTER_SAFETY_POLICY.name, None, name))
    if policy is None:
        message = f"no ClusterSafetyPolicy {name} that compiles"
        return Seen(Observation("False", "PolicyUnknown", message))
    try:
        lifted = lift(exception, policy, cluster, now)
    except Expired as error:
        return Seen(Observation("False", "Expired", str(error)))
    except QuorateError as error:
        return Seen(Observation("False", "NotApproved", str(error)))
    spec, workload = exception.spec, exception.spec.workload
    message = (
        f"{spec.requirement} of {policy.ref} is lifted for {workload.namespace}/{workload.model} "
        f"until {format_utc(lifted.not_after)}: {spec.reason}"
    )
    return Seen(Observation("True", "Approved", clipped(message)), exception, lifted)


class ExceptionKeeper:
    """Looks at all exceptions every few seconds: time alone ends them."""

    def __init__(
        self,
        world: World,
        api: ApiServer,
        holder: Holder,
        alerts: Alerts,
        events: Events,
        clock: Clock,
        arrived: Callable[[Kind, Document], None],
    ) -> None:
        self._world = world
        self._api = api
        self._holder = holder
        self._alerts = alerts
        self._events = events
        self._clock = clock
        self._arrived = arrived

    async def run(self) -> None:
        """Look for ever. What cannot be written is tried again."""
        ended_in = 0.0
        while True:
            try:
                active = await self.look()
                ended_in -= LOOK_SECONDS
                if ended_in <= 0:
                    await self.end_others(active)
                    ended_in = ENDED_SECONDS
            except QuorateError as error:
                log.warning("exceptions: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> set[str]:
        """Bring every status in line; returns the UIDs of those that are active."""
        policies = {policy.ref: policy for policy in self._world.compiled()}
        active = set()
        for key, document in sorted(self._world.exceptions.items()):
            seen = judge(document, policies, self._world.cluster_id, self._clock.now())
            try:
                await self._write(key, document, seen)
            except QuorateError as error:
                log.warning("%s: %s", key, error)
            if seen.lifted is not None:
                active.add(str(document["metadata"].get("uid", "")))
        return active

    async def end_others(self, active: set[str]) -> None:
        """Close the incidents of exceptions that are no longer active, or are gone."""
        why = "the exception has ended"
        await self._alerts.close_others(Rule.EXCEPTION_ACTIVE, active, why)

    async def _write(self, key: Key, document: Document, seen: Seen) -> None:
        current = _status(document)
        target = Target(key, document["metadata"].get("uid", ""), names.API_VERSION)
        incident = current.incident if current and seen.lifted else ""
        if seen.exception is not None and seen.lifted is not None and not incident:
            incident = await self._alerts.opened(_alert(target, seen, seen.exception, seen.lifted))
        generation = document["metadata"].get("generation", 0)
        before = current.conditions if current else []
        status = SafetyExceptionStatus(
            observed_generation=generation,
            incident=incident,
            expires_at=format_utc(seen.lifted.not_after) if seen.lifted else None,
            conditions=dated({ACTIVE: seen.observed}, before, generation, self._clock.now()),
        )
        if status == current:
            return
        check(self._holder)
        written = await self._api.apply_status(SAFETY_EXCEPTION, key, _document(key, status))
        self._arrived(SAFETY_EXCEPTION, written)
        was = next((c.reason for c in before if c.type == ACTIVE), "")
        if was != seen.observed.reason:
            kind: Literal["Normal", "Warning"] = "Normal" if seen.lifted else "Warning"
            note = clipped(seen.observed.message)
            await self._events.emit(EmitEvent(target, kind, seen.observed.reason, note, "Except"))


def _document(key: Key, status: SafetyExceptionStatus) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": SAFETY_EXCEPTION.name,
        "metadata": {"name": key.name, "namespace": key.namespace},
        "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _status(document: Mapping[str, Any]) -> SafetyExceptionStatus | None:
    try:
        return SafetyExceptionStatus.model_validate(document.get("status"))
    except ValidationError:
        return None


def _alert(target: Target, seen: Seen, exception: SafetyException, lifted: Lifted) -> RaiseAlert:
    reason, time = exception.spec.reason, format_utc(lifted.decided_at)
    approvals = tuple(Approved(approver, time, reason) for approver in lifted.approvers)
    summary = seen.observed.message
    return RaiseAlert(Rule.EXCEPTION_ACTIVE, target, names.NAMESPACE, summary, approvals=approvals)
