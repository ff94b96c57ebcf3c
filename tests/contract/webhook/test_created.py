"""Creating pods on a real API server: what comes back is what was injected, to the byte."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quorate import names
from quorate.admission import injection
from quorate.admission.quantity import canonical_quantity
from quorate.verdict import Reason
from tests.contract.webhook.ground import Ground, eventually
from tests.fakes.vouching import MODEL_IMAGE
from tests.unit.admission.pod_builder import EXEMPT_IMAGE, FETCHER_IMAGE
from tests.unit.admission.test_bypasses import WRITTEN
from tests.unit.admission.test_whole import FIELDS

Document = dict[str, Any]


def injected(pod: Document) -> list[Document]:
    """The injected containers of a pod."""
    return [c for c in pod["spec"]["initContainers"] if c["name"].startswith("quorate-")]


def expected(ground: Ground) -> list[Document]:
    """What the webhook injects."""
    return list(injection.containers(ground.world.snapshot.injection, "model"))


@pytest.mark.requirement("byte-equal injection")
def test_the_stored_pod_holds_what_was_injected_to_the_byte(ground: Ground) -> None:
    """Defaulting, service account admission and storage change nothing in what we add."""
    pod = ground.created(ground.pod(name="bytes"))
    stored = ground.read(pod)
    ground.delete(pod)
    for document in (pod, stored):
        assert injected(document) == expected(ground)
        ours = [v for v in document["spec"]["volumes"] if v["name"].startswith("quorate-")]
        assert tuple(ours) == injection.volumes(ground.world.snapshot.injection)
        assert document["spec"]["schedulingGates"] == [{"name": names.SCHEDULING_GATE}]
        server = document["spec"]["containers"][0]
        assert server["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


@pytest.mark.requirement("no API token inside injected containers even when the account automounts")
def test_only_the_tenants_container_gets_the_api_token(ground: Ground) -> None:
    """ServiceAccount admission runs, mounts the token into the server, and not into ours."""
    pod = ground.create(ground.pod()).body
    (token,) = [v["name"] for v in pod["spec"]["volumes"] if v["name"].startswith("kube-api-")]
    mounts = {
        container["name"]: [mount["name"] for mount in container["volumeMounts"]]
        for container in (*pod["spec"]["containers"], *pod["spec"]["initContainers"])
    }
    assert token in mounts.pop("server")
    assert all(token not in mounted for mounted in mounts.values())


@pytest.mark.requirement("ResourceQuota and LimitRange respected; Guaranteed QoS kept")
@pytest.mark.parametrize("automount", [True, False])
def test_limit_ranges_and_quotas_are_lived_with(ground: Ground, automount: bool) -> None:
    """Defaults for resources we name change nothing; others are added and do not count."""
    limits = {"cpu": "77m", "memory": "77Mi", "ephemeral-storage": "1Gi"}
    namespace = ground.namespace()
    meta = {"name": "contract", "namespace": namespace}
    item = {"type": "Container", "default": limits, "defaultRequest": limits}
    quota = {"requests.cpu": "1", "limits.memory": "1Gi", "pods": "5"}
    ground.plane.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [item]}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": quota}},
    )
    # No controller counts what is used.
    counted = json.dumps({"status": {"hard": quota, "used": dict.fromkeys(quota, "0")}})
    arguments = ("patch", "resourcequota", "contract", "--subresource=status", "--type=merge")
    ground.plane.kubectl("-n", namespace, *arguments, "-p", counted)

    def guaranteed(pod: Document) -> None:
        amounts = {"cpu": "100m", "memory": "128Mi"}
        pod["spec"]["containers"][0]["resources"] = {"limits": amounts, "requests": amounts}
        pod["spec"]["automountServiceAccountToken"] = automount

    try:
        answer = eventually(lambda: _accepted(ground, guaranteed), "the quota is known")
    finally:
        ground.plane.kubectl("-n", namespace, "delete", "limitrange,quota", "contract")
    pod = answer
    assert pod["status"]["qosClass"] == "Guaranteed"
    for container, ours in zip(injected(pod), expected(ground), strict=True):
        assert container["resources"]["limits"].pop("ephemeral-storage") == "1Gi"
        assert container["resources"]["requests"].pop("ephemeral-storage") == "1Gi"
        assert container == ours


def _accepted(ground: Ground, change: Callable[[Document], None]) -> Document | None:
    answer = ground.create(ground.pod(change))
    if "quota" in answer.message:
        return None
    assert answer.accepted, answer.message
    return answer.body


@pytest.mark.requirement("byte-equal injection")
@pytest.mark.parametrize(
    "written", ["100m", "1000m", "1500m", "2", "64Mi", "1024Mi", "1000Mi", "1048576Ki", "3000k"]
)
def test_quantities_are_stored_as_we_spell_them(ground: Ground, written: str) -> None:
    """The spelling that the webhook compares with is the API server's own."""

    def change(pod: Document) -> None:
        pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": written}}

    pod = ground.create(ground.pod(change)).body
    stored = pod["spec"]["containers"][0]["resources"]["requests"]["memory"]
    assert stored == canonical_quantity(written, "memory")


