"""Ephemeral containers: never without an exception, never near what was injected, not after it."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from quorate.admission import connect, debugging, escape
from quorate.admission.escape import Escape
from quorate.alerts import Rule
from quorate.verdict import Reason
from tests.fakes.exceptions import exception
from tests.fakes.vouching import NOW, policy, signer
from tests.unit.admission.pod_builder import (
    EXEMPT_IMAGE,
    SERVER_IMAGE,
    Document,
    exempt_pod,
)
from tests.unit.admission.test_bypasses import OTHER_IMAGE
from tests.unit.admission.test_connect import CHIEF, world_with
from tests.unit.admission.test_escape import KEY, running
from tests.unit.admission.world import FLOOR, World, good_world

REQUIREMENT = "ephemeral containers into a model pod are refused unless an exception says so"
APPROVED = exception("EphemeralContainers", CHIEF)
AFTER = NOW + timedelta(days=1)
"""When APPROVED has ended."""


def shell(**fields: Any) -> Document:
    """An ephemeral container as kubectl debug adds it."""
    return {"name": "debugger", "image": OTHER_IMAGE, "stdin": True, "tty": True} | fields


def debugged(pod: Document | None = None, *containers: Document) -> Document:
    """The pod with ephemeral containers."""
    changed = copy.deepcopy(pod or running())
    changed["spec"]["ephemeralContainers"] = list(containers) or [shell()]
    return changed


def reasons(old: Document, new: Document, world: World, now: Any = NOW) -> list[Reason]:
    """Why adding them is refused."""
    verdict = debugging.added(old, new, world.snapshot, now).verdict
    return [denial.reason for denial in verdict.denials]


@pytest.mark.requirement("pods/ephemeralcontainers")
def test_none_in_model_pods() -> None:
    """Whatever their image; in an exempt pod an exempt image is allowed."""
    world = good_world()
    for image in (OTHER_IMAGE, SERVER_IMAGE, EXEMPT_IMAGE):
        new = debugged(None, shell(image=image))
        assert reasons(running(), new, world) == [Reason.EPHEMERAL_CONTAINER]
    batch = exempt_pod()
    assert reasons(batch, debugged(batch, shell(image=EXEMPT_IMAGE)), world) == []
    assert reasons(batch, debugged(batch), world) == [Reason.EPHEMERAL_CONTAINER]
    assert reasons(running(), running(), world) == []


@pytest.mark.requirement(REQUIREMENT)
def test_an_approved_exception_lets_them_in_until_it_ends() -> None:
    """With a warning that says what becomes of the pod; the refusal before says what to ask for."""
    snapshot = world_with(APPROVED).snapshot
    found = debugging.added(running(), debugged(), snapshot, NOW)
    assert found.verdict.allowed
    assert "is deleted when it ends" in found.warnings[0]
    late = debugging.added(running(), debugged(), snapshot, AFTER).verdict
    for part in ("EphemeralContainer", "ClusterSafetyPolicy/floor", "SafetyException"):
        assert part in late.text()


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize(
    "document",
    [
        exception("EphemeralContainers"),
        exception("EphemeralContainers", signer()),
        exception("Connect", CHIEF),
        exception("Gate/red-team", CHIEF),
        exception("EphemeralContainers", CHIEF, namespace="team-a"),
        exception("EphemeralContainers", CHIEF, incident=""),
        exception("EphemeralContainers", CHIEF, workload={"model": "other"}),
        exception("EphemeralContainers", CHIEF, workload={"manifestDigest": f"sha256:{'0' * 64}"}),
        exception("EphemeralContainers", CHIEF, cluster="cluster-2"),
        exception("EphemeralContainers", CHIEF) | {"spec": {}},
    ],
)
def test_anything_less_does_not(document: Document) -> None:
    """Not approved, for something else, elsewhere, or before its incident is open."""
    world = world_with(document)
    assert reasons(running(), debugged(), world) == [Reason.EPHEMERAL_CONTAINER]
    assert find(debugged(), world) is not None


def test_every_floor_must_be_lifted() -> None:
    """Another ClusterSafetyPolicy that selects the pod still refuses, and is named alone."""
    world = world_with(APPROVED)
    world.put_policy(policy(FLOOR, name="second"))
    verdict = debugging.added(running(), debugged(), world.snapshot, NOW).verdict
    assert [denial.policy for denial in verdict.denials] == ["ClusterSafetyPolicy/second"]


NEVER: dict[str, tuple[Document, Reason]] = {
    "the sidecar's processes": (
        {"targetContainerName": names.SIDECAR_CONTAINER},
        Reason.EPHEMERAL_CONTAINER,
    ),
    "measure's processes": (
        {"targetContainerName": names.MEASURE_CONTAINER},
        Reason.EPHEMERAL_CONTAINER,
    ),
    "our names": ({"name": "quorate-shell"}, Reason.RESERVED_NAME),
    "an injected volume": (
        {"volumeMounts": [{"name": f"{names.VOLUME_PREFIX}token", "mountPath": "/t"}]},
        Reason.RESERVED_NAME,
    ),
    "the model writable": (
        {"volumeMounts": [{"name": "model", "mountPath": "/m"}]},
        Reason.MODEL_MOUNT_WRITABLE,
    ),
    "privilege": ({"securityContext": {"privileged": True}}, Reason.HOST_ACCESS),
    "a capability": (
        {"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}},
        Reason.HOST_ACCESS,
    ),
    "a device": ({"volumeDevices": [{"name": "d", "devicePath": "/d"}]}, Reason.HOST_ACCESS),
}


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize(("fields", "reason"), NEVER.values(), ids=NEVER)
def test_no_exception_lifts_what_would_reach_the_key_or_the_node(
    fields: Document, reason: Reason
) -> None:
    """Refused with an approved exception too, and an escape if it got there all the same."""
    world = world_with(APPROVED)
    new = debugged(None, shell(**fields))
    assert reasons(running(), new, world) == [reason]
    assert find(new, world) is not None
    beside = debugged(None, shell(name="other"), shell(**fields))
    assert reasons(debugged(None, shell(name="other")), beside, world) == [reason]


def test_the_server_may_be_looked_at() -> None:
    """Its processes, and the model read-only: what one debugs for."""
    mount = {"name": "model", "mountPath": "/model", "readOnly": True}
    new = debugged(None, shell(targetContainerName="server", volumeMounts=[mount]))
    assert reasons(running(), new, world_with(APPROVED)) == []


def test_only_a_pod_that_has_a_node_and_a_sidecar() -> None:
    """Not one that still waits, whose gate would have to go with it; not one that nobody watches,
    such as an exempt one that carries the model's label."""
    world = world_with(APPROVED)
    waiting = running()
    del waiting["spec"]["nodeName"]
    assert reasons(waiting, debugged(waiting), world) == [Reason.EPHEMERAL_CONTAINER]
    bare = running()
    bare["spec"]["initContainers"] = bare["spec"]["initContainers"][:1]
    assert reasons(bare, debugged(bare), world) == [Reason.EPHEMERAL_CONTAINER]
    batch = exempt_pod()
    batch["metadata"]["labels"] = dict(running()["metadata"]["labels"])
    batch["spec"]["nodeName"] = "node-1"
    assert reasons(batch, debugged(batch), world) == [Reason.EPHEMERAL_CONTAINER]


