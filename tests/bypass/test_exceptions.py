"""Exceptions that must not count: by the wrong people, in the wrong place, for something else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quorate import names
from quorate.keys import LocalSigner
from tests.bypass.ground import Document, Ground, denied
from tests.e2e.tenant import condition, eventually
from tests.fakes import exceptions
from tests.fakes.vouching import gate, policy, signer

DAY = timedelta(days=1)
KIND = "quorate.dev/v1alpha1"


def asked_for(ground: Ground) -> tuple[str, str, str]:
    """The policy's name, the cluster's id, and the manifest digest."""
    cluster = ground.tenant.cluster.get("namespace", "kube-system")["metadata"]["uid"]
    return f"{ground.namespace}-exceptions", cluster, ground.tenant.models["good"].files.digest


def wrong_ones(
    exception: Callable[..., Document],
    both: tuple[LocalSigner, LocalSigner],
    strangers: tuple[LocalSigner, LocalSigner],
    model: Document,
    now: datetime,
) -> dict[str, Document]:
    """Exceptions in the protected namespace that lift nothing of the model e15, by name."""
    protected = {
        "e15-one": exception("e15-one", both[0]),
        "e15-half": exception("e15-half", both[1]),
        "e15-strangers": exception("e15-strangers", *strangers),
        "e15-over": exception("e15-over", *both, decided_at=now - 2 * DAY, life=DAY),
        "e15-model": exception("e15-model", *both, workload=model | {"model": "demo"}),
        "e15-bytes": exception(
            "e15-bytes", *both, workload=model | {"manifestDigest": f"sha256:{'0' * 64}"}
        ),
        "e15-cluster": exception("e15-cluster", *both, cluster="another"),
        "e15-gate": exception("e15-gate", *both, requirement="Gate/red-team"),
        "e15-long": exception("e15-long", *both, life=8 * DAY),
    }
    twice = exception("e15-twice", both[0])
    envelope = json.loads(twice["spec"]["approval"])
    twice["spec"]["approval"] = json.dumps(envelope | {"signatures": envelope["signatures"] * 2})
    protected["e15-twice"] = twice
    edited = exception("e15-edited", *both, workload=model | {"model": "demo"})
    edited["spec"]["workload"] = model
    protected["e15-edited"] = edited
    return protected


@pytest.mark.bypass("E15", "P06")
def test_class_e15_exceptions(ground: Ground) -> None:
    """Only enough of the named approvers, for these very terms, in the protected namespace, lift
    one requirement; two halves are no whole."""
    tenant = ground.tenant
    lead, other, stranger = signer(), signer(), signer()
    name, cluster, digest = asked_for(ground)
    model = {"namespace": ground.namespace, "model": "e15", "manifestDigest": digest}
    now = datetime.now(UTC).replace(microsecond=0)

    def exception(title: str, *keys: Any, **terms: Any) -> Document:
        known: Document = {"policy": name, "cluster": cluster, "workload": model}
        known |= {"decided_at": now}
        requirement = terms.pop("requirement", "Gate/late")
        document = exceptions.exception(requirement, *keys, name=title, **(known | terms))
        del document["metadata"]["uid"], document["metadata"]["generation"], document["status"]
        return document

    both = (lead, other)
    protected = wrong_ones(exception, both, (stranger, tenant.owner), model, now)
    mine = exception("e15-mine", *both, namespace=ground.namespace)
    late = gate(tenant.lab, name="late") | {"suites": [f"sha256:{'9' * 64}"]}
    named = {"key": names.MODEL_LABEL, "operator": "In", "values": ["e15"]}
    asking = policy(
        {"model": {"gates": [late]}, "exceptions": exceptions.approvers(*both, threshold=2)},
        name=name,
        selector={"matchLabels": tenant.labels, "matchExpressions": [named]},
    )
    del asking["metadata"]["uid"], asking["metadata"]["generation"]
    gates = ("GateMissing", "GateSuiteNotAccepted")
    try:
        ground.put(asking, tenant.attested("e15"))
        assert ground.patch(
            ground.path("safetyexceptions", "e15-mine", KIND) + "?fieldManager=x&force=true",
            mine,
            "application/apply-patch+yaml",
        ).accepted
        system = f"/apis/{KIND}/namespaces/{names.NAMESPACE}/safetyexceptions"
        good = exception("e15-good", *both)
        assert ground.attacker.request("POST", system, good).status == 403
        for document in protected.values():
            ground.put(document)

        def judged() -> bool:
            items = ground.admin.request("GET", system).body["items"]
            stood = {i["metadata"]["name"] for i in items if condition(i, "Active") == "False"}
            # Right in itself, but for something else than the gate.
            return set(protected) - stood <= {"e15-model", "e15-bytes", "e15-gate"}

        eventually(judged, "each is judged", seconds=60)
        eventually(
            lambda: any(r in ground.try_pod(model="e15").message for r in gates),
            "the pod is refused for the gate",
            seconds=30,
        )
        assert condition(ground.model("e15"), "Ready") == "False"
        ground.put(good)
        tenant.certified("e15")
        tenant.cluster.kubectl("delete", "safetyexception", "e15-good", "-n", names.NAMESPACE)
        eventually(
            lambda: condition(ground.model("e15"), "Ready") == "False", "it is over", seconds=30
        )
        denied(ground.try_pod(model="e15"))
    finally:
        listed = (*protected, "e15-good")
        tenant.cluster.kubectl(
            *("delete", "safetyexception", "-n", names.NAMESPACE, "--ignore-not-found", *listed)
        )
        tenant.cluster.kubectl("delete", "clustersafetypolicy", name, "--ignore-not-found")