def init_containers(pod: Document) -> None:
    pod["spec"]["initContainers"] = [{"name": "fetch", "image": FETCHER_IMAGE}]


def no_grace(pod: Document) -> None:
    pod["spec"]["terminationGracePeriodSeconds"] = 2


def other_gate(pod: Document) -> None:
    pod["spec"]["schedulingGates"] = [{"name": "example.com/other"}]


def written_out(pod: Document) -> None:
    """As somebody who copies a stored pod."""
    pod["spec"]["volumes"][0] = {"name": "model", "image": {"reference": MODEL_IMAGE}}
    pod["spec"]["tolerations"] = [{"operator": "Exists"}]


@pytest.mark.requirement("good model → admitted")
@pytest.mark.parametrize("change", [init_containers, no_grace, other_gate, written_out])
def test_good_pods_of_many_kinds_are_admitted(
    ground: Ground, change: Callable[[Document], None]
) -> None:
    """Init containers, a short grace period, other gates, defaults written or not."""
    answer = ground.create(ground.pod(change))
    assert answer.accepted, answer.message
    assert injected(answer.body) == expected(ground)


# The API server's own validation speaks first.
BY_THE_API_SERVER = {
    "a stop hook that execs and nothing else",
    "no image",
    "an exported shell function",
    "a raw device",
    "a host process",
    "an unmasked /proc",
    "a probe of no path",
    "a declared name of another kind",
    "a part by a variable",
}


@pytest.mark.requirement(
    "a second container, an unnamed server image, a second unmeasured volume, no model volume, "
    "a loopback port-forwarder → denied"
)
@pytest.mark.parametrize("case", WRITTEN + FIELDS, ids=[case[0] for case in WRITTEN + FIELDS])
def test_bypasses_are_refused_on_a_real_api_server(
    ground: Ground, case: tuple[str, Callable[[Document], None], set[Reason]]
) -> None:
    """What the unit tests try on JSON, tried on the API server, with its defaults and checks."""
    title, change, reasons = case
    answer = ground.create(ground.pod(change))
    assert not answer.accepted
    ours = "admission webhook" in answer.message
    assert ours or title in BY_THE_API_SERVER, answer.message
    if ours:
        assert "policy: ClusterSafetyPolicy/floor" in answer.message
        assert any(reason in answer.message for reason in reasons), answer.message


@pytest.mark.requirement("dry run writes nothing")
def test_a_dry_run_leaves_nothing(ground: Ground) -> None:
    """Neither pod nor anything else."""
    pod = ground.pod(name="dry")
    assert ground.create(pod).accepted
    assert ground.read(pod)["reason"] == "NotFound"


def test_a_pod_of_exempt_images_is_left_alone(ground: Ground) -> None:
    """No gate, no sidecar, no question about a model."""

    def exempt(pod: Document) -> None:
        del pod["metadata"]["labels"][names.MODEL_LABEL]
        pod["spec"] = {"containers": [{"name": "batch", "image": EXEMPT_IMAGE}]}

    pod = ground.create(ground.pod(exempt)).body
    assert "initContainers" not in pod["spec"]
    assert "schedulingGates" not in pod["spec"]


@pytest.mark.requirement("no AttestedModel → create denied with policy, owner and fix")
def test_no_model_is_refused_with_policy_owner_and_fix(ground: Ground) -> None:
    """What kubectl shows names who to ask and what to type."""

    def other(pod: Document) -> None:
        pod["metadata"]["labels"][names.MODEL_LABEL] = "nobody"

    message = ground.create(ground.pod(other)).message
    assert "AttestedModelNotFound" in message
    assert "safety@example.com" in message
    assert "kubectl quorate model manifest --name nobody" in message


@pytest.mark.requirement("no policy selects → DENY")
def test_a_pod_that_no_policy_selects_is_refused(ground: Ground) -> None:
    """Labels out of every policy's reach do not get a pod in."""

    def unlabelled(pod: Document) -> None:
        pod["metadata"]["labels"] = {}

    message = ground.create(ground.pod(unlabelled)).message
    assert "NoPolicySelectsPod" in message or "NoClusterPolicySelectsPod" in message


@pytest.mark.requirement("warn and audit only report")
def test_other_modes_only_report(ground: Ground) -> None:
    """In warn and audit a bad pod is created as it is: not refused, not injected, not gated."""

    def command(pod: Document) -> None:
        pod["spec"]["containers"][0]["command"] = ["sh"]

    for mode in ("warn", "audit"):
        pod = ground.pod(command, namespace=ground.namespace(mode))
        answer = ground.create(pod)
        assert answer.accepted, answer.message
        assert "schedulingGates" not in answer.body["spec"]
        assert "initContainers" not in answer.body["spec"]
        assert bool(answer.warnings) is (mode == "warn")
        assert all("AttestedModelNotFound" in warning for warning in answer.warnings)
