"""What the member hears of a pod's images: as written, and as the kubelet reported them."""

from typing import Any

import pytest

from quorate import limits
from quorate_operator.kinds import CLUSTER_SAFETY_POLICY, Key
from quorate_operator.known_pods import know_pod
from quorate_operator.observed_images import observe_containers
from tests.unit.operator.scene import verified_scene
from tests.unit.operator.test_world import pod

A, B = (f"sha256:{char * 64}" for char in "ab")


def with_images(*statuses: dict[str, Any], image: str = f"registry.test/server@{A}") -> Any:
    """A released pod on a node."""
    document = pod(gated=False)
    document["spec"] |= {
        "nodeName": "node-1",
        "initContainers": [{"name": "quorate-measure", "image": f"registry.test/sidecar@{B}"}],
        "containers": [{"name": "server", "image": image}],
    }
    document["status"] = {"containerStatuses": list(statuses)}
    return document


def test_images_as_written_and_as_they_run() -> None:
    """Both digests, by container; what is not reported yet is empty."""
    measure, server = observe_containers(with_images())
    assert (measure.name, measure.init, measure.asked, measure.runs) == (
        "quorate-measure",
        True,
        B,
        "",
    )
    assert (server.name, server.init, server.asked, server.runs) == ("server", False, A, "")
    status = {"name": "server", "imageID": f"registry.test/server@{B}"}
    assert observe_containers(with_images(status))[1].runs == B


@pytest.mark.parametrize(
    "text", ["", "nginx", "nginx:1", A, f"x@{A[:-1]}", f"x@{A}0", "x@sha256:", f"x@{A}\n", f"@{A}"]
)
def test_what_is_no_digest_of_a_manifest(text: str) -> None:
    """A tag, a runtime's own id, or a digest that is none: empty, so that nothing is compared."""
    status = {"name": "server", "imageID": text}
    server = observe_containers(with_images(status, image=text))[1]
    assert (server.asked, server.runs) == ("", "")


def test_ephemeral_containers_are_seen() -> None:
    """What was added to a running pod is one of its containers."""
    document = with_images()
    document["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "shell"}]
    assert [c.name for c in observe_containers(document)][-1] == "debug"


def test_more_than_a_member_hears_of_is_none() -> None:
    """Rather than a choice: a pod whose images are not known gets no receipt."""
    document = with_images()
    document["spec"]["containers"] *= limits.CONTAINERS_PER_POD
    assert observe_containers(document) == ()


@pytest.mark.requirement("pod receipts: images as relayed from the API server")
def test_the_member_hears_of_node_and_images_as_they_change() -> None:
    """Once with the node, once with what the kubelet reports; what changes neither is not told."""
    scene = verified_scene()
    scene.put(pod())
    scene.pending.clear()
    scene.put(with_images())
    told = scene.world.protected["uid-chat"]
    assert (told.node, [c.asked for c in told.containers]) == ("node-1", [B, A])
    assert list(scene.pending.pods) == ["uid-chat"]
    scene.pending.clear()
    scene.put(with_images({"name": "server", "imageID": f"x@{A}"}))
    assert list(scene.pending.pods) == ["uid-chat"]
    scene.pending.clear()
    scene.put(with_images({"name": "server", "imageID": f"x@{A}", "ready": True}))
    assert not scene.pending.pods
    assert know_pod(pod()).containers == ()
    assert scene.world.get(Key(CLUSTER_SAFETY_POLICY.name, "", "floor"))
