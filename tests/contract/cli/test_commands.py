"""The cluster commands against a real API server, as processes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate_cli.cluster import kinds
from tests.contract.cli.conftest import Installed
from tests.unit.cli.fake_cluster import FILES, bare_pod

pytestmark = [pytest.mark.cluster]


@pytest.mark.requirement("doctor: readiness list and exit code")
def test_doctor_finds_nothing(installed: Installed) -> None:
    """What an API server makes of CRDs, webhooks and floor is as this version writes them."""
    ran = installed.quorate("doctor", "--output", "json")
    wrong = [f for f in ran.document["findings"] if f["state"] != "ok"]
    assert wrong == []
    assert ran.code == 0


@pytest.mark.requirement("doctor: readiness list and exit code")
def test_doctor_finds_a_floor_that_was_changed(installed: Installed) -> None:
    """One word changed in the API server's floor is found, and named."""
    name = "validatingadmissionpolicy/quorate-floor-token"
    policy = json.loads(installed.plane.kubectl("get", name, "-o", "json"))
    patch = [{"op": "replace", "path": "/spec/failurePolicy", "value": "Ignore"}]
    installed.plane.kubectl("patch", name, "--type=json", "-p", json.dumps(patch))
    try:
        ran = installed.quorate("doctor")
        assert ran.code == 1
        assert "✗ floor: ValidatingAdmissionPolicy/quorate-floor-token differs at" in ran.out
    finally:
        patch[0]["value"] = policy["spec"]["failurePolicy"]
        installed.plane.kubectl("patch", name, "--type=json", "-p", json.dumps(patch))


@pytest.mark.requirement("explain prints policy → requirement → evidence → votes → verdict")
def test_explain_pod(installed: Installed) -> None:
    """The chain of a released pod, from objects the API server stored and defaulted."""
    ran = installed.quorate("explain", "pod/chat", "-n", "team-a", "--output", "json")
    assert ran.err == ""
    document = ran.document
    assert [d["answer"] for d in document["decisions"]] == ["yes"]
    (standing,) = document["standings"]
    assert [r["holds"] for r in standing["requirements"]] == [True, True]
    assert standing["certificate"]["state"] == "valid"
    assert document["nodeSide"]["gate"] == "released"
    assert ran.code == 0


def test_explain_model(installed: Installed) -> None:
    """The model's own chain, as text."""
    ran = installed.quorate("explain", "model/demo", "-n", "team-a")
    assert ran.code == 0, ran.out
    assert FILES.digest in ran.out
    assert "vote of member-0" in ran.out


@pytest.mark.requirement("explain prints the command that would fix a denial")
def test_explain_file(installed: Installed, tmp_path: Path) -> None:
    """A manifest that would be refused: exit code 1, the reason, the command."""
    pod = bare_pod()
    pod["spec"]["containers"][0]["image"] = "registry.quorate.test:5000/server:latest"
    path = tmp_path / "pod.yaml"
    path.write_text(yaml.safe_dump(pod))
    ran = installed.quorate("explain", "-f", str(path))
    assert ran.code == 1
    assert "✗ is refused at creation: ServerImageNotAllowed" in ran.out
    assert f"$ kubectl quorate explain -f {path} -n team-a" in ran.out


def test_status(installed: Installed) -> None:
    """One screen, with the components of the Deployments' statuses."""
    ran = installed.quorate("status")
    assert ran.code == 0, ran.out
    assert "enforce: team-a" in ran.out
    assert "1 serving" in ran.out


def test_objects_that_do_not_exist(installed: Installed) -> None:
    """Bad input exits 2, on standard error."""
    ran = installed.quorate("explain", "pod/nobody", "-n", "team-a")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no pod team-a/nobody" in ran.err


def test_tenant_who_may_read_little(installed: Installed, tmp_path: Path) -> None:
    """Who may read one namespace alone sees that much, and no verdict; exit code 3."""
    kubectl = installed.plane.kubectl
    kubectl("create", "serviceaccount", "tenant", "-n", "elsewhere")
    own = ",".join(k.resource for k in (kinds.POD, kinds.ATTESTED_MODEL, kinds.SAFETY_POLICY))
    rules = ("--verb=get,list", f"--resource={own}")
    kubectl("create", "role", "reader", "-n", "team-a", *rules)
    binding = ("--role=reader", "--serviceaccount=elsewhere:tenant")
    kubectl("create", "rolebinding", "reader", "-n", "team-a", *binding)
    mine = installed.kubeconfig_of("tenant", tmp_path)
    ran = installed.quorate("explain", "pod/chat", "-n", "team-a", kubeconfig=mine)
    assert ran.code == 3
    said = "you may not list clustersafetypolicies.quorate.dev"
    assert said in ran.out
    assert "check with: kubectl auth can-i list clustersafetypolicies.quorate.dev" in ran.out
    assert installed.quorate("doctor", kubeconfig=mine).code == 3
    ran = installed.quorate("status", kubeconfig=mine)
    assert ran.code == 3
    assert "NOT KNOWN" in ran.out


def test_credentials_that_count_for_nothing(installed: Installed, tmp_path: Path) -> None:
    """A token nobody knows is told apart from a right that is missing."""
    document: Any = yaml.safe_load(installed.plane.kubeconfig.read_text("utf-8"))
    document["users"][0]["user"] = {"token": "nobody"}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    ran = installed.quorate("status", kubeconfig=path)
    assert ran.code == 3
    assert "does not accept your credentials" in ran.err
