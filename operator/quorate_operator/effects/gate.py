"""Removing our scheduling gate from exactly the pod that was judged, and marking it as released."""

from datetime import UTC, datetime

from quorate import names
from quorate.admission.released import mark
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.effects.marking import MarkingKey
from quorate_operator.kinds import POD
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import ReleaseGate

Operation = dict[str, object]


def operations(action: ReleaseGate, mark: str) -> list[Operation]:
    """The patch: it does nothing unless the pod is the one, as it was, with our gate there."""
    gate = f"/spec/schedulingGates/{action.gate_index}"
    annotations, name = "/metadata/annotations", names.RELEASED_ANNOTATION
    marked: Operation = {"op": "add", "path": annotations, "value": {name: mark}}
    if action.annotated:
        escaped = name.replace("/", "~1")
        marked = {"op": "add", "path": f"{annotations}/{escaped}", "value": mark}
    return [
        {"op": "test", "path": "/metadata/uid", "value": action.target.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": action.resource_version},
        {"op": "test", "path": f"{gate}/name", "value": names.SCHEDULING_GATE},
        {"op": "remove", "path": gate},
        marked,
    ]


class Gates:
    """Releases pods."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        marking: MarkingKey,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._holder = holder
        self._marking = marking
        self._clock = clock
        self._metrics = metrics

    async def release(self, action: ReleaseGate) -> None:
        """Remove the gate. A pod that is gone or has changed since is left for its next look.

        Raises QuorateError if the API server or the webhook refuses, or does not answer.
        """
        key = action.target.key
        # Without a mark the pod would be taken for one that escaped.
        shown = mark(await self._marking.key(), action.target.uid, action.state)
        check(self._holder)
        try:
            await self._api.patch(POD.path(key.namespace, key.name), operations(action, shown))
        except ApiRefused as error:
            if error.status == 404 or _is_failed_test(error):
                return
            raise
        self._metrics.released.inc()
        waited = _since(action.created_at, self._clock.now())
        if waited is not None:
            self._metrics.release_seconds.observe(waited)


def _is_failed_test(error: ApiRefused) -> bool:
    """Whether a ``test`` failed: the pod changed, and its newer version is or will be looked at.

    The API server says so by a 422 that names no object; an invalid object would be named.
    """
    return error.status == 422 and not error.details


def _since(created_at: str, now: datetime) -> float | None:
    try:
        created = datetime.fromisoformat(created_at)
    except ValueError:
        return None
    return max(0.0, (now - created.astimezone(UTC)).total_seconds())
