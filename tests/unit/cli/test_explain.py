"""``explain``: the chain from the namespace to the verdict."""

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate import names
from quorate.errors import InvalidInput, Unavailable
from quorate.predicates import PredicateUri
from quorate_cli.cluster import connection
from quorate_cli.cluster.connection import Connection
from quorate_cli.commands.explain import result
from quorate_cli.explain.text import render
from tests.fakes import vouching
from tests.fakes.predicates import predicate
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.fake_cluster import (
    FILES,
    NAMESPACE,
    FakeCluster,
    answers,
    bare_pod,
    condition,
    refusals,
)


@pytest.mark.requirement("explain prints policy → requirement → evidence → votes → verdict")
def test_good_pod_s_chain_is_whole(cluster: FakeCluster) -> None:
    """Policy, requirements, evidence with its signers, certificate with its voters, verdict."""
    explained = cluster.explain()
    assert answers(explained) == {"create": "yes", "run": "yes"}
    (standing,) = explained.standings
    signed, gate = standing.requirements
    assert (signed.name, signed.holds, gate.name, gate.holds) == (
        *("Signed", True),
        *("Gate/red-team", True),
    )
    assert [s.key_id for s in signed.shown_by[0].signers] == [cluster.owner.public_key.key_id]
    assert [s.name for s in gate.shown_by[0].signers] == ["key-0"]
    assert gate.counts_until == vouching.NOW + timedelta(hours=23)
    certificate = standing.certificate
    assert (certificate.state, [v.name for v in certificate.voters]) == ("valid", ["member-0"])
    assert explained.model is not None
    assert [e.counts_for for e in explained.model.evidence] == [
        ("ClusterSafetyPolicy/floor Signed",),
        ("ClusterSafetyPolicy/floor Gate/red-team",),
    ]


def test_status_is_not_believed(cluster: FakeCluster) -> None:
    """A status that says all is well does not make a requirement hold: it is verified again."""
    cluster.put_model(gates=())
    (standing,) = cluster.explain().standings
    gate = standing.requirements[1]
    assert (gate.holds, gate.reported) == (False, "True Verified")


@pytest.mark.requirement("explain shows a failure that the model withholds")
def test_a_remembered_failure_is_shown(cluster: FakeCluster) -> None:
    """What only the member knows is told in its words, with what lifts it."""
    (policy,) = cluster.policies()
    entry = cluster.report(policy)
    entry["requirements"][1] |= {
        "status": "False",
        "reason": "GateFailed",
        "message": "the result is FAILED (t1); that result is remembered",
    }
    cluster.put_model(certified=False, status={"policies": [entry], "certificates": []})
    explained = cluster.explain()
    gate = explained.standings[0].requirements[1]
    assert (gate.holds, gate.reported) == (False, "False GateFailed")
    assert gate.refusal is not None
    assert "remembered" in gate.refusal.message
    assert "newer" in gate.refusal.remedy.text


def test_evidence_of_any_type_is_shown(cluster: FakeCluster) -> None:
    """An approval shows its kind, its time and its signer, and what signs a new one."""
    gate = {
        "name": "release",
        "predicateType": str(PredicateUri.APPROVAL),
        "producers": vouching.signers(cluster.lab),
        "maxAgeSeconds": 86_400,
    }
    cluster.put_floor({"model": {"signers": vouching.signers(cluster.owner), "gates": [gate]}})
    shown = vouching.evidence(
        FILES, PredicateUri.APPROVAL, predicate(PredicateUri.APPROVAL), cluster.lab
    )
    cluster.put_model(gates=(shown,))
    line = cluster.explain().standings[0].requirements[1]
    assert (line.holds, line.shown_by[0].what) == (True, "approval")
    cluster.put_model(certified=False, gates=())
    refusal = cluster.explain().standings[0].requirements[1].refusal
    assert refusal is not None
    assert "kubectl quorate approve --gate release" in refusal.remedy.commands[0]


