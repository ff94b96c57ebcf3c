"""``report``: the verdicts of a preview, in OpenReports' words."""

import copy
from typing import Any

import pytest

from quorate_cli import exit_codes
from quorate_cli.commands.report import result
from quorate_cli.policy_reports import openreports
from quorate_cli.preview.run import preview_namespaces
from quorate_cli.progress import Progress
from tests.unit.cli.fake_cluster import NAMESPACE, FakeCluster, bare_pod
from tests.unit.cli.test_preview import put_namespace, running

Document = dict[str, Any]


def reports(cluster: FakeCluster, *chosen: str) -> list[Document]:
    """The objects the command prints."""
    found = preview_namespaces(
        cluster.reader, chosen or None, None, cluster.now, Progress(quiet=True)
    )
    done = result(found, cluster.now, 100, whole=not chosen)
    items: list[Document] = done.document["items"]
    return items


@pytest.mark.requirement("policy reports in the OpenReports format")
def test_an_enforced_namespace_passes_and_fails(cluster: FakeCluster) -> None:
    """What holds passes, what is refused fails, each with subject, policy, rule and fix."""
    bad = bare_pod()
    bad["metadata"]["name"] = "bad"
    del bad["metadata"]["labels"]["quorate.dev/model"]
    cluster.reader.put(running(cluster.pod(gated=False)), running(bad, owned=False))
    whole, report = reports(cluster)
    assert (whole["kind"], whole["metadata"]["name"]) == ("ClusterReport", "quorate")
    assert [r["result"] for r in whole["results"]] == ["fail"]
    assert report["summary"] == {"pass": 2, "fail": 1, "warn": 0, "error": 0, "skip": 0}
    (failed,) = (r for r in report["results"] if r["result"] == "fail")
    assert failed["rule"] == "NoModelLabel"
    assert failed["policy"] == "ClusterSafetyPolicy/floor"
    assert failed["resources"] == [
        {"apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": "bad"}
    ]
    assert failed["properties"]["fix"]
    passed = {r["resources"][0]["kind"] for r in report["results"] if r["result"] == "pass"}
    assert passed == {"ReplicaSet", "AttestedModel"}


def test_an_audited_namespace_warns(cluster: FakeCluster) -> None:
    """Nothing fails where nothing is refused."""
    put_namespace(cluster, "audit")
    cluster.put_model(certified=False)
    cluster.reader.put(running(bare_pod()))
    (report,) = reports(cluster, NAMESPACE)
    assert {r["result"] for r in report["results"]} == {"warn"}


def test_what_may_not_be_read_is_an_error(cluster: FakeCluster) -> None:
    """A result that says so, and exit code 3: never a report that is merely shorter."""
    cluster.reader.forbidden = {"Pod"}
    found = preview_namespaces(cluster.reader, None, None, cluster.now, Progress(quiet=True))
    done = result(found, cluster.now, 100, whole=True)
    assert done.exit_code == exit_codes.UNREACHABLE
    assert [i["summary"]["error"] for i in done.document["items"]] == [1, 1]


def test_long_reports_are_several(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object holds so many results; the rest is in further ones, and nothing is lost."""
    monkeypatch.setattr(openreports, "RESULTS_MAX", 2)
    for number in range(4):
        pod = running(cluster.pod(gated=False), owned=False)
        pod = copy.deepcopy(pod)
        pod["metadata"]["name"] = f"chat-{number}"
        cluster.reader.put(pod)
    cluster.reader.drop("Pod", "chat")
    found = reports(cluster, NAMESPACE)
    assert [d["metadata"]["name"] for d in found] == ["quorate", "quorate-2", "quorate-3"]
    assert sum(len(d["results"]) for d in found) == 5
