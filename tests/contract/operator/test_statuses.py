"""What the API server does with the statuses the operator applies."""

import json
from typing import Any

import pytest

from quorate import names
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.status import apply_status
from quorate_operator.kinds import ATTESTED_MODEL, Key
from quorate_operator.reconcile.actions import ApplyStatus, Target
from tests.contract.operator.control_plane import ControlPlane
from tests.unit.operator.fake_api import Holding
from tests.unit.operator.scene import signed_and_gated

pytestmark = [pytest.mark.cluster]
Document = dict[str, Any]


def condition(kind: str, status: str = "True") -> Document:
    """A condition as the planners write it."""
    return {
        "type": kind,
        "status": status,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-21T12:00:00Z",
        "reason": "Verified",
        "message": "",
    }


def status(*conditions: Document) -> Document:
    """A model's status."""
    return {
        "observedGeneration": 1,
        "conditions": list(conditions),
        "policies": [],
        "certificates": [],
    }


async def create(api: ApiServer, namespace: str) -> Document:
    """A model at the API server."""
    document = signed_and_gated()
    document["metadata"] = {"name": "demo", "namespace": namespace}
    return await api.create(ATTESTED_MODEL, namespace, document)


def action(model: Document, wanted: Document) -> ApplyStatus:
    """The action that writes a status."""
    metadata = model["metadata"]
    key = Key(ATTESTED_MODEL.name, metadata["namespace"], metadata["name"])
    target = Target(key, metadata["uid"], names.API_VERSION)
    return ApplyStatus(target, metadata["resourceVersion"], wanted)


@pytest.mark.requirement("C7: writes by SSA with a fixed fieldManager")
async def test_status_is_applied_and_owned(api: ApiServer, namespace: str) -> None:
    """The whole status is ours by server-side apply, and the spec stays as it was."""
    model = await create(api, namespace)
    written = await apply_status(
        api, Holding(), action(model, status(condition("Ready"), condition("Signed")))
    )
    assert written is not None
    assert [c["type"] for c in written["status"]["conditions"]] == ["Ready", "Signed"]
    assert written["spec"] == model["spec"]
    assert written["metadata"]["generation"] == 1
    owners = {
        (entry["manager"], entry["operation"], entry.get("subresource"))
        for entry in written["metadata"]["managedFields"]
        if "f:status" in entry["fieldsV1"]
    }
    assert owners == {(names.FIELD_MANAGER, "Apply", "status")}


@pytest.mark.requirement("C7: no fights over fields")
async def test_condition_of_another_manager_stays(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """Conditions are a map by type: ours come and go without touching theirs; ours win."""
    model = await create(api, namespace)
    theirs = {
        "apiVersion": names.API_VERSION,
        "kind": ATTESTED_MODEL.name,
        "metadata": {"name": "demo", "namespace": namespace},
        "status": {"conditions": [condition("Reviewed"), condition("Ready", "False")]},
    }
    plane.kubectl(
        *("apply", "--server-side", "--subresource=status", "--field-manager=auditor", "-f", "-"),
        stdin=json.dumps(theirs),
    )
    model = await api.get(ATTESTED_MODEL.path(namespace, "demo"))
    first = await apply_status(
        api, Holding(), action(model, status(condition("Ready"), condition("Signed")))
    )
    assert first is not None
    found = {c["type"]: c["status"] for c in first["status"]["conditions"]}
    assert found == {"Reviewed": "True", "Ready": "True", "Signed": "True"}
    second = await apply_status(api, Holding(), action(first, status(condition("Ready"))))
    assert second is not None
    assert {c["type"] for c in second["status"]["conditions"]} == {"Reviewed", "Ready"}


async def test_the_same_status_again_changes_nothing(api: ApiServer, namespace: str) -> None:
    """No new version, so no event that would make the operator look again."""
    model = await create(api, namespace)
    first = await apply_status(api, Holding(), action(model, status(condition("Ready"))))
    assert first is not None
    second = await apply_status(api, Holding(), action(first, status(condition("Ready"))))
    assert second is not None
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_object_that_changed_or_was_made_anew_is_not_written_to(
    api: ApiServer, namespace: str
) -> None:
    """What was judged is not there any more; its newer version gets a look of its own."""
    model = await create(api, namespace)
    path = ATTESTED_MODEL.path(namespace, "demo")
    await api.merge(path, {"spec": {"version": "2"}})
    assert await apply_status(api, Holding(), action(model, status())) is None
    found = await api.get(path)
    assert "status" not in found
    gone = {"metadata": found["metadata"] | {"name": "gone"}}
    assert await apply_status(api, Holding(), action(gone, status())) is None
    assert [m["metadata"]["name"] async for m in api.list(ATTESTED_MODEL, namespace)] == ["demo"]
