"""Exceptions: what is refused, what enough people approved, and the end of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.tenant import Tenant, condition, eventually
from tests.e2e.test_escapes import found, pods
from tests.fakes.exceptions import approvers, exception
from tests.fakes.vouching import signer
from tools.demo.cluster import CommandFailed

Document = dict[str, Any]
SYSTEM = ("-n", "quorate-system")
CHIEF, DEPUTY = signer(), signer()
LIFE = timedelta(seconds=30)
DEBUGGED = timedelta(seconds=50)
"""Long enough to outlive the exception for connections, and two looks of the escape scan."""


@pytest.fixture
def approved(tenant: Tenant) -> Iterator[Tenant]:
    """A tenant whose platform policy names two approvers; its exceptions go with it."""
    floor = tenant.policy()
    floor["spec"]["exceptions"] = approvers(CHIEF, DEPUTY, threshold=2)
    tenant.cluster.apply(floor)
    yield tenant
    for name in ("connect", "debug", "gate"):
        named = f"{tenant.namespace}-{name}"
        tenant.cluster.kubectl("delete", "safetyexception", named, "--ignore-not-found", *SYSTEM)


def agreed(tenant: Tenant, name: str, requirement: str, model: str, life: timedelta) -> Document:
    """An exception that both approvers sign now."""
    cluster = tenant.cluster.get("namespace", "kube-system")["metadata"]["uid"]
    digest = tenant.models["good"].files.digest
    document = exception(
        requirement,
        CHIEF,
        DEPUTY,
        name=f"{tenant.namespace}-{name}",
        decided_at=datetime.now(UTC).replace(microsecond=0),
        life=life,
        cluster=cluster,
        policy=tenant.namespace,
        workload={"namespace": tenant.namespace, "model": model, "manifestDigest": digest},
    )
    del document["status"], document["metadata"]["uid"], document["metadata"]["generation"]
    return document


def execed(tenant: Tenant, container: str = "server") -> str:
    """What comes of running a program in the model's pod."""
    program = ("python3", "-c", "print(7 * 6)")
    try:
        return tenant.kubectl("exec", "demo", "-c", container, "--", *program)
    except CommandFailed as error:
        return error.output


def debug(tenant: Tenant) -> str:
    """What comes of kubectl debug into the model's pod; no other image is on the nodes."""
    wait = ("python3", "-c", "import signal; signal.pause()")
    options = ("--image", tenant.server["reference"], "--target=server", "--profile=restricted")
    try:
        return tenant.kubectl("debug", "demo", "-c", "debugger", *options, "--", *wait)
    except CommandFailed as error:
        return f"refused: {error.output}"


def stored(tenant: Tenant, name: str) -> Document:
    """The exception as it is now."""
    named = f"{tenant.namespace}-{name}"
    found: Document = tenant.cluster.get("safetyexception", named, *SYSTEM)
    return found


def incident(tenant: Tenant, name: str) -> Document:
    """The incident that the exception's status names."""
    named = stored(tenant, name)["status"]["incident"]
    found: Document = tenant.cluster.get("safetyincident", named, *SYSTEM)
    return found


@pytest.mark.requirement("exec, attach and port-forward into a model pod are refused")
@pytest.mark.requirement("an exception lets in until its end, and always is an incident")
@pytest.mark.requirement("a debugged pod ends with its exception")
def test_exec_and_debug_are_refused_but_for_an_exception(approved: Tenant) -> None:
    """Refused with what to do instead; let in while two approved; refused again when it ended. The
    pod that was debugged serves on until then, and is an escape after: deleted."""
    tenant = approved
    tenant.serve()
    assert "EphemeralContainer" in debug(tenant)
    tenant.cluster.apply(agreed(tenant, "debug", "EphemeralContainers", "demo", DEBUGGED))
    said = execed(tenant)
    for part in ("ConnectRefused", "kubectl logs", "SafetyException"):
        assert part in said
    document = agreed(tenant, "connect", "Connect", "demo", LIFE)
    stray = json.loads(json.dumps(document))
    stray["metadata"]["namespace"] = tenant.namespace
    tenant.cluster.apply(stray)
    tenant.cluster.apply(document)
    eventually(lambda: "42" in execed(tenant), "the exception lets in", seconds=20)
    eventually(lambda: "refused" not in debug(tenant), "kubectl debug is let in", seconds=20)
    assert "ConnectRefused" in execed(tenant, "quorate-sidecar")
    opened = incident(tenant, "connect")
    assert len(opened["spec"]["approvals"]) == 2
    assert opened["spec"]["severity"] == "High"
    elsewhere = tenant.get("safetyexception", document["metadata"]["name"])
    assert condition(elsewhere, "Active") == "False"
    eventually(lambda: "ConnectRefused" in execed(tenant), "its end", seconds=45)
    assert "42" in execed(tenant, "debugger")
    pod = tenant.running("demo", seconds=1)
    uid = pod["metadata"]["uid"]
    assert found(tenant, uid) is None
    assert incident(tenant, "debug")["spec"]["severity"] == "High"

    def closed() -> bool:
        name = opened["metadata"]["name"]
        return condition(tenant.cluster.get("safetyincident", name, *SYSTEM), "Open") == "False"

    eventually(closed, "the incident is closed", seconds=60)
    escaped = eventually(lambda: found(tenant, uid), "the debugged pod is an escape", seconds=60)
    assert "EphemeralContainer" in escaped["spec"]["summary"]
    eventually(lambda: not pods(tenant, "demo"), "it is deleted", seconds=30)


@pytest.mark.requirement("SafetyException: one requirement, one workload")
def test_a_late_gate_is_lifted_and_comes_back(approved: Tenant) -> None:
    """A model without its gate is certified while the exception is there, and not after."""
    tenant = approved
    tenant.cluster.apply(tenant.attested("late", gates=()))
    eventually(
        lambda: condition(tenant.get("attestedmodel", "late"), "Ready") == "False", "no gate"
    )
    document = agreed(tenant, "gate", "Gate/red-team", "late", timedelta(hours=1))
    tenant.cluster.apply(document)
    model = tenant.certified("late")
    (policy,) = model["status"]["policies"]
    gates = [r for r in policy["requirements"] if r["name"] == "Gate/red-team"]
    assert gates[0]["reason"] == "Excepted"
    tenant.cluster.apply(tenant.pod("late", model="late"))
    tenant.running("late")
    tenant.cluster.kubectl("delete", "safetyexception", document["metadata"]["name"], *SYSTEM)
    eventually(
        lambda: condition(tenant.get("attestedmodel", "late"), "Ready") == "False",
        "the model is held back again",
        seconds=20,
    )
