"""AdmissionReview in, AdmissionReview out: routing, refusals, reports, patches."""

import base64
import copy
import json
import socket
from datetime import timedelta
from typing import Any

import jsonpatch
import pytest

from quorate import names
from quorate.admission import rules
from quorate_webhook import review
from tests.fakes.vouching import NOW
from tests.unit.admission.pod_builder import PodBuilder, bare_pod, exempt_pod, ungate
from tests.unit.admission.world import World, good_world
from tests.unit.webhook.requests import (
    UID,
    SomePods,
    binding,
    encode,
    message,
    request,
    response,
)

WORLD = good_world()
BUILDER = PodBuilder(WORLD.snapshot)
GATED = BUILDER.build()
RUNNING = BUILDER.released().build()
LATE = NOW + timedelta(days=1)
WAITING = SomePods({("team-a", "chat-5d4c-x1"): RUNNING})


@pytest.mark.requirement("good model → Running")
def test_a_good_pod_is_admitted() -> None:
    """The uid comes back, and an auditor reads which policies and model it was judged by."""
    found = response(WORLD, request(GATED))
    assert (found["allowed"], found["uid"]) == (True, UID)
    assert found["auditAnnotations"]["policies"] == "ClusterSafetyPolicy/floor"
    assert found["auditAnnotations"]["model"] == "demo"


@pytest.mark.requirement("a denial names policy, owner, requirement and the command to see more")
def test_a_refusal_says_what_to_do() -> None:
    """Reason, requirement, policy, owner and fix stand in the message; all denials do."""
    pod = BUILDER.written(lambda p: p["spec"]["containers"][0].update(image="x:v1")).build()
    pod["spec"]["hostPID"] = True
    found = response(WORLD, request(pod))
    assert found["uid"] == UID
    text = message(found)
    for part in (
        "ServerImageNotAllowed: ",
        "HostAccess: ",
        "requirement: model.servers",
        "policy: ClusterSafetyPolicy/floor",
        "owner: safety team <safety@example.com>",
        "fix: ",
    ):
        assert part in text
    assert found["auditAnnotations"]["reasons"] == "HostAccess,ServerImageNotAllowed"


def test_warnings_come_with_an_allowed_pod() -> None:
    """What is still being verified is said when the pod is created."""
    world = good_world()
    world.put_model([], {"policies": []})
    found = response(world, request(PodBuilder(world.snapshot).build()))
    assert found["allowed"]
    assert found["warnings"][0].startswith("VerificationPending: ")
    assert all(len(warning.encode()) <= 256 for warning in found["warnings"])


def test_many_wrong_containers_make_a_short_message() -> None:
    """A refusal has a bound, and says that there is more."""
    pod = copy.deepcopy(GATED)
    pod["spec"]["containers"] = [{"name": f"c{i}" * 100, "image": "x" * 9999} for i in range(60)]
    text = message(response(WORLD, request(pod)))
    assert len(text) < 300_000
    assert text.splitlines()[-1].startswith("… and ")


UNEXPECTED: list[dict[str, Any]] = [
    {"operation": "DELETE"},
    {"operation": "CONNECT"},
    {"operation": "UPDATE", "sub_resource": "status"},
    {"operation": "CREATE", "sub_resource": "exec"},
    {"operation": "CREATE", "sub_resource": "eviction"},
    {"operation": "UPDATE", "sub_resource": "binding"},
    {"operation": "CREATE", "resource": "deployments"},
    {"operation": "CREATE", "resource": "pods", "fields": {"resource": {
        "group": "apps", "version": "v1", "resource": "pods"}}},
    {"operation": ""},
]  # fmt: skip


@pytest.mark.parametrize("what", UNEXPECTED, ids=str)
def test_what_is_not_expected_is_refused(what: dict[str, Any]) -> None:
    """A configuration that sends us something else does not open a door."""
    what = dict(what)
    fields = what.pop("fields", {})
    found = response(WORLD, request(GATED, old=GATED, **what) | {})
    if fields:
        document = request(GATED)
        document["request"] |= fields
        found = response(WORLD, document)
    assert message(found).startswith("Malformed: no rule for")


def test_an_unknown_path_is_refused() -> None:
    """Nothing is allowed by a path that nobody wrote a rule for."""
    assert "nothing is served" in message(response(WORLD, request(GATED), "/v2/validate"))


