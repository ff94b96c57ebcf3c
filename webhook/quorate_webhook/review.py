"""AdmissionReview in, AdmissionReview out: bytes to bytes, without I/O.

Whatever cannot be read, is not expected or goes wrong is refused with a reason; only mutate and the
reports of namespaces that do not enforce never refuse.
"""

import logging
from datetime import datetime
from typing import Protocol

import msgspec

from quorate.admission import connect, debugging, mutate, pods, report, update, validate
from quorate.admission.injection import Pod
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement
from quorate.verdict import Reason, Verdict, deny
from quorate_webhook import answer, envelope
from quorate_webhook.answer import Answer
from quorate_webhook.envelope import Request

log = logging.getLogger(__name__)

MUTATE = "/v1/mutate"
VALIDATE = "/v1/validate"
REPORT = "/v1/report"
"""Reports by warnings and audit annotations."""
REPORT_WARN = "/v1/report/warn"
REPORT_AUDIT = "/v1/report/audit"
PATHS = (MUTATE, VALIDATE, REPORT, REPORT_WARN, REPORT_AUDIT)


class PodLookup(Protocol):
    """Pods that wait for a node, or those that have one, as last seen."""

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        """The pod; None if it is not known, or is another one than ``uid`` (if not empty)."""


class World(msgspec.Struct, frozen=True):
    """What is known of the cluster at this moment."""

    snapshot: Snapshot
    pods: PodLookup
    """Those that wait for a node."""
    bound: PodLookup
    """Those that have one."""
    not_ready: str = ""
    """Why nothing may be decided from it; empty if all is well."""


def handle(path: str, body: bytes, world: World, now: datetime) -> bytes:
    """Answer one AdmissionReview. Never raises."""
    return review(path, body, world, now).body


def review(path: str, body: bytes, world: World, now: datetime) -> Answer:
    """Like :func:`handle`, with what was decided."""
    try:
        request = envelope.decode(body)
    except envelope.Malformed as error:
        return unread(path, error.uid, deny(Reason.MALFORMED, str(error)))
    if path == VALIDATE:
        return _validate(request, world, now)
    if path == MUTATE:
        return _mutate(request, world)
    if path in PATHS:
        return _report(path, request, world, now)
    return answer.refused(request.uid, deny(Reason.MALFORMED, f"nothing is served at {path[:80]}"))


def unread(path: str, uid: str, verdict: Verdict) -> Answer:
    """The answer to a review that was not read whole, or not in time: no, where a no is ours."""
    if path in PATHS and path != VALIDATE:
        return answer.allowed(uid)
    return answer.refused(uid, verdict)


def _validate(request: Request, world: World, now: datetime) -> Answer:
    if world.not_ready:
        verdict = deny(Reason.NOT_READY, world.not_ready, fix="try again in a moment")
        return answer.refused(request.uid, verdict)
    what = (request.resource.resource, request.sub_resource or "", request.operation)
    judge = _JUDGES.get(what) if request.resource.group == "" else None
    try:
        if judge is None:
            message = f"no rule for {' '.join(part for part in what if part)}"
            return answer.refused(request.uid, deny(Reason.MALFORMED, message))
        return answer.judged(request.uid, judge(request, world, now))
    except _Unknown as error:
        verdict = deny(Reason.NOT_READY, str(error), fix="try again in a moment")
        return answer.refused(request.uid, verdict, may_come=True)
    except (*_JUNK, envelope.Malformed) as error:
        verdict = deny(Reason.MALFORMED, f"the object cannot be read: {_brief(error)}")
        return answer.refused(request.uid, verdict)
    except Exception:
        log.exception("review %s failed", request.uid)
        verdict = deny(Reason.INTERNAL, f"review {request.uid} failed; see the webhook's log")
        return answer.refused(request.uid, verdict)


