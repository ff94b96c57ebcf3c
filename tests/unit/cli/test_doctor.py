"""``doctor``: nothing where all is well, one line with a fix for each thing that is not."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml

from quorate import names
from quorate.errors import Unavailable
from quorate_cli.cluster import connection
from quorate_cli.cluster.connection import Connection
from quorate_cli.commands.doctor import result
from quorate_cli.doctor.checks import CHECKS
from quorate_cli.doctor.checks.api_server import SUPPORTED
from quorate_cli.doctor.checks.webhooks import MUTATING, VALIDATING
from quorate_cli.doctor.difference import difference
from quorate_cli.doctor.examine import examine, exit_code
from quorate_cli.doctor.text import render
from tests.fakes import vouching
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.fake_cluster import NAMESPACE, condition, stamp
from tests.unit.cli.fake_installation import (
    ROOT,
    FakeInstallation,
    chart_documents,
    deployment,
    stateful_set,
)


@pytest.fixture
def installed() -> FakeInstallation:
    """An installation in order."""
    return FakeInstallation()


@pytest.mark.requirement("doctor: readiness list and exit code")
def test_nothing_is_found_where_all_is_well(installed: FakeInstallation) -> None:
    """Every check says ok, and the exit code is 0."""
    findings = examine(installed.survey())
    assert [f for f in findings if f.state != "ok"] == []
    assert exit_code(findings) == 0
    assert len(findings) >= len(CHECKS)


Spoil = Callable[[FakeInstallation], None]


def reader_version(text: str) -> Spoil:
    return lambda i: setattr(i.reader, "served", text)


def stored(kind: str, name: str, change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Change an object in the cluster."""

    def spoil(installed: FakeInstallation) -> None:
        for key, document in installed.reader.objects.items():
            if (key[0], key[2]) == (kind, name):
                change(document)
                return
        raise AssertionError(f"no {kind} {name}")

    return spoil