def review_without(*path: str) -> bytes:
    document: Any = request(copy.deepcopy(GATED))
    target = document
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]
    return encode(document)


def review_with(value: Any, *path: str) -> bytes:
    document: Any = request(copy.deepcopy(GATED))
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return encode(document)


GOOD_BYTES = encode(request(GATED))
BAD_REVIEWS: list[tuple[str, bytes, str]] = [
    ("empty", b"", ""),
    ("not JSON", b"hello", ""),
    ("a list", b"[]", ""),
    ("null", b"null", ""),
    ("truncated", GOOD_BYTES[: len(GOOD_BYTES) // 2], UID),
    ("not UTF-8", GOOD_BYTES.replace(b"server", b"\xff\xfe", 1), UID),
    ("trailing bytes", GOOD_BYTES + b"{}", UID),
    ("NaN", review_with("NAN", "request", "name").replace(b'"NAN"', b"NaN"), UID),
    ("deeply nested", b'{"request":{"uid":"%b","x":' % UID.encode() + b"[" * 100_000, UID),
    ("deeply nested pod", review_with("DEEP", "request", "object", "spec", "x").replace(
        b'"DEEP"', b"[" * 50_000 + b"]" * 50_000), UID),
    ("another version", review_with("admission.k8s.io/v2", "apiVersion"), UID),
    ("another kind", review_with("Pod", "kind"), UID),
    ("no request", review_without("request"), ""),
    ("no uid", review_without("request", "uid"), ""),
    ("no resource", review_without("request", "resource"), UID),
    ("no operation", review_without("request", "operation"), UID),
    ("no object", review_without("request", "object"), UID),
    ("null object", review_with(None, "request", "object"), UID),
    ("a string for an object", review_with("pod", "request", "object"), UID),
    ("no metadata", review_without("request", "object", "metadata"), UID),
    ("no spec", review_without("request", "object", "spec"), UID),
    ("a list for a spec", review_with([], "request", "object", "spec"), UID),
    ("labels of numbers", review_with({"a": 1}, "request", "object", "metadata", "labels"), UID),
    ("another namespace", review_with("team-b", "request", "object", "metadata", "namespace"), UID),
    ("no namespace", review_with("", "request", "namespace"), UID),
    ("containers of numbers", review_with([1], "request", "object", "spec", "containers"), UID),
    ("a container without a name", review_with(
        [{"image": "x"}], "request", "object", "spec", "containers"), UID),
    ("volumes of strings", review_with(["v"], "request", "object", "spec", "volumes"), UID),
    ("a long uid", review_with("u" * 10_000, "request", "uid"), ""),
]  # fmt: skip


@pytest.mark.requirement("bad input: a clear error or DENY, no crash")
@pytest.mark.parametrize(
    ("body", "uid"), [c[1:] for c in BAD_REVIEWS], ids=[c[0] for c in BAD_REVIEWS]
)
def test_what_cannot_be_read_is_refused(body: bytes, uid: str) -> None:
    """Whatever arrives, the answer is a refusal, with the uid if it could be found."""
    found = response(WORLD, body)
    assert message(found).startswith("Malformed: ")
    assert found["uid"] == uid


def test_an_update_needs_the_object_as_it_was() -> None:
    """Without the old object nobody can say what changed."""
    found = response(WORLD, request(RUNNING, "UPDATE"))
    assert message(found).startswith("Malformed: ")


def test_a_bug_refuses(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An error nobody thought of is a DENY, and is logged."""

    def broken(*args: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(review._JUDGES, ("pods", "", "CREATE"), broken)
    assert message(response(WORLD, request(GATED))).startswith("InternalError: ")
    assert "a bug" in caplog.text


@pytest.mark.requirement("readiness only with synced caches")
def test_nothing_is_decided_from_an_old_view() -> None:
    """While the cache is not to be relied on, validate refuses; mutate and reports do nothing."""
    why = "AttestedModel: not listed yet"
    assert message(response(WORLD, request(GATED), not_ready=why)).startswith("NotReady: " + why)
    for path in (review.MUTATE, review.REPORT_WARN, review.REPORT_AUDIT):
        found = response(WORLD, request(bare_pod()), path, not_ready=why)
        assert found == {"uid": UID, "allowed": True}


def updated(change: Any, **fields: Any) -> dict[str, Any]:
    new = copy.deepcopy(GATED)
    change(new)
    return request(new, "UPDATE", old=GATED, **fields)


@pytest.mark.requirement("gate removal by another identity → denied")
def test_the_user_of_an_update_counts() -> None:
    """The operator's identity is that of the request, not a name in the object."""
    assert message(response(WORLD, updated(ungate))).startswith("SchedulingGateHeld")
    assert response(WORLD, updated(ungate, user=names.OPERATOR_USER))["allowed"]
    late = response(WORLD, updated(ungate, user=names.OPERATOR_USER), now=LATE)
    assert message(late).startswith("CertificateExpired")


@pytest.mark.requirement("resize of the injected containers → denied")
def test_resize_is_judged_like_an_update() -> None:
    """The server's own resources may change at any time, the injected ones' may not."""

    def server(pod: dict[str, Any]) -> None:
        pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}

    def sidecar(pod: dict[str, Any]) -> None:
        pod["spec"]["initContainers"][1]["resources"]["limits"]["cpu"] = "1m"

    assert response(WORLD, updated(server, sub_resource="resize"), now=LATE)["allowed"]
    refused = response(WORLD, updated(sidecar, sub_resource="resize"))
    assert message(refused).startswith("InjectionDiffers")


@pytest.mark.requirement("pods/ephemeralcontainers")
def test_ephemeral_containers_are_refused() -> None:
    """By the subresource that adds them."""

    def debug(pod: dict[str, Any]) -> None:
        pod["spec"]["ephemeralContainers"] = [{"name": "d", "image": "x"}]

    found = response(WORLD, updated(debug, sub_resource="ephemeralcontainers"))
    assert message(found).startswith("EphemeralContainer")


@pytest.mark.requirement("pods/binding and bindings re-check that the pod still passes")
@pytest.mark.parametrize(
    "where", [{"sub_resource": "binding"}, {"resource": "bindings"}], ids=["new", "legacy"]
)
def test_binding_asks_for_the_pod_as_it_is_known(where: dict[str, Any]) -> None:
    """A pod that may run is bound; one whose evidence ended, or that nobody knows, is not."""
    asked = request(binding(), **where)
    assert response(WORLD, asked, pods=WAITING)["allowed"]
    late = response(WORLD, asked, pods=WAITING, now=LATE)
    assert message(late).startswith("CertificateExpired")
    assert message(response(WORLD, asked)).startswith("NotReady: pod team-a/chat-5d4c-x1")
    uid = RUNNING["metadata"]["uid"]
    assert response(WORLD, request(binding(uid=uid), **where), pods=WAITING)["allowed"]
    another = response(WORLD, request(binding(uid="another"), **where), pods=WAITING)
    assert message(another).startswith("NotReady")


def test_a_binding_names_one_pod() -> None:
    """The name in the path and in the object must agree; labels must not change the model."""
    asked = request(binding(), sub_resource="binding", name="other")
    assert message(response(WORLD, asked, pods=WAITING)).startswith("Malformed")
    nameless = request(binding(name=""), sub_resource="binding")
    assert message(response(WORLD, nameless, pods=WAITING)).startswith("Malformed")
    relabelled = request(binding(labels={names.MODEL_LABEL: "x"}), sub_resource="binding")
    assert message(response(WORLD, relabelled, pods=WAITING)).startswith("GuardedFieldChanged")


def patched(found: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
    assert found["allowed"]
    assert found["patchType"] == "JSONPatch"
    result: dict[str, Any] = jsonpatch.apply_patch(
        pod, json.loads(base64.b64decode(found["patch"]))
    )
    return result


@pytest.mark.requirement("byte-equal injection")
def test_what_mutate_makes_validate_admits() -> None:
    """The patched pod passes, and patching it again changes nothing."""
    pod = bare_pod()
    once = patched(response(WORLD, request(pod), review.MUTATE), pod)
    assert response(WORLD, request(once))["allowed"]
    assert "patch" not in response(WORLD, request(once), review.MUTATE)


@pytest.mark.requirement("committee: canaries are asked by a designated pod's sidecar")
def test_a_pod_that_names_a_deck_gets_its_volume_and_others_do_not() -> None:
    """The same spec in turn, with the annotation and without: what is remembered of one text is
    never another pod's."""
    decks = ("", "canaries", "", "others", "canaries")
    for deck in decks:
        pod = bare_pod()
        pod["metadata"]["annotations"] = {names.CANARY_ANNOTATION: deck} if deck else {"a": "b"}
        once = patched(response(WORLD, request(pod), review.MUTATE), pod)
        found = [v["secret"] for v in once["spec"]["volumes"] if v["name"] == names.CANARY_VOLUME]
        assert [secret["secretName"] for secret in found] == ([deck] if deck else [])
        assert response(WORLD, request(once))["allowed"]
        assert "patch" not in response(WORLD, request(once), review.MUTATE)


@pytest.mark.requirement("no AttestedModel → create denied with policy, owner and fix")
def test_a_pod_of_an_unknown_model_is_completed_and_refused() -> None:
    """Left bare, the floor would refuse it first, without saying that its model is not known."""
    pod = bare_pod()
    pod["metadata"]["labels"][names.MODEL_LABEL] = "nobody"
    once = patched(response(WORLD, request(pod), review.MUTATE), pod)
    assert once["spec"]["schedulingGates"] == [{"name": names.SCHEDULING_GATE}]
    refused = response(WORLD, request(once))
    assert not refused["allowed"]
    assert "AttestedModelNotFound" in refused["status"]["message"]


@pytest.mark.parametrize(
    ("body", "uid"), [c[1:] for c in BAD_REVIEWS], ids=[c[0] for c in BAD_REVIEWS]
)
def test_only_validate_refuses_what_cannot_be_read(body: bytes, uid: str) -> None:
    """Mutate and reports have no no of their own: what they let by, validate refuses."""
    for path in (review.MUTATE, review.REPORT_WARN, review.REPORT_AUDIT):
        found = response(WORLD, body, path)
        assert (found["uid"], found["allowed"]) == (uid, True)


def test_mutate_never_denies_a_review_it_can_read() -> None:
    """Exempt, hopeless, odd or unexpected: validate says what is wrong."""
    odd = bare_pod()
    odd["spec"]["volumes"] = "many"
    nameless = bare_pod()
    nameless["spec"]["volumes"][0] = {"image": nameless["spec"]["volumes"][0]["image"]}
    for document in (
        request(exempt_pod()),
        request(odd),
        request(nameless),
        request(GATED, "DELETE"),
        request(bare_pod(), sub_resource="exec"),
    ):
        assert response(WORLD, document, review.MUTATE) == {"uid": UID, "allowed": True}


@pytest.mark.requirement("warn and audit only report")
def test_reports_never_refuse() -> None:
    """In warn the user reads what enforcing would say, in audit the auditor does."""
    pod = bare_pod()
    pod["spec"]["containers"][0]["image"] = "x:v1"
    warned = response(WORLD, request(pod), review.REPORT_WARN)
    assert warned["allowed"]
    assert "ServerImageNotAllowed" in " ".join(warned["warnings"])
    assert "auditAnnotations" not in warned
    audited = response(WORLD, request(pod), review.REPORT_AUDIT)
    assert audited["allowed"]
    assert audited["auditAnnotations"]["reasons"] == "ServerImageNotAllowed"
    assert "warnings" not in audited
    both = response(WORLD, request(pod), review.REPORT)
    assert both["warnings"] == warned["warnings"]
    assert both["auditAnnotations"] == audited["auditAnnotations"]


def test_reports_inject_in_thought() -> None:
    """A good pod without our containers gets no warning; its evidence counts as when enforced."""
    for path in (review.REPORT_WARN, review.REPORT_AUDIT):
        found = response(WORLD, request(bare_pod()), path)
        assert "warnings" not in found
        assert "reasons" not in found.get("auditAnnotations", {})
    late = response(WORLD, request(bare_pod()), review.REPORT_WARN, now=LATE)
    assert "CertificateExpired" in late["warnings"][0]
    gone = response(World(), request(bare_pod()), review.REPORT_WARN)
    assert "NoPolicySelectsPod" in gone["warnings"][0]


@pytest.mark.parametrize(
    "document",
    [
        request(RUNNING, "UPDATE", old=RUNNING),
        request(GATED, sub_resource="binding"),
        request({"metadata": {"name": "x", "namespace": "team-a"}, "spec": {"containers": 5}}),
    ],
    ids=["update", "binding", "junk"],
)
def test_reports_never_refuse_what_is_odd(document: dict[str, Any]) -> None:
    """A namespace that does not enforce is never stopped by us."""
    for path in (review.REPORT, review.REPORT_WARN, review.REPORT_AUDIT):
        assert response(WORLD, document, path)["allowed"]


@pytest.mark.requirement("A test denies sockets while it answers")
def test_no_socket_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path of any review makes, connects or looks up anything."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a review touched the network")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair", "fromfd"):
        monkeypatch.setattr(socket, name, refuse)
    asked = [
        (review.VALIDATE, request(GATED), True),
        (review.VALIDATE, request(bare_pod()), False),
        (review.VALIDATE, updated(ungate, user=names.OPERATOR_USER), True),
        (review.VALIDATE, request(binding(), sub_resource="binding"), True),
        (review.MUTATE, request(bare_pod()), True),
        (review.REPORT, request(bare_pod()), True),
    ]
    for path, document, allowed in asked:
        assert response(WORLD, document, path, pods=WAITING)["allowed"] is allowed


@pytest.mark.requirement("signatures are checked when an object enters the cache, never per review")
def test_no_signature_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every signature was verified before the first review."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a review verified a signature")

    monkeypatch.setattr("quorate.keys.PublicKey.verify", refuse)
    monkeypatch.setattr("quorate.evidence.dsse.verify", refuse)
    assert response(WORLD, request(GATED))["allowed"]
    assert response(WORLD, updated(ungate, user=names.OPERATOR_USER))["allowed"]
    assert response(WORLD, request(binding(), sub_resource="binding"), pods=WAITING)["allowed"]
    with pytest.raises(AssertionError, match="verified a signature"):
        good_world()


def test_dry_run_is_answered_alike() -> None:
    """An answer never writes anything, so a dry run gets the same one."""
    for pod in (GATED, bare_pod()):
        assert response(WORLD, request(pod, dryRun=True)) == response(WORLD, request(pod))


BOUND = SomePods({("team-a", "chat-5d4c-x1"): RUNNING, ("team-a", "batch"): exempt_pod()})


def connection(name: str = "chat-5d4c-x1", how: str = "exec", **options: Any) -> Any:
    """A review of a connection, as the API server sends it: with options instead of a pod."""
    body = {"kind": "PodExecOptions", "apiVersion": "v1", "stdin": True, "command": ["sh"]}
    return request(None, "CONNECT", sub_resource=how, name=name, object=body | options)


@pytest.mark.requirement("exec, attach and port-forward into a model pod are refused")
def test_connections_are_judged_by_the_pod_they_are_to() -> None:
    """Refused to a model pod, allowed to an exempt one; one that is not known may come."""
    for how in ("exec", "attach", "portforward"):
        text = message(response(WORLD, connection(how=how), bound=BOUND))
        assert text.startswith("ConnectRefused")
        assert response(WORLD, connection("batch", how), bound=BOUND)["allowed"]
        assert message(response(WORLD, connection("new", how), bound=BOUND)).startswith("NotReady")
    odd = connection(container=["a"])
    assert message(response(WORLD, odd, bound=BOUND)).startswith("Malformed")


@pytest.mark.requirement("a deck of canaries reaches the sidecar of the pod that names it alone")
def test_the_annotation_of_a_deck_is_read_whatever_came_before() -> None:
    """Pods of one template with a deck, without one and with another each get their own patch."""
    world = good_world()
    for secret in (None, "deck", None, "other", "deck"):
        pod = copy.deepcopy(bare_pod())
        if secret:
            pod["metadata"]["annotations"] = {"note": "x", names.CANARY_ANNOTATION: secret}
        found = response(world, request(pod), path=review.MUTATE)
        operations = json.loads(base64.b64decode(found["patch"]))
        volumes = jsonpatch.apply_patch(pod, operations)["spec"]["volumes"]
        decks = [v["secret"]["secretName"] for v in volumes if v["name"] == names.CANARY_VOLUME]
        assert decks == ([secret] if secret else [])


def test_the_next_release_of_a_template_is_not_judged_by_its_shape_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its certificates are, at that moment."""
    world = good_world()
    builder = PodBuilder(world.snapshot)
    gated, running = builder.build(), PodBuilder(world.snapshot).released().build()
    release = request(running, "UPDATE", old=gated, user=names.OPERATOR_USER)
    assert response(world, release)["allowed"]
    monkeypatch.delattr(rules, "check")
    assert response(world, release)["allowed"]
    late = response(world, release, now=LATE)
    assert "CertificateExpired" in message(late)
