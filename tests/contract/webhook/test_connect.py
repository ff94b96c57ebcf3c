"""Exec, attach and port-forward on a real API server, by the chart's rules."""

from functools import partial
from typing import Any

import pytest

from quorate import names
from tests.contract.webhook.ground import Ground, eventually
from tests.unit.admission.pod_builder import EXEMPT_IMAGE

QUERIES = {"exec": "command=true&stdout=true", "attach": "stdout=true", "portforward": ""}


def said(ground: Ground, pod: Any, how: str) -> str:
    """What the API server says; no kubelet runs, so nothing is ever connected."""
    return ground.api.request("POST", f"{ground.path(pod, how)}?{QUERIES[how]}").message


@pytest.mark.requirement("exec, attach and port-forward into a model pod are refused")
def test_only_an_exempt_pod_is_connected_to(ground: Ground) -> None:
    """A model pod is refused with what to do instead; an exempt one gets past admission."""
    ground.put_model()
    ground.plane.node("node-1")
    model = eventually(lambda: _created(ground, "behind"), "the model is known")
    exempt = ground.created(ground.pod(_exempt, name="batch", labels={"app": "chat"}))
    try:
        # Both wait for a node, and so are not known to have one.
        assert "NotReady" in said(ground, model, "exec")
        eventually(lambda: ground.release(model, user=names.OPERATOR_USER).accepted, "the release")
        for pod in (model, exempt):
            eventually(partial(_bound, ground, pod), "the binding")
        for how in QUERIES:
            eventually(partial(_refused, ground, model, how), how)
            eventually(partial(_passed, ground, exempt, how), how)
    finally:
        ground.delete(model)
        ground.delete(exempt)


def _bound(ground: Ground, pod: Any) -> bool:
    return ground.bind(pod).accepted


def _refused(ground: Ground, pod: Any, how: str) -> bool:
    text = said(ground, pod, how)
    return "ConnectRefused" in text and "kubectl logs" in text


def _passed(ground: Ground, pod: Any, how: str) -> bool:
    return "denied the request" not in said(ground, pod, how)


def _created(ground: Ground, name: str) -> Any:
    answer = ground.create(ground.pod(name=name), dry_run=False)
    return answer.body if answer.accepted else None


def _exempt(pod: Any) -> None:
    pod["spec"] = {"containers": [{"name": "batch", "image": EXEMPT_IMAGE}]}