def find(pod: Document, world: World, now: Any = NOW) -> Escape | None:
    """What the escape scan says of it."""
    return escape.find(pod, world.snapshot, KEY, now)


@pytest.mark.requirement("a debugged pod ends with its exception")
def test_a_debugged_pod_is_no_escape_until_the_exception_ends() -> None:
    """Covered: left alone. Ended, deleted, or with bytes that nobody approved: found."""
    world = world_with(APPROVED)
    assert find(debugged(), world) is None
    found = find(debugged(), world, AFTER)
    assert found is not None
    assert (found.rule, found.deletable) == (Rule.POD_ESCAPED, True)
    assert found.why.startswith("EphemeralContainer")
    world.store.remove("SafetyException", (names.NAMESPACE, "late-gate"))
    assert find(debugged(), world) is not None
    assert find(running(), world) is None


@pytest.mark.requirement("a debugged pod ends with its exception")
def test_an_exception_hides_no_other_change() -> None:
    """Another image beside it, a mark of another pod, or a pod that was never released."""
    world = world_with(APPROVED)
    pod = debugged()
    pod["spec"]["containers"][0]["image"] = OTHER_IMAGE
    assert find(pod, world) is not None
    pod = debugged()
    pod["metadata"]["uid"] = "another"
    assert find(pod, world) is not None
    pod = debugged()
    pod["spec"]["initContainers"][1]["resources"]["limits"]["cpu"] = "1m"
    assert find(pod, world) is not None


@pytest.mark.requirement(REQUIREMENT)
def test_what_may_be_put_there_may_be_attached_to() -> None:
    """kubectl debug -it attaches to its own container, and by this to no other."""
    snapshot = world_with(APPROVED).snapshot
    for container, allowed in (("debugger", True), ("server", False), ("", False)):
        for how in ("exec", "attach"):
            found = connect.connect(debugged(), how, container, snapshot, NOW)
            assert found.verdict.allowed is allowed, (how, container)
    sidecar = connect.connect(debugged(), "exec", names.SIDECAR_CONTAINER, snapshot, NOW)
    assert not sidecar.verdict.allowed
    assert not connect.connect(debugged(), "attach", "debugger", snapshot, AFTER).verdict.allowed
