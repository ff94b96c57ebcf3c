"""What the chart renders: the same every time, restricted, by digest, owned by the release."""

import json
import re
from typing import Any

import pytest
import yaml

from quorate import limits
from quorate.admission import floor
from quorate.admission.injection import parse_config
from quorate.api.v1alpha1 import KINDS
from quorate.consensus.thresholds import PRESETS
from tests.contract.chart.rendered import (
    CHART,
    MAKERS,
    NAMESPACE,
    defaults,
    helm,
    named,
    pods,
    rendered,
    rendered_text,
)
from tests.contract.crds.installed import cluster_with_crds
from tools.gen.alert_rules import rule_group

pytestmark = pytest.mark.cluster

IMAGES = json.loads(
    json.dumps(yaml.safe_load((CHART / "ci/lint-values.yaml").read_text("utf-8"))["images"])
)
MEMBERS = tuple(f"member-{number}" for number in range(PRESETS["standard"].n + 1))
EVERYTHING = ("metrics.podMonitor.enabled=true", "metrics.prometheusRule.enabled=true")


@pytest.mark.requirement("helm lint --strict")
def test_lint() -> None:
    """Helm's own checks, strictly, find nothing."""
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.requirement("helm template twice, diff empty; no empty caBundle key, no genCA")
def test_rendering_is_stable_and_holds_no_keys() -> None:
    """Two renderings are the same text; nothing in it is a key, a certificate or a CA bundle."""
    first = rendered_text(*EVERYTHING)
    rendered_text.cache_clear()
    assert rendered_text(*EVERYTHING) == first
    assert "caBundle" not in first
    assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY-", first)
    assert [d for d in rendered(*EVERYTHING) if d["kind"] == "Secret"] == []


@pytest.mark.requirement("PSS restricted")
def test_every_pod_passes_pod_security_restricted() -> None:
    """A real API server takes every pod of the chart into a namespace that enforces it."""
    cluster = cluster_with_crds()
    namespace = "contract-chart-restricted"
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": label},
        }
    )
    try:
        found = pods(rendered())
        assert len(found) == 5 + len(MEMBERS)
        for name, spec in found.items():
            # Accounts and Secrets are not there; Pod Security looks at the spec.
            spec = spec | {"serviceAccountName": "default", "automountServiceAccountToken": False}
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "sample", "namespace": namespace},
                "spec": spec,
            }
            said = cluster.kubectl(
                *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
                stdin=json.dumps(pod),
            )
            assert "created (server dry run)" in said, name
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.requirement("the API server takes every object of the chart")
def test_every_object_is_valid() -> None:
    """Strictly, under a dry run, with everything that is optional switched on."""
    cluster = cluster_with_crds()
    namespace = "contract-chart-objects"
    documents = []
    for document in rendered("images.previousSidecar=" + json.dumps(IMAGES["sidecar"])):
        if document["metadata"].get("namespace") == NAMESPACE:
            document["metadata"]["namespace"] = namespace
        # CRDs and pods are tried elsewhere: those are there already, these need their account.
        if document["kind"] not in ("CustomResourceDefinition", "Pod"):
            # Cluster-wide objects are tried under names that cannot meet a real installation's.
            document["metadata"]["name"] = f"contract-{document['metadata']['name']}"
            documents.append(document)
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        said = cluster.kubectl(
            *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}),
        )
        assert said.count("created (server dry run)") == len(documents)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.requirement("images by digest")
def test_images_are_the_values_and_never_pulled_again() -> None:
    """Each container runs one of the images of the values; each is named by digest."""
    used = {c["image"] for spec in pods(rendered()).values() for c in spec["containers"]}
    assert used == {IMAGES["operator"], IMAGES["webhook"], IMAGES["member"]}
    for spec in pods(rendered()).values():
        assert "initContainers" not in spec
        for container in spec["containers"]:
            assert "resources" in container
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.requirement("member has no token for the API server")
def test_members_ask_the_api_server_nothing() -> None:
    """No token is mounted, by the account and by the pod, and the account has no rights."""
    documents = rendered()
    account = named(documents, "ServiceAccount", "quorate-member")
    assert account["automountServiceAccountToken"] is False
    for member in MEMBERS:
        spec = pods(documents)[f"StatefulSet/quorate-{member}"]
        assert spec["automountServiceAccountToken"] is False
    for document in documents:
        if document["kind"].endswith("RoleBinding"):
            assert [s["name"] for s in document["subjects"]] != ["quorate-member"]