_JUNK = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What reading a pod that is none raises. The API server sends none; an attacker may."""


class _Unknown(Exception):
    """The pod a request is about is not known (yet)."""


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _create(request: Request, world: World, now: datetime) -> Judgement:
    head, text = request.written()
    recalled = validate.recall(head, text, world.snapshot)
    return recalled or validate.create(request.pod(), world.snapshot, text)


def _update(request: Request, world: World, now: datetime) -> Judgement:
    old, new, user = request.old_pod(), request.pod(), request.user_info.username
    _, text = request.written()
    return update.update(old, new, user, world.snapshot, now, text)


def _ephemeral(request: Request, world: World, now: datetime) -> Judgement:
    return debugging.added(request.old_pod(), request.pod(), world.snapshot, now)


def _bind(request: Request, world: World, now: datetime) -> Judgement:
    binding = request.binding()
    name, uid = binding.metadata.name, binding.metadata.uid
    if not name or request.name not in ("", name):
        return Judgement(deny(Reason.MALFORMED, f"the binding of {request.name!r} names {name!r}"))
    pod = world.pods.find(request.namespace, name, uid)
    if pod is None:
        raise _Unknown(f"pod {request.namespace}/{name} is not known to wait for a node")
    return update.bind(pod, binding.metadata.labels or {}, world.snapshot, now)


def _connect(request: Request, world: World, now: datetime) -> Judgement:
    pod = world.bound.find(request.namespace, request.name, "")
    if pod is None:
        raise _Unknown(f"pod {request.namespace}/{request.name} is not known to have a node")
    how = request.sub_resource or ""
    return connect.connect(pod, how, request.container(), world.snapshot, now)


_JUDGES = {
    ("pods", "", "CREATE"): _create,
    ("pods", "", "UPDATE"): _update,
    ("pods", "resize", "UPDATE"): _update,
    ("pods", "ephemeralcontainers", "UPDATE"): _ephemeral,
    ("pods", "binding", "CREATE"): _bind,
    ("bindings", "", "CREATE"): _bind,
    **{("pods", name, "CONNECT"): _connect for name in connect.SUBRESOURCES},
}


def _is_pod_create(request: Request) -> bool:
    resource = request.resource
    what = (resource.group, resource.resource, request.sub_resource or "", request.operation)
    return what == ("", "pods", "", "CREATE")


def _mutate(request: Request, world: World) -> Answer:
    """The patch, or none: what is missing is for validate to refuse."""
    if world.not_ready or not _is_pod_create(request):
        return answer.allowed(request.uid)
    try:
        return answer.patched(request.uid, _patch(request, world.snapshot))
    except (*_JUNK, envelope.Malformed) as error:
        log.warning("review %s: no patch: %s", request.uid, _brief(error))
    except Exception:
        log.exception("review %s: no patch", request.uid)
    return answer.allowed(request.uid)


def _patch(request: Request, snapshot: Snapshot) -> bytes:
    """The patch as it is sent; empty if there is nothing to add."""
    head, text = request.written()
    context = validate.context_of(head, snapshot)
    if context is None or pods.canaries(head):
        # No model to remember it by, or more than its spec to go by. It is completed all the same,
        # so that the API server's floor leaves the word to validate.
        return answer.encoded_patch(mutate.complete(request.pod(), snapshot))
    patch = snapshot.patches.recall(context, text)
    if patch is None:
        patch = answer.encoded_patch(mutate.complete(request.pod(), snapshot))
        snapshot.patches.remember(context, text, patch)
    return patch


def _report(path: str, request: Request, world: World, now: datetime) -> Answer:
    """What enforcing would say. Never refuses."""
    if world.not_ready or not _is_pod_create(request):
        return answer.allowed(request.uid)
    try:
        judgement = report.would_say(request.pod(), world.snapshot, now)
    except Exception as error:
        log.warning("review %s: no report: %s", request.uid, _brief(error))
        verdict = deny(Reason.MALFORMED, f"the object cannot be read: {_brief(error)}")
        judgement = Judgement(verdict)
    return answer.reported(
        request.uid, judgement, warn=path != REPORT_AUDIT, audit=path != REPORT_WARN
    )
