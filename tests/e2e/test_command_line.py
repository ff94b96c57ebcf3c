"""``explain``, ``status`` and ``doctor`` tell the truth about an installed cluster."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from quorate.consensus.thresholds import PRESETS
from quorate_cli.exit_codes import DENIED, OK, UNREACHABLE, USAGE
from tests.e2e.command_line import quorate, run
from tests.e2e.installation import scaled_to_zero
from tests.e2e.tenant import Tenant

Explanation = dict[str, Any]


def answers(explanation: Explanation) -> dict[str, str]:
    """The answer to each question."""
    return {d["question"]: d["answer"] for d in explanation["decisions"]}


def refusals(explanation: Explanation) -> list[dict[str, Any]]:
    """Every refusal, of every question."""
    return [refusal for d in explanation["decisions"] for refusal in d["refusals"]]


@pytest.mark.requirement("explain pod/NAME | -f pod.yaml against an installed cluster")
def test_explain_a_refused_template(tenant: Tenant, tmp_path: Path) -> None:
    """What ``explain -f`` says is what the API server says, with the commands that would fix it;
    once they are followed, it says yes, and the API server does."""
    path = tmp_path / "pod.json"
    deployment = tenant.workload("Deployment", "demo", replicas=1)
    for document in (tenant.pod("demo"), deployment):
        path.write_text(json.dumps(document), encoding="utf-8")
        done = quorate(tenant.cluster, "explain", "-f", str(path), "-n", tenant.namespace)
        assert done.code == DENIED, done
        assert answers(done.document)["create"] == "no"
        (refusal,) = {r["reason"]: r for r in refusals(done.document)}.values()
        assert refusal["reason"] == "AttestedModelNotFound"
        assert refusal["remedy"]["commands"]
        text = quorate(
            tenant.cluster, "explain", "-f", str(path), "-n", tenant.namespace, text=True
        )
        assert text.code == DENIED
        assert "kubectl quorate model manifest" in text.output
    assert refusal["reason"] in tenant.refused(tenant.pod("demo"))
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    done = quorate(tenant.cluster, "explain", "-f", str(path), "-n", tenant.namespace)
    assert (done.code, answers(done.document)["create"]) == (OK, "yes"), done
    injected = done.document["injection"]["added"]
    assert any("quorate-measure" in line for line in injected)
    assert tenant.get("pods")["items"] == []
    tenant.cluster.apply(tenant.pod("demo"))


@pytest.mark.requirement("explain pod/NAME | -f pod.yaml against an installed cluster")
def test_explain_a_running_pod(tenant: Tenant) -> None:
    """It may run and serves, and the chain shows signer, gate and voters."""
    tenant.serve()
    done = quorate(tenant.cluster, "explain", "pod/demo", "-n", tenant.namespace)
    explanation = done.document
    assert (done.code, answers(explanation)) == (
        OK,
        {"run": "yes", "serve": "yes"},
    )
    (standing,) = explanation["standings"]
    assert all(requirement["holds"] for requirement in standing["requirements"])
    assert all(requirement["shownBy"] for requirement in standing["requirements"])
    assert standing["certificate"]["state"] == "valid"
    assert len(standing["certificate"]["voters"]) >= PRESETS["standard"].strict
    assert explanation["nodeSide"]["gate"] == "released"
    gone = quorate(tenant.cluster, "explain", "pod/nobody", "-n", tenant.namespace)
    assert gone.code == USAGE
    assert "nobody" in gone.output + gone.errors


@pytest.mark.requirement("explain pod/NAME | -f pod.yaml against an installed cluster")
def test_explain_through_kubectl(tenant: Tenant) -> None:
    """``kubectl quorate`` is the same program with the same exit codes."""
    tenant.cluster.apply(tenant.attested(gates=()))
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    kubectl = (tenant.cluster.kubectl_path, "quorate", "explain", "model/demo")
    done = run(tenant.cluster, *kubectl, "-n", tenant.namespace, PATH=programs)
    assert done.code == DENIED, done
    assert "GateMissing" in done.output


@pytest.mark.requirement("status: one screen of an installed cluster")
def test_status_of_an_installation(tenant: Tenant) -> None:
    """Components, the namespace, its model and its pod are on it; it is one screen."""
    tenant.serve()
    done = quorate(tenant.cluster, "status")
    overview = done.document
    assert (done.code, overview["gaps"]) == (OK, [])
    assert {c["name"]: (c["ready"], c["wanted"]) for c in overview["components"]} == {
        "operator": (1, 1),
        "webhook": (2, 2),
        # The last is the spare.
        **{f"member-{number}": (1, 1) for number in range(PRESETS["standard"].n + 1)},
    }
    assert tenant.namespace in overview["namespaces"]["enforce"]
    models = {(m["namespace"], m["name"]): m["ready"] for m in overview["models"]}
    assert models[tenant.namespace, "demo"] == "True"
    assert overview["pods"]["running"] >= 1
    screen = quorate(tenant.cluster, "status", text=True)
    assert screen.code == OK
    assert len(screen.output.splitlines()) <= 60
    assert all(len(line) <= 120 for line in screen.output.splitlines())


@pytest.mark.requirement("doctor: readiness list and exit code")
def test_doctor_of_an_installation(tenant: Tenant) -> None:
    """Whole: 0. Without the webhook: 1, and it is named with what mends it. No cluster: 3."""
    tenant.serve()
    whole = quorate(tenant.cluster, "doctor")
    assert (whole.code, whole.document["ready"]) == (OK, True), whole.document
    with scaled_to_zero(tenant.cluster, "quorate-webhook"):
        broken = quorate(tenant.cluster, "doctor")
        assert (broken.code, broken.document["ready"]) == (DENIED, False)
        failed = {f["check"]: f for f in broken.document["findings"] if f["state"] == "failed"}
        assert list(failed) == ["webhook"]
        assert failed["webhook"]["commands"]
    again = quorate(tenant.cluster, "doctor")
    assert (again.code, again.document["ready"]) == (OK, True), again.document


@pytest.mark.requirement("doctor: readiness list and exit code")
def test_no_cluster_has_its_own_exit_code(tenant: Tenant, tmp_path: Path) -> None:
    """An API server that does not answer is neither a yes nor a no."""
    config = tenant.cluster.kubectl("config", "view", "--raw", "-o", "json")
    document = json.loads(config)
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    for command in (("doctor",), ("status",), ("explain", "pod/demo", "-n", tenant.namespace)):
        done = run(
            tenant.cluster, sys.executable, "-m", "quorate_cli", *command, KUBECONFIG=str(path)
        )
        assert done.code == UNREACHABLE, (command, done)
        assert "Traceback" not in done.errors