@pytest.mark.requirement("a member's key is mounted by that member alone")
def test_who_mounts_which_secret() -> None:
    """Keys reach only the service they belong to; the floor's parameter reaches none."""
    mounted = {
        name: sorted(v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v)
        for name, spec in pods(rendered()).items()
    }
    assert {name: secrets for name, secrets in mounted.items() if secrets} == {
        **{f"StatefulSet/quorate-{member}": [f"quorate-{member}-key"] for member in MEMBERS},
        "Deployment/quorate-webhook": ["quorate-webhook-tls"],
    }


@pytest.mark.requirement("mutate, validate and floor generated from one source")
@pytest.mark.parametrize("claim", ["", "records.v1"])
def test_the_rendered_floor_is_the_librarys(claim: str) -> None:
    """With these values the rendered policies are what ``quorate.admission.floor`` makes."""
    documents = rendered("injection.audit.persistentVolumeClaim=" + json.dumps(claim))
    text = named(documents, "ConfigMap", "quorate-injection")["data"]["injection.json"]
    config = parse_config(json.loads(text) | {"genesisDigest": "sha256:" + "0" * 64})
    assert config.image == IMAGES["sidecar"]
    assert config.audit.persistent_volume_claim == claim
    assert config.audit.size_limit == defaults()["injection"]["audit"]["sizeLimit"]
    assert config.drain_seconds == defaults()["injection"]["drainSeconds"]
    # Not respelled: what the floor compares with is what the API server gives back.
    assert (
        config.measure_resources.document["limits"] == defaults()["injection"]["measureResources"]
    )
    expected = floor.policies(floor.FloorConfig(config, config.image))
    found = [d for d in documents if d["kind"].startswith("ValidatingAdmissionPolicy")]
    for document in found:
        del document["metadata"]["labels"]
    assert sorted(found, key=_key) == sorted(expected, key=_key)