def test_forged_certificate_is_refused(cluster: FakeCluster) -> None:
    """A certificate that another committee signed shows as refused, and the pod may not run."""
    (policy,) = cluster.policies()
    stranger = vouching.Committee()
    envelope = stranger.certify(FILES, policy.ref, policy.digest).decode()
    forged = cluster.certificate(policy) | {"envelope": envelope}
    cluster.put_model(status={"certificates": [forged]})
    explained = cluster.explain()
    assert explained.standings[0].certificate.state == "refused"
    assert "CertificateInvalid" in refusals(explained)


def test_expired_certificate_still_says_who_voted(cluster: FakeCluster) -> None:
    """For an expired certificate the voters and its time are shown beside the refusal."""
    (policy,) = cluster.policies()
    old = cluster.certificate(policy, now=vouching.NOW - timedelta(hours=2))
    cluster.put_model(status={"certificates": [old]})
    certificate = cluster.explain().standings[0].certificate
    assert (certificate.state, len(certificate.voters)) == ("refused", 1)
    assert "expired" in certificate.message


def test_policy_changed_since(cluster: FakeCluster) -> None:
    """A certificate for the policy as it was is told apart from none."""
    cluster.put_floor({"exemptImages": [{"digest": vouching.EXEMPT_DIGEST, "reason": "batch"}]})
    explained = cluster.explain()
    assert "as it was" in explained.standings[0].certificate.message
    assert "CertificateInvalid" in refusals(explained)


def test_exempt_pod_needs_no_model(cluster: FakeCluster) -> None:
    """All images exempt: said so, and allowed."""
    cluster.put_floor({"exemptImages": [{"digest": vouching.EXEMPT_DIGEST, "reason": "batch"}]})
    pod = bare_pod()
    pod["metadata"]["labels"] = {}
    pod["spec"] = {"containers": [{"name": "batch", "image": f"x/y@{vouching.EXEMPT_DIGEST}"}]}
    explained = cluster.explain_file(pod)
    assert explained.exempt
    assert answers(explained) == {"create": "yes", "run": "yes"}
    assert explained.injection is None


