"""Every denial comes with the exact command that would fix it."""

import copy
import shlex
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from quorate import limits, names
from quorate.evidence.intoto import Outcome
from quorate.verdict import Denial, Reason
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.explanation import Refusal
from quorate_cli.explain.remedies import REMEDIES, refusal
from quorate_cli.explain.remedies.context import Context
from quorate_cli.explain.target import Target
from tests.fakes import vouching
from tests.fakes.vouching import NOW, SERVER_DIGEST
from tests.unit.cli.fake_cluster import FILES, FakeCluster, bare_pod, refusals

OTHER = f"sha256:{'7' * 64}"
DEPLOYMENT = Target("deployment", "team-a", "chat")


def in_deployment(cluster: FakeCluster, change: Callable[[Document], None]) -> dict[str, Refusal]:
    """The refusals of creating a Deployment's pod after ``change`` to the pod."""
    pod = bare_pod()
    change(pod)
    template = {"metadata": pod["metadata"], "spec": pod["spec"]}
    cluster.reader.put(
        {
            "kind": "Deployment",
            "metadata": {"name": "chat", "namespace": "team-a"},
            "spec": {"template": template},
        }
    )
    return refusals(cluster.explain("deployment/chat"), "create")


def spec(path: str, value: Any) -> Callable[[Document], None]:
    """Set a field of the pod's spec, or of its first container with ``c.``."""

    def change(pod: Document) -> None:
        holder, _, field = path.rpartition(".")
        target = pod["spec"]["containers"][0] if holder else pod["spec"]
        target[field] = value

    return change


@pytest.mark.requirement("explain prints the command that would fix a denial")
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_command(reason: Reason) -> None:
    """No reason of a DENY leaves a person without a command, whatever is known of the rest."""
    bare = Context(namespace="team-a", model_name="demo", target=DEPLOYMENT)
    denial = Denial(reason, "message", policy="SafetyPolicy/team-a/strict")
    remedy = refusal(denial, bare).remedy
    assert remedy.text
    if reason is not Reason.POLICY_CONFLICT:  # needs the policies that conflict
        assert remedy.commands
    for command in remedy.commands:
        assert shlex.split(command)[0].startswith(("kubectl", "${EDITOR"))


def test_reasons_are_all_known() -> None:
    """A reason added to the core must get a remedy here."""
    assert set(REMEDIES) == set(Reason)


def test_model_that_does_not_exist() -> None:
    """Sign, gate, apply: with the pod's own image and the policy's gates filled in."""
    cluster = FakeCluster()
    cluster.reader.drop("AttestedModel", "demo")
    found = in_deployment(cluster, lambda pod: None)["AttestedModelNotFound"]
    sign, gate, apply = found.remedy.commands
    assert sign == "kubectl quorate sign DIR --key KEY --out model.bundle.json"
    assert gate.endswith("--out gate-red-team.json")
    assert apply.startswith("kubectl quorate model manifest --name demo --namespace team-a ")
    assert f"--source-image {vouching.MODEL_IMAGE} " in apply
    assert "--owner-safety 'safety team=safety@example.com'" in apply
    assert apply.endswith(" | kubectl apply -f -")
    assert found.owner == "safety team <safety@example.com>"


def test_label_missing_and_model_evident() -> None:
    """The label to add is the model whose image the pod mounts."""
    cluster = FakeCluster()
    other = copy.deepcopy(cluster.reader.objects["AttestedModel", "team-a", "demo"])
    other["metadata"]["name"] = "other"
    other["spec"]["source"] = {"image": {"reference": f"x/y@{OTHER}"}}
    cluster.reader.put(other)
    found = in_deployment(cluster, lambda pod: pod["metadata"]["labels"].pop(names.MODEL_LABEL))
    (command,) = found["NoModelLabel"].remedy.commands
    assert shlex.split(command) == [
        *("kubectl", "patch", "deployment/chat", "-n", "team-a", "-p"),
        '{"spec":{"template":{"metadata":{"labels":{"quorate.dev/model":"demo"}}}}}',
    ]