def crd(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    return stored("CustomResourceDefinition", "attestedmodels.quorate.dev", change)


def spec_of(document: dict[str, Any]) -> dict[str, Any]:
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return found


def validating(change: Callable[[dict[str, Any]], Any], entry: int = 0) -> Spoil:
    return stored(
        "ValidatingWebhookConfiguration", "quorate", lambda d: change(d["webhooks"][entry])
    )


def floor_spec(name: str, change: Callable[[dict[str, Any]], Any]) -> Spoil:
    return stored("ValidatingAdmissionPolicy", f"quorate-floor-{name}", lambda d: change(d["spec"]))


def label(value: str, name: str = NAMESPACE) -> Spoil:
    labels = {names.MODE_LABEL: value}
    document = {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    return lambda i: i.reader.put(document)


def later(days: int) -> Spoil:
    return lambda i: setattr(i, "now", i.now + timedelta(days=days))


def exempting(installed: FakeInstallation) -> None:
    exempt = [{"digest": vouching.EXEMPT_DIGEST, "reason": "batch"}]
    installed.put_floor({"exemptImages": exempt})
    installed.put_model()


def without_servers(installed: FakeInstallation) -> None:
    model = installed.floor()["model"]
    del model["servers"]
    installed.put_floor({"model": model})


def ageing(installed: FakeInstallation) -> None:
    finished = installed.now - timedelta(hours=22)
    installed.put_model(gates=(vouching.gate_result(*gate_of(installed), finished_at=finished),))


def gate_of(installed: FakeInstallation) -> tuple[Any, Any]:
    return vouching.model_files(), installed.lab


def expired_certificate(installed: FakeInstallation) -> None:
    (policy,) = installed.policies()
    old = installed.certificate(policy) | {"expiresAt": stamp(installed.now - timedelta(minutes=1))}
    installed.put_model(status={"certificates": [old]})


def another_genesis(installed: FakeInstallation) -> None:
    for kind, _, name in list(installed.reader.objects):
        if kind == "Pod":
            pod = installed.reader.objects[kind, NAMESPACE, name]
            args = pod["spec"]["initContainers"][0]["args"]
            args[args.index("--genesis-digest") + 1] = f"sha256:{'0' * 64}"


def another_members_set(installed: FakeInstallation) -> None:
    installed.reader.drop("StatefulSet", "quorate-member-0")
    installed.reader.put(stateful_set("member-1"))


def put(*documents: dict[str, Any]) -> Spoil:
    return lambda i: i.reader.put(*documents)


def drop(kind: str, name: str) -> Spoil:
    return lambda i: i.reader.drop(kind, name)


BROKEN = vouching.policy({"owners": None}, name="strict", namespace=NAMESPACE)
CASES: list[tuple[str, Spoil, str, str, str, str]] = [
    # what, how, check, state, said, part of a command or of the fix
    ("old API server", reader_version("v1.31.4"), "API server version", "failed", "1.33", "1.33"),
    (
        *("no image volumes", reader_version("v1.34.0"), "API server version", "notice"),
        *("image volumes", "ImageVolume"),
    ),
    (
        *("clock", lambda i: setattr(i.reader, "ahead", timedelta(minutes=5)), "clock", "notice"),
        *("300 s behind", "timedatectl"),
    ),
    (
        *("no CRD", drop("CustomResourceDefinition", "attestedmodels.quorate.dev")),
        *("CRD AttestedModel", "failed", "not installed", "kubectl apply --server-side"),
    ),
    (
        *("CRD without our version", crd(lambda d: d["spec"]["versions"][0].update(name="v1"))),
        *("CRD AttestedModel", "failed", "v1alpha1", "helm upgrade"),
    ),
    (
        *("older CRD", crd(lambda d: spec_of(d).pop("datasets")), "CRD AttestedModel", "failed"),
        *("spec.datasets is missing", "helm upgrade"),
    ),
    (
        *("newer CRD", crd(lambda d: spec_of(d)["source"]["properties"].update(oci={}))),
        *("CRD AttestedModel", "failed", "spec.source.oci is not known", "helm upgrade"),
    ),
    (
        *("CRD not established", crd(lambda d: d["status"].update(conditions=[]))),
        *("CRD AttestedModel", "failed", "not established", "helm upgrade"),
    ),
    (
        *("no member", drop("StatefulSet", "quorate-member-0"), "member", "failed"),
        *("not installed", "helm upgrade --install"),
    ),
    (
        *("a seat without a member", another_members_set, "member-0", "failed"),
        *("nothing runs it", "helm upgrade --install"),
    ),
    (
        *("member not ready", put(stateful_set("member-1", 0)), "member-1", "failed", "0 of 1"),
        "kubectl logs statefulset/quorate-member-1 -n quorate-system",
    ),
    (
        *("webhook not ready", put(deployment("webhook", 0, 2)), "webhook", "failed", "0 of 2"),
        "kubectl logs deployment/quorate-webhook -n quorate-system",
    ),
    (
        *("webhook half ready", put(deployment("webhook", 1, 2)), "webhook", "notice", "1 of 2"),
        "kubectl describe deployment/quorate-webhook",
    ),
    (
        *("webhook scaled to 0", put(deployment("webhook", 0, 0)), "webhook", "failed"),
        *("scaled to 0", "kubectl scale deployment/quorate-webhook"),
    ),
    (
        *("upgrade half done", put(deployment("webhook", version="0.2")), "versions", "notice"),
        *("0.1, 0.2", "helm upgrade"),
    ),
    (
        *("no genesis", drop("ConfigMap", "quorate-genesis"), "genesis", "failed"),
        *("not installed", "helm upgrade"),
    ),
    (
        *("no mutating webhook", drop("MutatingWebhookConfiguration", "quorate")),
        *("mutating webhook", "failed", "no configuration", "helm upgrade"),
    ),
    (
        *("validate fails open", validating(lambda w: w.update(failurePolicy="Ignore"))),
        *("validating webhook", "failed", "failurePolicy must be Fail", "helm upgrade"),
    ),
    (
        *("no authority", validating(lambda w: w["clientConfig"].pop("caBundle"))),
        *("validating webhook", "failed", "caBundle is empty", "component=install"),
    ),
    (
        *("authority is nonsense", validating(lambda w: w["clientConfig"].update(caBundle="eA=="))),
        *("validating webhook", "failed", "is no certificate", "helm upgrade"),
    ),
    (
        *("pods opt out", validating(lambda w: w.update(objectSelector={"matchLabels": {}}))),
        *("validating webhook", "failed", "objectSelector", "helm upgrade"),
    ),
    (
        *("a namespace opts out", validating(lambda w: w["namespaceSelector"]["matchExpressions"]
                                             [1]["values"].append(NAMESPACE))),
        *("validating webhook", "failed", "namespaceSelector differs", "helm upgrade"),
    ),
    (
        *("updates unseen", validating(lambda w: w["rules"][0].update(operations=["CREATE"]))),
        *("validating webhook", "failed", "rules must be CREATE,UPDATE pods", "helm upgrade"),
    ),
    (
        *("an entry is gone", validating(lambda w: w.update(name="other"), 3)),
        *("validating webhook", "failed", "validate-podbinding.quorate.dev: is missing", "helm"),
    ),
    (
        *("no floor policy", drop("ValidatingAdmissionPolicy", "quorate-floor-gate")),
        *("floor", "failed", "quorate-floor-gate is missing", "helm upgrade"),
    ),
    (
        *("no floor binding", drop("ValidatingAdmissionPolicyBinding", "quorate-floor-token")),
        *("floor", "failed", "Binding/quorate-floor-token is missing", "helm upgrade"),
    ),
    (
        *("floor made to pass", floor_spec("required", lambda s: s["validations"][0].update(
            expression="true"))),
        *("floor", "failed", "differs at spec.validations[0].expression", "helm upgrade"),
    ),
    (
        *("floor made to skip", floor_spec("gate", lambda s: s.update(
            matchConditions=[{"name": "never", "expression": "false"}]))),
        *("floor", "failed", "differs at spec.matchConditions", "helm upgrade"),
    ),
    (
        *("floor fails open", floor_spec("token", lambda s: s.update(failurePolicy="Ignore"))),
        *("floor", "failed", "differs at spec.failurePolicy", "helm upgrade"),
    ),
    (
        *("leaf expired", later(31)),
        *("serving certificate", "failed", "ended at", "kubectl rollout restart"),
    ),
    (
        *("leaf late", later(27)),
        *("serving certificate", "notice", "should have been replaced", "kubectl logs"),
    ),
    (
        *("leaf for another host", lambda i: i.put_webhooks(host="elsewhere.svc")),
        *("serving certificate", "failed", "not for quorate-webhook.quorate-system.svc", "logs"),
    ),
    (
        *("leaf is nonsense", stored("Secret", "quorate-webhook-tls", lambda d: d.update(data={}))),
        *("serving certificate", "failed", "no certificate", "kubectl logs"),
    ),
    (
        *("mode misspelt", label("Enforce"), "namespace team-a", "failed", "'Enforce', which is"),
        "kubectl label namespace team-a quorate.dev/mode=enforce --overwrite",
    ),
    (
        *("mode that means nothing", label("enforce", "kube-system"), "namespace kube-system"),
        "notice",
        *("never judged", "kubectl label namespace kube-system quorate.dev/mode-"),
    ),
    (
        *("no platform policy", drop("ClusterSafetyPolicy", "floor"), "platform policies"),
        *("failed", "nothing can start in team-a", "kubectl explain clustersafetypolicy"),
    ),
    (
        *("no servers named", without_servers, "platform policies", "failed"),
        *("names model.servers", "kubectl edit clustersafetypolicy/floor"),
    ),
    (
        *("policy does not compile", put(BROKEN), "policies", "failed", "team-a is denied"),
        "kubectl edit safetypolicy/strict -n team-a",
    ),
    (
        *("pods of another genesis", another_genesis, "injected genesis", "failed"),
        *("team-a/chat", "kubectl delete pod chat -n team-a"),
    ),
    (
        *("exemption unused", exempting, "exempt images", "notice", vouching.EXEMPT_DIGEST),
        "kubectl edit clustersafetypolicy/floor",
    ),
    (
        *("evidence about to lapse", ageing, "models", "notice", "becomes too old"),
        "kubectl quorate explain model/demo -n team-a",
    ),
    (
        *("certificate lapsed", expired_certificate, "models", "notice", "certificate expired"),
        "kubectl quorate explain model/demo -n team-a",
    ),
]  # fmt: skip


@pytest.mark.requirement("doctor: readiness list with a fix each")
@pytest.mark.parametrize(
    ("spoil", "check", "state", "said", "mends"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_what_is_wrong_is_found(
    installed: FakeInstallation, spoil: Spoil, check: str, state: str, said: str, mends: str
) -> None:
    """Each fault is one line with its state and a command or words that mend it."""
    spoil(installed)
    found = installed.findings()
    assert check in found, found
    finding = found[check]
    assert (finding.state, said in finding.message) == (state, True), finding
    assert mends in "\n".join((finding.fix, *finding.commands)), finding
    expected = {"failed": 1, "notice": 0}[state]
    assert exit_code(examine(installed.survey())) == expected


@pytest.mark.parametrize("deny", ["true", "false"])
def test_floor_of_either_setting_is_in_order(installed: FakeInstallation, deny: str) -> None:
    """``floor.denyUnselected`` is the operator's choice, not a fault."""
    installed.put_floor_policies(deny_unselected=deny)
    assert installed.findings() == {}


def test_floor_during_an_upgrade_is_in_order(installed: FakeInstallation) -> None:
    """The image of the release before is taken from where the webhook takes it."""
    previous = f"registry.quorate.test:5000/sidecar@sha256:{'6' * 64}"
    data = installed.reader.objects["ConfigMap", names.NAMESPACE, "quorate-injection"]["data"]
    data["previous.json"] = data["injection.json"].replace("5" * 64, "6" * 64)
    assert installed.findings()["floor"].state == "failed"
    installed.put_floor_policies(previous_image=previous)
    assert installed.findings() == {}


@pytest.mark.parametrize(
    ("hidden", "check"),
    [
        ("CustomResourceDefinition", "definitions"),
        ("Deployment", "components"),
        ("ConfigMap", "genesis"),
        ("MutatingWebhookConfiguration", "mutating"),
        ("ValidatingAdmissionPolicy", "floor"),
        ("Secret", "serving certificate"),
        ("Namespace", "namespaces"),
        ("ClusterSafetyPolicy", "policies"),
        ("AttestedModel", "models"),
        ("Pod", "injected genesis"),
    ],
)
def test_what_may_not_be_read_is_unknown(
    installed: FakeInstallation, hidden: str, check: str
) -> None:
    """Not being allowed to look is neither good nor bad: exit code 3."""
    installed.reader.forbidden = {hidden}
    findings = examine(installed.survey())
    unknown = {f.check: f for f in findings if f.state == "unknown"}
    assert check in unknown
    assert "you may not" in unknown[check].message
    assert exit_code(findings) == 3


def test_a_failure_outweighs_what_may_not_be_read(installed: FakeInstallation) -> None:
    """Exit code 1 says that something is known to be broken."""
    installed.reader.forbidden = {"Secret"}
    installed.reader.drop("StatefulSet", "quorate-member-0")
    assert exit_code(examine(installed.survey())) == 1


def test_models_that_are_not_ready_are_not_about_to_lapse(installed: FakeInstallation) -> None:
    """A refused model is no fault of the installation."""
    installed.put_model(
        gates=(), status={"conditions": [condition("Ready", "False", "GateMissing")]}
    )
    assert "models" not in installed.findings()


def test_only_the_certificate_of_the_secret_is_kept(installed: FakeInstallation) -> None:
    """The private key beside it does not reach the survey."""
    secret = installed.reader.objects["Secret", names.NAMESPACE, "quorate-webhook-tls"]
    secret["data"]["tls.key"] = "c2VjcmV0"
    assert "c2VjcmV0" not in repr(installed.survey())


def test_expected_webhooks_are_the_chart_s() -> None:
    """Entries, failure policies, modes and rules are those the chart ships."""
    shipped: dict[str, tuple[str, str, str]] = {}
    for document in chart_documents("webhooks.yaml"):
        for webhook in document["webhooks"]:
            (mode,) = webhook["namespaceSelector"]["matchExpressions"][0]["values"]
            (rule,) = webhook["rules"]
            text = f"{','.join(rule['operations'])} {','.join(rule['resources'])}"
            shipped[webhook["name"]] = (webhook["failurePolicy"], mode, text)
    assert shipped == MUTATING | VALIDATING


def test_supported_version_is_the_chart_s() -> None:
    """Doctor and chart refuse the same API servers."""
    chart = yaml.safe_load((ROOT / "charts/quorate/Chart.yaml").read_text("utf-8"))
    assert chart["kubeVersion"] == f">={SUPPORTED[0]}.{SUPPORTED[1]}.0-0"


@pytest.mark.parametrize(
    ("live", "where"),
    [
        ({"a": {"b": [1, 2]}}, ""),
        ({"a": {"b": [1, 2]}, "objectSelector": {}}, ""),
        ({"a": {"b": [1, 2]}, "objectSelector": {"x": 1}}, "objectSelector"),
        ({"a": {"b": [1, 3]}}, "a.b[1]"),
        ({"a": {"b": [1]}}, "a.b"),
        ({"a": {"b": [1, 2]}, "excludeResourceRules": []}, "excludeResourceRules"),
        ({}, "a"),
        ({"a": "text"}, "a"),
    ],
)
def test_difference_names_the_field(live: dict[str, Any], where: str) -> None:
    """Defaults of the API server are none; anything else that was added or changed is."""
    assert difference({"a": {"b": [1, 2]}, "empty": {}}, copy.deepcopy(live)) == where


def test_text_and_counts(installed: FakeInstallation) -> None:
    """Each finding has its sign, a fix and commands; the counts close the list."""
    installed.reader.drop("StatefulSet", "quorate-member-0")
    text = render(examine(installed.survey()), 80)
    start = text.index("✗ member: is not installed")
    assert text[start + 1] == "    fix: install the chart"
    assert text[start + 2].startswith("    $ helm upgrade --install quorate ")
    assert text[-1].endswith(" in order, 1 failed")


def test_command_prints_json(
    installed: FakeInstallation, quorate: Quorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--output json`` lists every finding, with ``ready`` for scripts."""
    monkeypatch.setattr(connection, "connect", lambda _: Connection(installed.reader, "default"))
    ran = quorate("doctor", "--output", "json")
    assert ran.document["ready"] is (ran.code == 0)
    assert {"check", "state", "message", "fix", "commands"} == set(ran.document["findings"][0])
    assert result(examine(installed.survey()), 100).document["ready"] is True


def test_command_without_a_cluster_exits_3(
    quorate: Quorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server that does not answer is no finding: nothing is known."""

    class Away:
        def __getattr__(self, name: str) -> Any:
            raise Unavailable("cannot be reached")

    monkeypatch.setattr(connection, "connect", lambda _: Connection(Away(), "default"))
    assert quorate("doctor").code == 3
