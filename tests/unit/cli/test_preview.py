"""``preview``: what a policy or a mode would refuse, said by the code that refuses."""

import copy
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate import names
from quorate.admission.released import changeable
from quorate.errors import InvalidInput
from quorate_cli import exit_codes
from quorate_cli.cluster import connection
from quorate_cli.cluster.connection import Connection
from quorate_cli.commands import preview as command
from quorate_cli.preview.outcome import Preview
from quorate_cli.progress import Progress
from tests.fakes import exceptions, vouching
from tests.fakes.vouching import signer
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.fake_cluster import NAMESPACE, SERVER, FakeCluster, bare_pod

Document = dict[str, Any]
CONTROLLER = {"kind": "ReplicaSet", "name": "chat-7f", "controller": True, "uid": "1"}


def preview(cluster: FakeCluster, *words: object, namespace: str = NAMESPACE) -> Preview:
    """What the command would find."""
    parser = ArgumentParser()
    command.COMMAND.arguments(parser)
    arguments = parser.parse_args([str(word) for word in words])
    progress = Progress(quiet=True)
    return command.look(cluster.reader, namespace, arguments, cluster.now, progress)


def running(pod: Document, *, owned: bool = True) -> Document:
    """The pod on a node, made by a controller."""
    pod = copy.deepcopy(pod)
    pod["spec"]["nodeName"] = "node-1"
    pod["status"] = {"phase": "Running"}
    if owned:
        pod["metadata"]["ownerReferences"] = [CONTROLLER]
    return pod