@pytest.mark.parametrize("mode", ["warn", "audit", "Enforce", None])
def test_other_modes_deny_nothing(cluster: FakeCluster, mode: str | None) -> None:
    """Outside enforce the chain is shown as if, and the exit code says nothing was denied."""
    labels = {names.MODE_LABEL: mode} if mode else {}
    cluster.reader.put({"kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    cluster.put_model(certified=False, gates=())
    explained = cluster.explain()
    assert not explained.namespace.enforced
    assert answers(explained)["run"] == "no"
    assert result(explained, 100).exit_code == 0
    assert "would not run: GateMissing" in "\n".join(render(explained, 100))


def test_excluded_namespace_is_never_judged(cluster: FakeCluster) -> None:
    """A label on kube-system does not make it enforced, and explain does not say it does."""
    labels = {names.MODE_LABEL: "enforce"}
    cluster.reader.put({"kind": "Namespace", "metadata": {"name": "kube-system", "labels": labels}})
    pod = bare_pod()
    pod["metadata"]["namespace"] = "kube-system"
    assert not cluster.explain_file(pod, "kube-system").namespace.enforced


@pytest.mark.parametrize(
    "hidden",
    [
        "ClusterSafetyPolicy",
        "SafetyPolicy",
        "Namespace",
        "AttestedModel",
        "ConfigMap/quorate-genesis",
        "ConfigMap/quorate-injection",
    ],
)
def test_what_may_not_be_read_leaves_no_verdict(cluster: FakeCluster, hidden: str) -> None:
    """Whatever a verdict rests on and may not be read is named, and the verdict is not known."""
    cluster.reader.forbidden = {hidden}
    explained = cluster.explain()
    assert set(answers(explained).values()) == {"unknown"}
    assert any("you may not" in gap.message for gap in explained.gaps)
    assert all(gap.fix.startswith("check with: kubectl auth can-i ") for gap in explained.gaps)
    assert result(explained, 100).exit_code == 3


def test_without_events_the_verdict_stands(cluster: FakeCluster) -> None:
    """Events are colour: not being allowed to read them is a gap, and decides nothing."""
    cluster.reader.forbidden = {"Event"}
    explained = cluster.explain()
    assert answers(explained)["run"] == "yes"
    assert len(explained.gaps) == 1


def test_not_installed(cluster: FakeCluster) -> None:
    """Without a genesis the cluster has no Quorate, and nothing is certain."""
    cluster.reader.drop("ConfigMap", "quorate-genesis")
    explained = cluster.explain()
    assert "not installed" in explained.gaps[0].message
    assert result(explained, 100).exit_code == 3


def test_genesis_that_does_not_match_its_digest(cluster: FakeCluster) -> None:
    """A genesis beside the wrong digest is not used."""
    key = ("ConfigMap", names.NAMESPACE, "quorate-genesis")
    cluster.reader.objects[key]["data"]["digest"] = f"sha256:{'0' * 64}"
    explained = cluster.explain()
    assert set(answers(explained).values()) == {"unknown"}
    assert explained.standings[0].certificate.state == "unverified"


@pytest.mark.parametrize("subject", ["pod/nobody", "model/nobody", "deployment/nobody"])
def test_objects_that_do_not_exist(cluster: FakeCluster, subject: str) -> None:
    """An object that is not there is bad input, not a denial."""
    with pytest.raises(InvalidInput, match="there is no"):
        cluster.explain(subject)


def test_namespace_that_does_not_exist(cluster: FakeCluster) -> None:
    """A mistyped namespace is named as such."""
    pod = bare_pod()
    with pytest.raises(InvalidInput, match="no namespace nowhere"):
        cluster.explain_file(pod | {"metadata": pod["metadata"] | {"namespace": "x"}}, "nowhere")


def test_clocks_that_differ_are_named(cluster: FakeCluster) -> None:
    """Expiry is judged by this machine's clock; if that is off, the reader must know."""
    assert cluster.explain().warnings == ()
    cluster.reader.ahead = timedelta(minutes=-2)
    (warning,) = cluster.explain().warnings
    assert "120 s ahead of the API server's" in warning
    assert warning in " ".join(" ".join(render(cluster.explain(), 200)).split())


def test_file_shows_what_would_be_injected(cluster: FakeCluster) -> None:
    """The manifest is completed as the webhook would, and the additions are listed."""
    explained = cluster.explain_file(bare_pod())
    assert explained.injection is not None
    assert explained.injection.added == (
        "scheduling gate quorate.dev/verified",
        "volume quorate-token",
        "volume quorate-work",
        "volume quorate-no-api-token",
        "volume quorate-audit",
        "init container quorate-measure",
        "init container quorate-sidecar",
        "preStop sleep of container server: streams drain",
    )
    assert answers(explained) == {"create": "yes", "run": "yes"}


def test_claim_is_read_for_its_access_modes(cluster: FakeCluster) -> None:
    """A model on a claim that others may write is refused; read-only for all is not."""
    cluster.put_model(spec={"source": {"persistentVolumeClaim": {"claimName": "weights"}}})
    pod = bare_pod()
    claim = {"claimName": "weights", "readOnly": True}
    pod["spec"]["volumes"] = [{"name": "model", "persistentVolumeClaim": claim}]
    for modes, answer in ((["ReadWriteMany"], "no"), (["ReadOnlyMany"], "yes")):
        cluster.reader.put(
            {
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "weights", "namespace": NAMESPACE},
                "spec": {"accessModes": modes},
            }
        )
        assert answers(cluster.explain_file(pod))["create"] == answer


def test_model_whose_object_is_malformed(cluster: FakeCluster) -> None:
    """A model that cannot be read says where, and allows nothing."""
    key = ("AttestedModel", NAMESPACE, "demo")
    broken = copy.deepcopy(cluster.reader.objects[key])
    broken["spec"]["manifestDigest"] = "sha256:short"
    cluster.reader.put(broken)
    explained = cluster.explain("model/demo")
    assert "manifestDigest" in explained.warnings[0]
    assert answers(explained) == {"run": "no"}


def test_model_that_the_operator_has_not_seen(cluster: FakeCluster) -> None:
    """A status of an older generation is marked as such, and its reports are left out."""
    cluster.put_model(status={"observedGeneration": 0})
    explained = cluster.explain("model/demo")
    assert explained.model is not None
    assert not explained.model.seen_by_operator
    assert [r.reported for r in explained.standings[0].requirements] == ["", ""]


def test_every_part_of_the_document_is_in_the_text(cluster: FakeCluster) -> None:
    """JSON and text say the same: every digest, key id and message of one is in the other."""
    cluster.put_model(certified=False, gates=())
    cluster.put_floor(name="extra", selector={"matchLabels": {"tier": "gold"}})
    explained = cluster.explain()
    text = " ".join(" ".join(render(explained, 100)).split())
    missing = [
        value
        for value in strings(msgspec.to_builtins(explained))
        if value and value not in KEYWORDS and " ".join(value.split()) not in text
    ]
    # The digest of a policy that does not select would only be noise.
    extra = next(p.digest for p in explained.policies if p.ref.endswith("/extra"))
    assert missing == [extra]


KEYWORDS = {"yes", "no", "unknown", "create", "run", "missing", "held", "True Verified"}


def strings(value: Any) -> list[str]:
    """All texts of a document."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("width", [40, 60, 100])
def test_prose_fits_the_terminal(cluster: FakeCluster, width: int) -> None:
    """Lines of words stay within the width; only what must be copied whole may be longer."""
    cluster.put_model(certified=False, gates=())
    for line in render(cluster.explain(), width):
        copied = "$ " in line or "sha256:" in line
        assert copied or len(line) <= width, line


@pytest.fixture
def connected(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The command line talks to the cluster in memory."""
    monkeypatch.setattr(connection, "connect", lambda _: Connection(cluster.reader, NAMESPACE))
    return cluster


def test_command_prints_json(connected: FakeCluster, quorate: Quorate) -> None:
    """``--output json`` is the document; certificates have expired by the real clock: denied."""
    ran = quorate("explain", "pod/chat", "--output", "json")
    assert ran.document["subject"]["name"] == "chat"
    assert ran.document["decisions"][1]["question"] == "run"
    assert set(ran.document) == {
        *("subject", "namespace", "policies", "selection", "exempt", "model", "standings"),
        *("injection", "nodeSide", "decisions", "gaps", "warnings"),
    }


def test_command_denies_with_exit_1(
    connected: FakeCluster, quorate: Quorate, tmp_path: Path
) -> None:
    """A manifest that would be refused exits 1 and prints the fix."""
    pod = bare_pod()
    pod["spec"]["hostNetwork"] = True
    path = tmp_path / "pod.yaml"
    path.write_text(json.dumps(pod))
    ran = quorate("explain", "-f", path)
    assert ran.code == 1
    assert "is refused at creation: HostAccess" in ran.out
    assert f"$ kubectl quorate explain -f {path} -n {NAMESPACE}" in ran.out


def test_command_without_a_cluster_exits_3(
    quorate: Quorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer is told apart from a denial."""

    def away(_: object) -> Connection:
        raise Unavailable("the API server cannot be reached")

    monkeypatch.setattr(connection, "connect", away)
    ran = quorate("explain", "pod/chat")
    assert ran.code == 3
    assert "cannot be reached" in ran.err


def test_hostile_names_do_not_steer_the_terminal(connected: FakeCluster, quorate: Quorate) -> None:
    """Escape sequences in what others wrote are shown, not executed."""
    connected.put_model(
        status={"conditions": [condition("Ready", "False", "Bad", "\x1b]0;owned\x07\x1b[2J")]}
    )
    ran = quorate("explain", "model/demo")
    assert "\x1b" not in ran.out
    assert "\\x1b]0;owned" in ran.out
