"""``explain``: what happened to a pod after admission, and whether it serves."""

from typing import Any

import pytest

from quorate_cli.commands.explain import result
from quorate_cli.explain.text import render
from tests.unit.cli.fake_cluster import (
    NAMESPACE,
    FakeCluster,
    answers,
    refusals,
)


def test_running_pod_is_asked_whether_it_may_run(cluster: FakeCluster) -> None:
    """A released pod is past creation; its node side shows measure, sidecar and server."""
    pod = cluster.pod(gated=False)
    pod["spec"]["nodeName"] = "node-1"
    pod["status"] = {
        "phase": "Running",
        "initContainerStatuses": [
            status("quorate-measure", {"terminated": {"exitCode": 0, "reason": "Completed"}}, True),
            status("quorate-sidecar", {"running": {"startedAt": "2026-11-21T11:00:00Z"}}, True),
        ],
        "containerStatuses": [
            status("server", {"running": {"startedAt": "2026-11-21T11:00:05Z"}}, True)
        ],
    }
    cluster.reader.put(pod)
    explained = cluster.explain()
    assert answers(explained) == {"run": "yes", "serve": "yes"}
    assert explained.node_side is not None
    assert [(c.role, c.ready) for c in explained.node_side.containers] == [
        *(("measure", True), ("sidecar", True), ("server", True)),
    ]
    assert explained.subject.node == "node-1"


def status(name: str, state: dict[str, Any], ready: bool, **more: Any) -> dict[str, Any]:
    """A container's status as the kubelet writes it."""
    return {"name": name, "state": state, "ready": ready, "restartCount": 0} | more


def test_what_measure_found_is_shown(cluster: FakeCluster) -> None:
    """A model whose bytes differ: the file's name from the termination message is in the text."""
    pod = cluster.pod(gated=False)
    pod["status"] = {
        "phase": "Pending",
        "initContainerStatuses": [
            status(
                "quorate-measure",
                {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
                False,
                restartCount=3,
                lastState={"terminated": {"exitCode": 1, "message": "config.json differs"}},
            )
        ],
    }
    cluster.reader.put(
        pod,
        event("Warning", "BackOff", "Back-off restarting container"),
        event("Normal", "Pulled", "Container image present"),
    )
    explained = cluster.explain()
    text = "\n".join(render(explained, 100))
    assert "config.json differs" in text
    assert "CrashLoopBackOff), ended with 1 before, 3 restarts" in text
    assert "BackOff: Back-off restarting container" in text
    assert "Pulled" not in text
    assert answers(explained) == {"run": "yes", "serve": "no"}
    assert result(explained, 100).exit_code == 1
    logs, verify, _ = refusals(explained, "serve")["MeasureFailed"].remedy.commands
    assert logs == "kubectl logs chat -n team-a -c quorate-measure --tail=50"
    assert verify.startswith("kubectl quorate verify DIR ")
    assert "✗ quorate-sidecar: not ready, not started" in text


RUNNING = {"running": {"startedAt": "2026-11-21T11:00:00Z"}}
DONE = {"terminated": {"exitCode": 0}}


@pytest.mark.parametrize(
    ("measure", "sidecar", "server", "answer", "reason"),
    [
        ({"state": RUNNING, "ready": False}, {}, {}, None, ""),
        ({"state": RUNNING, "ready": False, "restartCount": 1,
          "lastState": {"terminated": {"exitCode": 1}}}, {}, {}, None, ""),
        ({}, {"state": RUNNING, "ready": False, "started": False}, {}, None, ""),
        ({}, {"state": RUNNING, "ready": False, "started": True}, {}, "no", "SidecarNotReady"),
        ({}, {}, {"state": RUNNING, "ready": False}, None, ""),
        ({}, {}, {"state": RUNNING, "ready": False, "restartCount": 2}, "no", "ServerNotReady"),
        ({}, {}, {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "ready": False},
         "no", "ServerNotReady"),
        ({"state": {"terminated": {"exitCode": 1}}, "ready": False}, {}, {}, "no", "MeasureFailed"),
        ({}, {}, {}, "yes", ""),
    ],
    ids=["measuring", "measuring again", "sidecar starts", "sidecar stale", "server loads",
         "server crashes", "no image", "model differs", "serves"],
)  # fmt: skip
def test_a_fault_is_told_from_a_start(
    cluster: FakeCluster,
    measure: dict[str, Any],
    sidecar: dict[str, Any],
    server: dict[str, Any],
    answer: str | None,
    reason: str,
) -> None:
    """What takes its time has no verdict yet; what will not mend itself has one, and a fix."""
    pod = cluster.pod(gated=False)
    base = {"ready": True, "restartCount": 0}
    pod["status"] = {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "quorate-measure", "state": DONE} | base | measure,
            {"name": "quorate-sidecar", "state": RUNNING, "started": True} | base | sidecar,
        ],
        "containerStatuses": [{"name": "server", "state": RUNNING} | base | server],
    }
    cluster.reader.put(pod)
    explained = cluster.explain()
    assert answers(explained).get("serve") == answer
    if reason:
        (found,) = refusals(explained, "serve").values()
        assert found.reason == reason
        assert found.remedy.commands


def event(kind: str, reason: str, message: str) -> dict[str, Any]:
    """An Event about the pod."""
    return {
        "kind": "Event",
        "metadata": {"name": f"chat.{reason}", "namespace": NAMESPACE},
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-21T11:30:00Z",
    }


def test_scheduling_gate_is_shown(cluster: FakeCluster) -> None:
    """A gated pod says that the gate holds it."""
    pod = cluster.pod()
    gated = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }
    pod["status"] = {"phase": "Pending", "conditions": [gated]}
    cluster.reader.put(pod)
    node = cluster.explain().node_side
    assert node is not None
    assert (node.gate, node.message.split(":")[0]) == ("held", "SchedulingGated")
