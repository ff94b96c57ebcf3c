"""Rolling upgrades of the members: sees how their Pods are, and deletes the one that is planned."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quorate import names
from quorate.errors import QuorateError
from quorate_operator.committee import Committee
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import ANY_POD, STATEFUL_SET, Key, Kind
from quorate_operator.reconcile.actions import EmitEvent, Target
from quorate_operator.reconcile.member_rollout import MemberPod, Plan, Seen, plan_rollout
from quorate_operator.world import World

LOOK_SECONDS = 5.0
FRESH_SECONDS = 10.0
"""How long ago a member may have answered; it is told something every three seconds."""
STUCK_SECONDS = 300.0
"""A Pod that was not ready for so long, and does not answer, serves nobody."""
LISTED_MAX = 100
REVISION_LABEL = "controller-revision-hash"
DELETED, WAITS = "MemberUpdated", "MemberUpdateWaits"

log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass(slots=True)
class _Watched:
    """A member's Pod, and since when it is as it is, in monotonic seconds."""

    uid: str
    ready: bool
    since: float


class MemberRollout:
    """Brings the members to the revision their StatefulSets want, one after the other."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        committee: Committee,
        world: World,
        events: Events,
        namespace: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._api = api
        self._holder = holder
        self._committee = committee
        self._world = world
        self._events = events
        self._namespace = namespace
        self._monotonic = monotonic
        self._watched: dict[str, _Watched] = {}
        self._tried: dict[str, str] = {}
        self._said = ""

    async def run(self) -> None:
        """Look for ever. What cannot be found out moves nothing."""
        while True:
            try:
                await self.look()
            except QuorateError as error:
                self._say(f"members' Pods are not looked at: {error}")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once, and delete at most one Pod. Raises QuorateError."""
        plan = plan_rollout(await self._see())
        if plan.delete is not None and plan.delete.pod is not None:
            await self._delete(plan.delete, plan.delete.pod)
        elif plan.waits is not None:
            self._wait(plan, plan.waits)
        else:
            self._said = ""

    async def _see(self) -> Seen:
        pods: dict[str, Document] = {}
        for pod in await self._list(ANY_POD):
            if owner := _controller(pod):
                pods[owner] = pod
        members = [
            self._member(workload, pods.get(workload["metadata"]["uid"]))
            for workload in await self._list(STATEFUL_SET)
            if (workload["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
        ]
        self._watched = {
            pod.member: self._watched[pod.member] for pod in members if pod.member in self._watched
        }
        return Seen(
            pods=members,
            thresholds=self._world.history.head.record.thresholds,
            standing=self._committee.standing,
            answering=self._answering({pod.member for pod in members}),
            stuck=self._stuck(),
            tried=self._tried,
        )

    async def _list(self, kind: Kind) -> list[Document]:
        query = {"labelSelector": names.MEMBER_LABEL, "limit": str(LISTED_MAX)}
        found = await self._api.get(kind.path(self._namespace), query)
        return list(found.get("items") or ())

    def _member(self, workload: Document, pod: Document | None) -> MemberPod:
        metadata, status = workload["metadata"], workload.get("status") or {}
        key = Key(STATEFUL_SET.name, self._namespace, metadata["name"])
        member = str(metadata["labels"][names.MEMBER_LABEL])
        target = Target(key, metadata["uid"], STATEFUL_SET.api_version)
        seen = status.get("observedGeneration") == metadata.get("generation")
        wanted = str(status.get("updateRevision") or "") if seen else ""
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            self._watched.pop(member, None)
            return MemberPod(member, target, wanted)
        own = pod["metadata"]
        self._watch(member, own["uid"], ready=_is_ready(pod))
        revision = str((own.get("labels") or {}).get(REVISION_LABEL, ""))
        pod_key = Key(ANY_POD.name, self._namespace, own["name"])
        return MemberPod(
            member, target, wanted, Target(pod_key, own["uid"], ANY_POD.api_version), revision
        )

    def _watch(self, member: str, uid: str, *, ready: bool) -> None:
        known = self._watched.get(member)
        if known is None or (known.uid, known.ready) != (uid, ready):
            self._watched[member] = _Watched(uid, ready, self._monotonic())

    def _answering(self, with_pods: set[str]) -> frozenset[str]:
        """A Pod must have answered since it is seen to be ready: what was heard before may have
        been the last of the one before it."""
        now, found = self._monotonic(), set()
        for name, relay in self._committee.relays.items():
            heard = relay.heard_at
            if heard is None or not relay.synced or now - heard > FRESH_SECONDS:
                continue
            watched = self._watched.get(name)
            served = watched is not None and watched.ready and heard > watched.since
            if served or name not in with_pods:
                found.add(name)
        return frozenset(found)

    def _stuck(self) -> frozenset[str]:
        now, relays = self._monotonic(), self._committee.relays
        return frozenset(
            name
            for name, pod in self._watched.items()
            if not pod.ready
            and now - pod.since >= STUCK_SECONDS
            and (name not in relays or not relays[name].reachable)
        )

    async def _delete(self, member: MemberPod, pod: Target) -> None:
        check(self._holder)
        try:
            await self._api.delete(ANY_POD, pod.key, pod.uid)
        except ApiRefused as error:
            if error.status in (404, 409):
                return
            raise
        self._tried[member.member] = member.wanted
        note = f"{pod.key.name} of revision {member.revision} deleted: {member.wanted} is wanted"
        log.info("%s: %s", member.member, note)
        self._said = ""
        self._events.post(EmitEvent(member.workload, "Normal", DELETED, note, "Delete"))

    def _wait(self, plan: Plan, member: MemberPod) -> None:
        note = f"revision {member.wanted} waits: {plan.why}"
        self._say(f"{member.member}: {note}")
        self._events.post(EmitEvent(member.workload, "Warning", WAITS, note, "Delete"))

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            log.warning("%s", text)


def _controller(pod: Document) -> str:
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner.get("uid", ""))
    return ""


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