def _key(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


@pytest.mark.requirement("injected containers accepted in versions N and N-1")
def test_the_previous_sidecar_reaches_webhook_and_floor() -> None:
    """It is the second injection the webhook reads, and the second image the floor takes."""
    previous = IMAGES["sidecar"].replace("4", "5")
    documents = rendered("images.previousSidecar=" + json.dumps(previous))
    data = named(documents, "ConfigMap", "quorate-injection")["data"]
    assert json.loads(data["previous.json"])["image"] == previous
    assert "previous.json" not in named(rendered(), "ConfigMap", "quorate-injection")["data"]
    policy = named(documents, "ValidatingAdmissionPolicy", "quorate-floor-injection")
    images = policy["spec"]["validations"][0]["expression"]
    assert f"['{IMAGES['sidecar']}', '{previous}']" in images


@pytest.mark.requirement("checksum annotations")
def test_a_changed_injection_restarts_who_reads_it() -> None:
    """Operator and webhook get a new pod template; members, which do not read it, none."""
    before, after = rendered(), rendered("injection.drainSeconds=11")
    for kind, name, changes in (
        ("Deployment", "operator", True),
        ("Deployment", "webhook", True),
        *(("StatefulSet", member, False) for member in MEMBERS),
    ):
        old = named(before, kind, f"quorate-{name}")["spec"]["template"]
        new = named(after, kind, f"quorate-{name}")["spec"]["template"]
        assert (old != new) is changes, name


@pytest.mark.requirement("webhook: at least two replicas, PDB, anti-affinity")
def test_the_webhook_outlives_a_node() -> None:
    """Two replicas apart, one at a time; with a single one no budget blocks a drain for ever."""
    documents = rendered()
    deployment = named(documents, "Deployment", "quorate-webhook")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    affinity = deployment["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert "preferredDuringSchedulingIgnoredDuringExecution" in affinity
    budget = named(documents, "PodDisruptionBudget", "quorate-webhook")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    budgets = [d for d in rendered("webhook.replicas=1") if d["kind"] == "PodDisruptionBudget"]
    assert [d["metadata"]["name"] for d in budgets] == ["quorate-member"]


@pytest.mark.requirement("NetworkPolicies")
def test_every_pod_has_its_network_policy() -> None:
    """Each pod is selected by one; members reach each other only; the webhook's port is open."""
    documents = rendered()
    policies = [d for d in documents if d["kind"] == "NetworkPolicy"]
    for document in documents:
        if document["kind"] in MAKERS:
            labels = document["spec"]["template"]["metadata"]["labels"]
        elif document["kind"] == "Pod":
            labels = document["metadata"]["labels"]
        else:
            continue
        chosen = [
            p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert len(chosen) == 1, document["metadata"]["name"]
    member = named(documents, "NetworkPolicy", "quorate-member")["spec"]
    names, others = member["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert others == {
        "to": [{"podSelector": member["podSelector"]}],
        "ports": [{"protocol": "TCP", "port": "https"}],
    }
    webhook = named(documents, "NetworkPolicy", "quorate-webhook")["spec"]
    assert {"ports": [{"protocol": "TCP", "port": "https"}]} in webhook["ingress"]
    assert [
        d for d in rendered("networkPolicy.enabled=false") if d["kind"] == "NetworkPolicy"
    ] == []


@pytest.mark.requirement("metrics: PodMonitor and PrometheusRule optional")
def test_monitoring_is_optional() -> None:
    """Off by default; on, the rules are those of observability/ for this state life."""
    off = {document["kind"] for document in rendered()}
    assert not {"PodMonitor", "PrometheusRule"} & off
    documents = rendered(*EVERYTHING, "member.stateLifeSeconds=60")
    rules = named(documents, "PrometheusRule", "quorate")["spec"]
    assert rules == rule_group("30")
    assert limits.STATE_LIFE // 2 == 300
    monitor = named(documents, "PodMonitor", "quorate")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["port"] == "health"
    assert [r["targetLabel"] for r in endpoint["relabelings"]] == ["member"]


@pytest.mark.requirement("CRDs in chart templates with resource-policy keep")
def test_crds_are_a_choice() -> None:
    """All by default, none if somebody else installs them."""
    default = [d for d in rendered() if d["kind"] == "CustomResourceDefinition"]
    assert {d["spec"]["names"]["kind"] for d in default} == {kind.kind_name for kind in KINDS}
    without = rendered("crds.enabled=false")
    assert [d for d in without if d["kind"] == "CustomResourceDefinition"] == []


@pytest.mark.requirement("NOTES with the next three commands")
def test_notes_name_three_commands() -> None:
    """What to do next, in order, with the names of this release."""
    done = helm("install", "quorate", str(CHART), "--dry-run=client")
    notes = done.stdout.partition("NOTES:")[2]
    for command in (
        "helm test quorate --namespace quorate-system",
        "kubectl explain clustersafetypolicy.spec",
        "kubectl label namespace NAMESPACE quorate.dev/mode=warn",
    ):
        assert command in notes


@pytest.mark.requirement("clean uninstall: no finalizers, nothing but CRDs kept")
def test_uninstall_can_delete_everything() -> None:
    """No object carries a finalizer, and only CRDs are kept; only checks are hooks."""
    for document in rendered(*EVERYTHING):
        metadata = document["metadata"]
        annotations = metadata.get("annotations", {})
        assert "finalizers" not in metadata
        kept = annotations.get("helm.sh/resource-policy") == "keep"
        assert kept is (document["kind"] == "CustomResourceDefinition")
        if "helm.sh/hook" in annotations:
            assert "delete" not in annotations["helm.sh/hook"].replace("delete-policy", "")
