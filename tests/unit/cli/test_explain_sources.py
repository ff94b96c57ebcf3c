"""``explain`` for a model whose documents are kept outside the object."""

from typing import Any

import pytest

from quorate_cli.explain.explanation import Explanation, RequirementLine
from quorate_cli.explain.text import render
from tests.unit.cli.fake_cluster import FakeCluster, answers

IMAGE = f"ghcr.io/team/demo@sha256:{'b' * 64}"
SPEC = {
    "signaturesFrom": [{"name": "registry", "ociReferrers": {"reference": IMAGE}}],
    "evidenceFrom": [{"name": "gates", "configMap": {"name": "results", "key": "red-team"}}],
}
READ = f"sha256:{'d' * 64}"


def source(field: str, name: str, **details: Any) -> dict[str, Any]:
    """What the operator says of a source."""
    found = {
        "field": field,
        "name": name,
        "status": "True",
        "reason": "Fetched",
        "message": "1 documents",
        "fetchedAt": "2026-11-21T11:59:00Z",
        "documents": [{"digest": READ, "size": 10}],
    }
    return found | details


def put(cluster: FakeCluster, *sources: dict[str, Any], **details: Any) -> None:
    """The model with nothing inside it."""
    status = {"sources": list(sources)} | details.pop("status", {})
    cluster.put_model(bundles=(), gates=(), spec=SPEC, status=status, **details)


def lines(explained: Explanation) -> tuple[RequirementLine, ...]:
    """The requirements of the one policy."""
    (standing,) = explained.standings
    return standing.requirements


@pytest.mark.requirement("explain shows where evidence is kept and what was read")
def test_what_the_committee_certified_holds(cluster: FakeCluster) -> None:
    """Nothing is fetched here: the certificate verifies, and the sources are shown."""
    put(cluster, source("signaturesFrom", "registry"), source("evidenceFrom", "gates"))
    explained = cluster.explain()
    assert answers(explained) == {"create": "yes", "run": "yes"}
    assert [(line.holds, line.elsewhere) for line in lines(explained)] == [(True, True)] * 2
    text = "\n".join(render(explained, 200))
    assert f"signaturesFrom registry: referrers of {IMAGE}" in text
    assert "evidenceFrom gates: ConfigMap results, key red-team" in text
    assert "True Fetched at 2026-11-21T11:59:00Z" in text
    assert READ in text
    assert "as the committee judged" in text


def test_a_status_alone_is_not_believed(cluster: FakeCluster) -> None:
    """Without a certificate that verifies, a report of True is just words."""
    put(cluster, source("signaturesFrom", "registry"), certified=False)
    explained = cluster.explain()
    assert [line.holds for line in lines(explained)] == [False, False]
    assert answers(explained)["run"] == "no"


def test_a_source_that_failed_says_why(cluster: FakeCluster) -> None:
    """The reason and the remedy are the operator's; so is the committee's denial."""
    failed = source(
        "signaturesFrom",
        "registry",
        status="False",
        reason="RegistryNotAllowed",
        message="registry ghcr.io is not one that this cluster reads from",
        documents=[],
    )
    (policy,) = cluster.policies()
    report = cluster.report(policy)
    report["requirements"][0] |= {
        "status": "False",
        "reason": "NotSigned",
        "message": "the model has no signature (fix: sign it)",
    }
    put(cluster, failed, certified=False, status={"policies": [report]})
    explained = cluster.explain()
    signed = lines(explained)[0]
    assert signed.refusal is not None
    assert (signed.refusal.reason, signed.refusal.message) == (
        "NotSigned",
        "the model has no signature",
    )
    assert answers(explained)["run"] == "no"
    text = "\n".join(render(explained, 200))
    assert "✗ False RegistryNotAllowed" in text
    assert "is not one that this cluster reads from" in text


def test_before_the_operator_has_said_anything(cluster: FakeCluster) -> None:
    """The sources are there, and nobody knows what they hold."""
    put(cluster, certified=False, status={"policies": []})
    explained = cluster.explain()
    assert answers(explained)["run"] == "no"
    assert "not read yet" in "\n".join(render(explained, 200))