def test_label_missing_and_model_not_evident() -> None:
    """Without one model that is meant, the models are listed rather than guessed."""
    cluster = FakeCluster()
    cluster.reader.drop("AttestedModel", "demo")
    found = in_deployment(cluster, lambda pod: pod["metadata"]["labels"].pop(names.MODEL_LABEL))
    commands = found["NoModelLabel"].remedy.commands
    assert commands[0] == "kubectl get attestedmodels -n team-a"
    assert commands[1] == "kubectl edit deployment/chat -n team-a"


def test_no_policy_selects_for_want_of_a_label() -> None:
    """The labels that make the platform's policy select the pod are named in the command."""
    cluster = FakeCluster()
    cluster.put_floor(selector={"matchLabels": {"tier": "serving"}})
    explanation = cluster.explain_file(bare_pod())
    assert explanation.policies[0].because == ("label tier must be serving (is absent)",)
    # Of the pods of a model, other labels are not known.
    explanation = cluster.explain("model/demo")
    assert explanation.policies[0].because == ("label tier must be serving",)
    assert explanation.policies[0].selects == "unknown"
    found = in_deployment(cluster, lambda pod: None)["NoPolicySelectsPod"]
    assert found.remedy.text == "label the pod with tier=serving, and ClusterSafetyPolicy/floor " \
        "selects it"  # fmt: skip
    assert '"labels":{"tier":"serving"}' in found.remedy.commands[0]


def test_no_policy_selects_and_labels_do_not_help() -> None:
    """Where no label helps, the policy to change is named, and whose it is."""
    cluster = FakeCluster()
    absent = {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}
    cluster.put_floor(selector=absent)
    found = in_deployment(cluster, lambda pod: None)["NoPolicySelectsPod"]
    assert found.remedy.commands == ("kubectl edit clustersafetypolicy/floor",)
    assert "platform team" in found.remedy.text


def test_no_platform_policy_at_all() -> None:
    """Without any ClusterSafetyPolicy, the kind to write is explained."""
    cluster = FakeCluster()
    cluster.reader.drop("ClusterSafetyPolicy", "floor")
    found = in_deployment(cluster, lambda pod: None)["NoPolicySelectsPod"]
    assert "there is none in the cluster" in found.remedy.text
    assert "kubectl explain clustersafetypolicy.spec --recursive" in found.remedy.commands


def test_platform_policy_without_signers() -> None:
    """A tenant's own signers do not stand in for the platform's; its policy is named."""
    cluster = FakeCluster()
    cluster.put_floor({"model": {}})
    cluster.put_floor(name="own", namespace="team-a")
    found = in_deployment(cluster, lambda pod: None)["NoClusterPolicySelectsPod"]
    assert found.remedy.commands == ("kubectl edit clustersafetypolicy/floor",)
    assert "model.signers" in found.remedy.text


def test_policy_that_does_not_compile() -> None:
    """The broken policy is opened, in its namespace."""
    cluster = FakeCluster()
    bad = vouching.policy({"owners": None}, name="strict", namespace="team-a")
    cluster.reader.put(bad)
    explanation = cluster.explain("model/demo")
    assert explanation.policies[-1].problem
    found = refusals(explanation)["InvalidPolicy"]
    assert found.remedy.commands == ("kubectl edit safetypolicy/strict -n team-a",)
    found = in_deployment(cluster, lambda pod: None)["InvalidPolicy"]
    assert found.remedy.commands == ("kubectl edit safetypolicy/strict -n team-a",)


def test_policies_that_conflict() -> None:
    """The tenant's own policy is opened: the platform's is not theirs to change."""
    cluster = FakeCluster()
    own = {"runtime": {"upstream": {"port": 9000}}}
    cluster.put_floor(own | {"model": {}}, name="own", namespace="team-a")
    found = in_deployment(cluster, lambda pod: None)["PolicyConflict"]
    assert found.remedy.commands == ("kubectl edit safetypolicy/own -n team-a",)
    assert "upstream.port" in found.remedy.text


def test_too_many_policies() -> None:
    """All policies in question are listed."""
    cluster = FakeCluster()
    for index in range(limits.POLICIES_PER_POD):
        cluster.put_floor(name=f"own-{index}", namespace="team-a")
    found = in_deployment(cluster, lambda pod: None)["TooManyPolicies"]
    (command,) = found.remedy.commands
    assert command == "kubectl get clustersafetypolicies,safetypolicies -n team-a"