def put_namespace(cluster: FakeCluster, mode: str, name: str = NAMESPACE) -> None:
    """Set the namespace's mode; empty for none."""
    labels = {names.MODE_LABEL: mode} if mode else {}
    cluster.reader.put({"kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def broken_glass(cluster: FakeCluster, because: str = "member lost; ticket 42") -> None:
    """A namespace whose enforcement somebody suspended."""
    put_namespace(cluster, "audit")
    (namespace,) = [d for k, d in cluster.reader.objects.items() if k[0] == "Namespace"]
    namespace["metadata"]["annotations"] = {
        names.ENFORCE_AGAIN: "2026-11-21T14:00:00Z",
        names.SUSPENDED_BECAUSE: because,
        names.SUSPENDED_BY: "platform-lead",
    }


def write(path: Path, document: Document) -> Path:
    """The document as a file."""
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def draft(cluster: FakeCluster, model: Document, name: str = "stricter") -> Document:
    """A platform policy like the one in force, with other requirements of the model."""
    floor = cluster.floor()
    return vouching.policy(floor | {"model": floor["model"] | model}, name=name)


@pytest.mark.requirement("a diff before switching audit → warn → enforce")
def test_audit_to_enforce_names_each_fate(cluster: FakeCluster) -> None:
    """A good pod is deleted and made again, a bad one refused, a bare one gone; owners named."""
    put_namespace(cluster, "audit")
    bad = bare_pod()
    bad["spec"]["containers"][0]["image"] = SERVER.replace("a" * 64, "9" * 64)
    bad["metadata"]["name"] = "bad"
    alone = bare_pod()
    alone["metadata"]["name"] = "alone"
    good = running(bare_pod())
    cluster.reader.put(good, running(bad), running(alone, owned=False))
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    fates = {row.examples[0]: row.fate for row in found.pods}
    assert fates == {"chat": "Replaced", "bad": "Refused", "alone": "Deleted"}
    (space,) = found.namespaces
    assert (space.mode_today, space.mode, space.pods) == ("audit", "enforce", 3)
    assert (found.denied, found.newly_denied) == (1, 1)
    (row,) = (row for row in found.pods if row.denied)
    assert [refusal.reason for refusal in row.refusals] == ["ServerImageNotAllowed"]
    assert row.refusals[0].remedy.commands
    assert row.owner == "model team <model@example.com>"
    done = command.result(found, 100)
    assert done.exit_code == exit_codes.DENIED
    assert "  whoever made team-a/pod/alone: create it anew, no controller does" in done.lines


@pytest.mark.requirement("a bare pod that would be deleted is no yes")
def test_a_pod_that_nothing_makes_again_is_no_success(cluster: FakeCluster) -> None:
    """It is refused nowhere, and is gone all the same: exit 1, and the verdict says so; a
    controller's pod is made again, and none of it counts while the namespace only audits."""
    put_namespace(cluster, "audit")
    cluster.reader.put(running(bare_pod(), owned=False))
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert (found.pods[0].fate, found.denied, found.lost) == ("Deleted", 0, 1)
    done = command.result(found, 100)
    assert done.exit_code == exit_codes.DENIED
    assert any("1 deleted, and made again by nothing" in line for line in done.lines)
    audited = preview(cluster, f"namespace/{NAMESPACE}")
    assert (audited.lost, command.result(audited, 100).exit_code) == (0, exit_codes.OK)
    cluster.reader.put(running(bare_pod()))
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert (found.pods[0].fate, found.lost) == ("Replaced", 0)
    assert command.result(found, 100).exit_code == exit_codes.OK


@pytest.mark.requirement("break-glass is shown while it is in force")
def test_broken_glass_is_mentioned(cluster: FakeCluster) -> None:
    """Who, why and until, beside the namespaces; nothing once it enforces again."""
    broken_glass(cluster)
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    done = command.result(found, 400)
    (line,) = (line for line in done.lines if "break-glass" in line)
    for part in (NAMESPACE, "2026-11-21T14:00:00Z", "platform-lead", "member lost; ticket 42"):
        assert part in line
    shown = done.document["namespaces"][0]["suspension"]
    assert (shown["by"], shown["until"]) == ("platform-lead", "2026-11-21T14:00:00Z")
    put_namespace(cluster, "enforce")
    again = preview(cluster, f"namespace/{NAMESPACE}")
    assert again.namespaces[0].suspension is None


@pytest.mark.requirement("preview's escapes are those of the escape scan")
def test_what_a_tenant_injected_itself_is_no_admitted_pod(cluster: FakeCluster) -> None:
    """Right in every part, in a namespace that audits, and nobody of ours released it: the scan
    would delete it, so preview says so. Where the namespace enforces, admission made it."""
    pod = running(cluster.pod(gated=False))
    cluster.reader.put(pod)
    assert preview(cluster, f"namespace/{NAMESPACE}").pods[0].fate == "GoesOn"
    put_namespace(cluster, "audit")
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert found.pods[0].fate == "Replaced", found.pods[0]
    shown = f"{changeable(pod)}.{'0' * 64}"
    pod["metadata"]["annotations"] = {names.RELEASED_ANNOTATION: shown}
    cluster.reader.put(pod)
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert found.pods[0].fate == "GoesOn", found.pods[0]


def test_audit_refuses_nothing_but_says_what_enforce_would(cluster: FakeCluster) -> None:
    """Without ``--mode`` an audited namespace denies nothing: exit 0, and the pods are listed."""
    put_namespace(cluster, "audit")
    pod = bare_pod()
    del pod["metadata"]["labels"][names.MODEL_LABEL]
    cluster.reader.put(running(pod))
    found = preview(cluster, f"namespace/{NAMESPACE}")
    assert (found.denied, found.pods[0].fate, found.pods[0].denied) == (0, "Refused", False)
    done = command.result(found, 100)
    assert done.exit_code == exit_codes.OK
    assert "REPORTED, AND REFUSED IF ENFORCED" in done.lines
    assert any("NoModelLabel" in line for line in done.lines)


def test_enforced_pods_that_hold_go_on(cluster: FakeCluster) -> None:
    """What is injected and certified stays, gated or running, on its node; nothing is new."""
    cluster.reader.put(running(cluster.pod(gated=False)), cluster.pod(name="waiting"))
    found = preview(cluster, f"namespace/{NAMESPACE}")
    assert {row.fate for row in found.pods} == {"GoesOn"}
    assert [model.allowed for model in found.models] == [True]
    assert command.result(found, 100).exit_code == exit_codes.OK


@pytest.mark.requirement("explain for policies: what would this policy deny today?")
def test_a_draft_is_judged_by_the_evidence(cluster: FakeCluster, tmp_path: Path) -> None:
    """A gate the model passed holds without a certificate; one it lacks is a new refusal."""
    cluster.reader.put(running(cluster.pod(gated=False)))
    same = draft(cluster, {})
    found = preview(cluster, "-f", write(tmp_path / "same.yaml", same))
    assert (found.denied, found.applied, [m.allowed for m in found.models]) == (0, False, [True])
    lacking = {"gates": [vouching.gate(cluster.lab), vouching.gate(cluster.lab, name="bias")]}
    stricter = draft(cluster, lacking)
    stricter["spec"]["model"]["gates"][1]["suites"] = [f"sha256:{'7' * 64}"]
    found = preview(cluster, "-f", write(tmp_path / "stricter.yaml", stricter))
    assert (found.denied, found.newly_denied) == (1, 1)
    (row,) = found.pods
    assert row.fate == "StopsServing"
    assert {(r.requirement, r.policy) for r in row.refusals} >= {
        ("Gate/bias", "ClusterSafetyPolicy/stricter"),
        ("Certified", "ClusterSafetyPolicy/stricter"),
    }
    (model,) = found.models
    assert (model.owner, model.allowed) == ("model team <model@example.com>", False)


def test_another_signer_in_a_draft_of_the_policy_in_force(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    """A draft replaces the policy of its name; the old one's certificate does not count for it."""
    cluster.reader.put(running(cluster.pod(gated=False)))
    other = draft(cluster, {"signers": vouching.signers(signer())}, name="floor")
    found = preview(cluster, "-f", write(tmp_path / "p.yaml", other))
    assert not found.applied
    reasons = {refusal.reason for refusal in found.pods[0].refusals}
    assert reasons == {"SignerNotTrusted", "CertificateMissing"}
    as_applied = draft(cluster, {}, name="floor")
    found = preview(cluster, "-f", write(tmp_path / "q.yaml", as_applied))
    assert (found.applied, found.denied) == (True, 0)


def test_an_applied_policy_is_judged_as_it_is(cluster: FakeCluster) -> None:
    """``clustersafetypolicy/NAME`` needs the real certificate: evidence alone does not do."""
    cluster.reader.put(running(cluster.pod(gated=False)))
    assert preview(cluster, "clustersafetypolicy/floor").denied == 0
    cluster.put_model(certified=False)
    found = preview(cluster, "clustersafetypolicy/floor")
    assert (found.denied, found.pods[0].fate) == (1, "StopsServing")
    with pytest.raises(InvalidInput, match="there is no"):
        preview(cluster, "clustersafetypolicy/none")
    with pytest.raises(InvalidInput, match="nothing that can be previewed"):
        preview(cluster, "secret/none")


@pytest.mark.requirement("explain for policies: what would this policy deny today?")
def test_explain_a_policy(
    cluster: FakeCluster, quorate: Quorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``explain clustersafetypolicy/NAME`` says what the policy asks and refuses today."""
    cluster.put_model(certified=False)
    cluster.reader.put(running(cluster.pod(gated=False)))
    made = Connection(cluster.reader, NAMESPACE)
    monkeypatch.setattr(connection, "connect", lambda _: made)
    done = quorate("explain", "clustersafetypolicy/floor", "--output", "json")
    assert (done.code, done.document["denied"]) == (exit_codes.DENIED, 1)
    assert done.document["policy"]["asks"] == ["Signed", "Gate/red-team"]
    again = quorate("preview", "ClusterSafetyPolicy/floor", "-o", "yaml")
    assert yaml.safe_load(again.out) == done.document
    assert "REFUSED" in quorate("explain", "clustersafetypolicy/floor").out


def test_evidence_kept_elsewhere_is_not_vouched_for(cluster: FakeCluster, tmp_path: Path) -> None:
    """Under a draft, what only the committee can read shows nothing: refused, and it says why."""
    source = {"name": "o", "ociReferrers": {"reference": vouching.MODEL_IMAGE}}
    cluster.put_model(bundles=(), spec={"signaturesFrom": [source]})
    cluster.reader.put(running(cluster.pod(gated=False)))
    found = preview(cluster, "-f", write(tmp_path / "p.yaml", draft(cluster, {})))
    assert found.denied == 1
    assert [m.allowed for m in found.models] == [False]


def test_a_failure_that_members_remember_stands(cluster: FakeCluster, tmp_path: Path) -> None:
    """A draft of the policy under which a gate failed does not forget it."""
    cluster.put_model()
    key = next(k for k in cluster.reader.objects if k[0] == "AttestedModel")
    report = cluster.reader.objects[key]["status"]["policies"][0]
    gate = next(r for r in report["requirements"] if r["name"].startswith("Gate/"))
    gate |= {"status": "False", "reason": "GateFailed", "message": "it failed on Friday"}
    cluster.reader.put(running(cluster.pod(gated=False)))
    changed = draft(cluster, {"volumes": []}, name="floor")
    found = preview(cluster, "-f", write(tmp_path / "p.yaml", changed))
    assert "it failed on Friday" in {r.message for r in found.pods[0].refusals}


def test_an_exception_lifts_what_it_would_lift(cluster: FakeCluster, tmp_path: Path) -> None:
    """Under a draft, an approved exception counts as members would count it; another's does not."""
    approver = signer()
    asked = {"gates": [vouching.gate(cluster.lab), vouching.gate(cluster.lab, name="bias")]}
    wanted = draft(cluster, asked, name="floor")
    wanted["spec"]["model"]["gates"][1]["suites"] = [f"sha256:{'7' * 64}"]
    wanted["spec"]["exceptions"] = exceptions.approvers(approver)
    path = write(tmp_path / "p.yaml", wanted)
    cluster.reader.put(running(cluster.pod(gated=False)))
    cluster.reader.put(exceptions.exception("Gate/bias", signer()))
    assert preview(cluster, "-f", path).denied == 1
    cluster.reader.put(exceptions.exception("Gate/bias", approver))
    found = preview(cluster, "-f", path)
    assert (found.denied, [m.allowed for m in found.models]) == (0, [True])


@pytest.mark.requirement("a debugged pod ends with its exception")
def test_a_debugged_pod_goes_on_while_its_exception_does(cluster: FakeCluster) -> None:
    """Approved: it goes on. Without, or if exceptions may not be read: it is deleted."""
    approver = signer()
    cluster.put_floor({"exceptions": exceptions.approvers(approver)})
    cluster.put_model()
    pod = running(cluster.pod(gated=False))
    pod["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": "shell"}]
    cluster.reader.put(pod)
    assert preview(cluster, f"namespace/{NAMESPACE}").pods[0].fate == "Replaced"
    cluster.reader.put(exceptions.exception("EphemeralContainers", approver))
    assert preview(cluster, f"namespace/{NAMESPACE}").pods[0].fate == "GoesOn"
    cluster.reader.forbidden = {"SafetyException"}
    found = preview(cluster, f"namespace/{NAMESPACE}")
    assert (found.pods[0].fate, found.gaps) == ("Replaced", ())


def test_only_what_the_policy_selects(cluster: FakeCluster, tmp_path: Path) -> None:
    """Pods outside the selector are not counted."""
    cluster.reader.put(running(cluster.pod(gated=False)))
    narrow = draft(cluster, {})
    narrow["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    found = preview(cluster, "-f", write(tmp_path / "p.yaml", narrow))
    assert (found.pods, found.namespaces[0].pods) == ((), 0)


def test_a_node_that_the_owner_chose_is_not_the_scheduler_s(cluster: FakeCluster) -> None:
    """A binding leaves no managed field; a preset node does, and is refused at the next start."""
    pod = running(bare_pod())
    pod["metadata"]["managedFields"] = [
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:nodeName": {}}}}
    ]
    cluster.reader.put(pod)
    put_namespace(cluster, "warn")
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert "NodeNamePreset" in {refusal.reason for refusal in found.pods[0].refusals}


def test_a_static_pod_stays(cluster: FakeCluster) -> None:
    """No one can refuse it: it is said so, and counts as refused."""
    pod = running(bare_pod(), owned=False)
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    cluster.reader.put(pod)
    put_namespace(cluster, "audit")
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert (found.pods[0].fate, found.denied) == ("StaticPod", 1)


def test_finished_pods_count_for_nothing(cluster: FakeCluster) -> None:
    """A Job's finished pod and one that is going away are not judged."""
    done = running(bare_pod())
    done["status"]["phase"] = "Succeeded"
    going = running(bare_pod())
    going["metadata"] |= {"name": "going", "deletionTimestamp": "2026-11-21T12:00:00Z"}
    cluster.reader.drop("Pod", "chat")
    cluster.reader.put(done, going)
    assert preview(cluster, f"namespace/{NAMESPACE}").namespaces[0].pods == 0


@pytest.mark.parametrize("kind", ["AttestedModel", "Pod", "ClusterSafetyPolicy", "ConfigMap"])
def test_what_may_not_be_read_is_said(cluster: FakeCluster, kind: str) -> None:
    """A line that says so, no verdict, and never an exit code 0."""
    cluster.reader.forbidden = {kind}
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    assert found.gaps
    assert not found.namespaces[0].judged
    done = command.result(found, 100)
    assert done.exit_code == exit_codes.UNREACHABLE
    assert any("you may not" in line for line in done.lines)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "kind: SafetyPolicy",
        "- 1",
        "a: [",
        "kind: ClusterSafetyPolicy\nmetadata: {name: x}",
    ],
)
def test_a_file_that_is_no_policy_is_refused(
    cluster: FakeCluster, tmp_path: Path, text: str
) -> None:
    """Wrong usage, with the file's name: applied, it would deny every pod."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"policy\.yaml"):
        preview(cluster, "-f", path)


def test_forms_say_the_same(cluster: FakeCluster) -> None:
    """JSON and YAML hold the same document, and it survives both."""
    cluster.reader.put(running(bare_pod()))
    document = command.result(preview(cluster, f"namespace/{NAMESPACE}"), 80).document
    assert yaml.safe_load(yaml.safe_dump(document)) == json.loads(json.dumps(document))


def test_lines_fit_the_terminal(cluster: FakeCluster) -> None:
    """Nothing but commands, digests and paths is wider."""
    put_namespace(cluster, "audit")
    cluster.reader.put(running(bare_pod()))
    found = preview(cluster, f"namespace/{NAMESPACE}", "--mode", "enforce")
    lines = [x for x in command.result(found, 80).lines if "$ " not in x and "sha256:" not in x]
    assert max(map(len, lines)) <= 80
