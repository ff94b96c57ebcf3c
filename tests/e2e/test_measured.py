"""The model that is mounted is the one that was signed, or its server never starts."""

from functools import partial

import pytest

from tests.e2e.artifacts import SPOILERS
from tests.e2e.tenant import Tenant, eventually

EXPECTED = {
    "changed-byte": "changed: model.safetensors",
    "added-file": "not signed: extra.py",
    "renamed-file": "not signed: config.py",
    "symlinked-file": "config.json",
}


@pytest.mark.requirement(
    "one byte changed, a file added, renamed or symlinked → the model container never starts"
)
@pytest.mark.bypass("E32", "P01")
def test_spoilt_models_never_start(tenant: Tenant) -> None:
    """Each spoilt copy is refused on the node, with the file in the termination message."""
    for name in SPOILERS:
        tenant.cluster.apply(tenant.attested(name, image=name))
        tenant.certified(name)
        tenant.cluster.apply(tenant.pod(name, model=name, image=name))
    for name in SPOILERS:
        message = eventually(partial(termination, tenant, name), f"{name} is measured and refused")
        assert EXPECTED[name] in message, name
        pod = tenant.get("pod", name)
        server = pod["status"]["containerStatuses"][0]
        assert server["started"] is False
        assert server.get("lastState", {}) == {}
    for name in SPOILERS:
        summary = eventually(partial(incident, tenant, name), f"{name} is an incident")
        assert EXPECTED[name] in summary, name


def incident(tenant: Tenant, pod: str) -> str:
    """The summary of the incident that says that the pod's model is another one; empty if none."""
    for found in tenant.get("safetyincidents")["items"]:
        spec = found["spec"]
        if (spec["rule"], spec["subject"]["name"]) == ("ModelMismatch", pod):
            return str(spec["summary"])
    return ""


def termination(tenant: Tenant, name: str) -> str:
    """The termination message of the measuring container; empty until it failed."""
    statuses = tenant.get("pod", name).get("status", {}).get("initContainerStatuses", [])
    for status in statuses:
        if status["name"] == "quorate-measure":
            for state in (status.get("state", {}), status.get("lastState", {})):
                ended = state.get("terminated") or {}
                if ended.get("exitCode"):
                    return str(ended.get("message", ""))
    return ""