def test_owners_missing() -> None:
    """Owners are patched in, from the policy."""
    cluster = FakeCluster()
    cluster.put_model(spec={"owners": None})
    found = in_deployment(cluster, lambda pod: None)["Malformed"]
    (command,) = found.remedy.commands
    assert command.startswith("kubectl patch attestedmodel/demo -n team-a --type=merge -p ")
    assert '"safety":{"name":"safety team","contact":"safety@example.com"}' in command


@pytest.mark.parametrize("image", ["registry.quorate.test:5000/server:v1", f"other/server@{OTHER}"])
def test_server_image(image: str) -> None:
    """The allowed image is put in by digest, in the container's own repository."""
    found = in_deployment(FakeCluster(), spec("c.image", image))["ServerImageNotAllowed"]
    (command,) = found.remedy.commands
    repository = image.partition("@")[0]
    body = shlex.split(command)[-1]
    assert f'"containers":[{{"name":"server","image":"{repository}@{SERVER_DIGEST}"}}]' in body


def test_no_server_is_allowed() -> None:
    """Where no policy names a server, the platform's is opened."""
    cluster = FakeCluster()
    model = cluster.floor()["model"]
    del model["servers"]
    cluster.put_floor({"model": model})
    cluster.put_model()
    found = in_deployment(cluster, lambda pod: None)["ServerImageNotAllowed"]
    assert found.remedy.commands == ("kubectl edit clustersafetypolicy/floor",)


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        (spec("c.command", ["sh"]), "ServerImageNotAllowed", "leave command unset"),
        (spec("hostNetwork", True), "HostAccess", "remove the field"),
        (spec("nodeName", "node-1"), "NodeNamePreset", "nodeSelector"),
        (spec("c.args", ["--host", "0.0.0.0"]), "PortNotDeclared", "--host 127.0.0.1"),  # noqa: S104
        (
            spec("c.readinessProbe", {"httpGet": {"path": "/x", "port": 8000}}),
            "ProbeNotDeclared",
            "declare the path",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_shape_is_edited(change: Callable[[Document], None], reason: str, says: str) -> None:
    """What only the pod's owner can change opens the workload, and says what to do there."""
    found = in_deployment(FakeCluster(), change)[reason]
    assert says in found.remedy.text
    assert found.remedy.commands == ("kubectl edit deployment/chat -n team-a",)


@pytest.mark.parametrize("spoil", ["absent", "writable", "not mounted"])
def test_model_volume(spoil: str) -> None:
    """The patch holds the model's source and a read-only mount at the container's own path."""

    def change(pod: Document) -> None:
        container = pod["spec"]["containers"][0]
        if spoil == "absent":
            pod["spec"]["volumes"] = []
            container["volumeMounts"] = []
        elif spoil == "writable":
            container["volumeMounts"][0] |= {"readOnly": False, "mountPath": "/weights"}
        else:
            container["volumeMounts"] = []

    found = in_deployment(FakeCluster(), change)
    reason = "ModelMountWritable" if spoil == "writable" else "ModelNotMounted"
    (command,) = found[reason].remedy.commands
    body = shlex.split(command)[-1]
    path = "/weights" if spoil == "writable" else "/models"
    assert (
        f'"volumes":[{{"name":"model","image":{{"reference":"{vouching.MODEL_IMAGE}"}}}}]' in body
    )
    assert f'"volumeMounts":[{{"name":"model","mountPath":"{path}","readOnly":true}}]' in body


def test_pod_that_the_webhook_did_not_see() -> None:
    """A pod without injection is made again by its controller, once doctor says it can be."""
    cluster = FakeCluster()
    pod = cluster.pod(injected=False)
    pod["metadata"]["labels"]["pod-template-hash"] = "5d4c7b"
    pod["metadata"]["ownerReferences"] = [
        {"kind": "ReplicaSet", "name": "chat-5d4c7b", "controller": True}
    ]
    cluster.reader.put(pod)
    found = refusals(cluster.explain())["InjectionDiffers"]
    assert found.remedy.commands == (
        "kubectl quorate doctor",
        "kubectl rollout restart deployment/chat -n team-a",
    )


def other_model(cluster: FakeCluster) -> dict[str, Any]:
    files = vouching.model_files("9")
    return {"gates": (vouching.gate_result(files, cluster.lab),)}


EVIDENCE: list[tuple[str, Callable[[FakeCluster], dict[str, Any]], str]] = [
    ("NotSigned", lambda c: {"bundles": ()}, "sign the model as 1 of these signers of "),
    (
        "SignerNotTrusted",
        lambda c: {"bundles": (vouching.bundle(FILES, c.lab),)},
        "sign the model as 1 of these signers of ",
    ),
    ("SignatureInvalid", lambda c: {"bundles": ('{"a": 1}',)}, "replace the bundle"),
    (
        "ManifestMismatch",
        lambda c: {"bundles": (vouching.bundle(vouching.model_files("9"), c.owner),)},
        "write the object from the bundle again",
    ),
    ("GateMissing", lambda c: {"gates": ()}, "run the gate"),
    (
        "GateFailed",
        lambda c: {"gates": (vouching.gate_result(FILES, c.lab, result=Outcome.FAILED),)},
        "the model failed",
    ),
    (
        "GateExpired",
        lambda c: {
            "gates": (vouching.gate_result(FILES, c.lab, finished_at=NOW - timedelta(days=2)),)
        },
        "too old",
    ),
    (
        "GateProducerNotTrusted",
        lambda c: {"gates": (vouching.gate_result(FILES, c.owner),)},
        "signed by a producer the policy accepts",
    ),
    ("GateForAnotherModel", other_model, "on this model"),
    (
        "GateSuiteNotAccepted",
        lambda c: {"gates": (vouching.gate_result(FILES, c.lab, suite=OTHER),)},
        "with what the policy accepts",
    ),
    ("EvidenceMalformed", lambda c: {"gates": ('{"a": 1}',)}, "replace the statement"),
]


@pytest.mark.parametrize(("reason", "spoil", "says"), EVIDENCE, ids=[row[0] for row in EVIDENCE])
def test_evidence(reason: str, spoil: Callable[[FakeCluster], dict[str, Any]], says: str) -> None:
    """What is wrong with evidence names the command that makes better evidence, and applies it."""
    cluster = FakeCluster()
    cluster.put_model(certified=False, **spoil(cluster))
    cluster.reader.put(cluster.pod())
    found = refusals(cluster.explain())[reason]
    assert says in found.remedy.text
    assert found.remedy.commands[-1].startswith("kubectl quorate model manifest --name demo ")
    if reason.startswith("Gate") or reason == "EvidenceMalformed":
        gate = found.remedy.commands[0]
        assert f"--manifest-digest {FILES.digest} --key KEY --out gate-red-team.json" in gate
        assert vouching.SUITE in found.remedy.text
    assert found.policy == "ClusterSafetyPolicy/floor"


def test_certificate_missing_although_evidence_holds() -> None:
    """If the evidence holds, operator and member are looked at."""
    cluster = FakeCluster()
    cluster.put_model(certified=False)
    cluster.reader.put(cluster.pod())
    explanation = cluster.explain()
    found = refusals(explanation)
    assert list(found) == ["CertificateMissing"]
    wait, doctor, logs = found["CertificateMissing"].remedy.commands
    assert wait.startswith("kubectl wait attestedmodel/demo -n team-a --for=condition=Ready ")
    assert doctor == "kubectl quorate doctor"
    assert logs.startswith("kubectl logs -n quorate-system deployment/quorate-operator ")


def test_certificate_waits_for_evidence() -> None:
    """A missing certificate is told after the requirement that keeps it from being made."""
    cluster = FakeCluster()
    cluster.put_model(certified=False, gates=())
    cluster.reader.put(cluster.pod())
    assert list(refusals(cluster.explain())) == ["GateMissing", "CertificateMissing"]


def test_commands_are_safe_to_copy() -> None:
    """What a tenant wrote into an object is quoted: pasted into a shell it stays text."""
    cluster = FakeCluster()
    evil = "1.0; touch /tmp/owned; echo $(id) '"
    cluster.put_model(certified=False, gates=(), spec={"version": evil})
    cluster.reader.put(cluster.pod())
    apply = refusals(cluster.explain())["GateMissing"].remedy.commands[-1]
    assert evil in shlex.split(apply)
