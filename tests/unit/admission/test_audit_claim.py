"""Audit records on a claim: sidecars write to it, and nothing else in the namespace does."""

from typing import Any

import pytest

from quorate import names
from quorate.admission import injection, validate
from quorate.admission.snapshot import Snapshot
from quorate.verdict import Reason
from tests.unit.admission.pod_builder import PodBuilder, exempt_pod
from tests.unit.admission.world import good_world, injection_config

Document = dict[str, Any]
CLAIM = "records"
ON_CLAIM: Document = {"audit": {"persistentVolumeClaim": CLAIM, "sizeLimit": "1Gi"}}


WORLD = good_world(**ON_CLAIM)
GOOD = PodBuilder(WORLD.snapshot)


def reasons(pod: Document, snapshot: Snapshot = WORLD.snapshot) -> list[Reason]:
    """Why the pod would not be created."""
    return [denial.reason for denial in validate.create(pod, snapshot).verdict.denials]


@pytest.mark.parametrize(
    ("audit", "source"),
    [
        ({}, {"emptyDir": {"sizeLimit": "128Mi"}}),
        ({"sizeLimit": "1024Mi"}, {"emptyDir": {"sizeLimit": "1Gi"}}),
        ({"persistentVolumeClaim": CLAIM}, {"persistentVolumeClaim": {"claimName": CLAIM}}),
    ],
)
def test_what_is_injected(audit: Document, source: Document) -> None:
    """The sidecar alone mounts the volume, under the pod's uid, and is told what it is."""
    config = injection_config(f"sha256:{'0' * 64}", audit=audit)
    assert {"name": names.AUDIT_VOLUME, **source} in injection.volumes(config)
    measure, sidecar = injection.containers(config, "model")
    assert names.AUDIT_VOLUME not in [mount["name"] for mount in measure["volumeMounts"]]
    (mount,) = (m for m in sidecar["volumeMounts"] if m["name"] == names.AUDIT_VOLUME)
    assert mount["subPathExpr"] == "$(QUORATE_POD_UID)"
    assert "metadata.uid" in [
        e["valueFrom"]["fieldRef"]["fieldPath"]
        for e in sidecar["env"]
        if e["name"] == "QUORATE_POD_UID"
    ]
    assert f"--audit-claim={config.audit.persistent_volume_claim}" in sidecar["args"]


@pytest.mark.requirement("audit on a claim: no container but the sidecar reaches it")
@pytest.mark.parametrize("read_only", [None, False, True])
def test_a_model_pod_reaches_the_claim_through_its_sidecar_alone(read_only: bool | None) -> None:
    """No second volume may be the claim, not even read-only, nor under a declared name."""

    def mount(pod: Document) -> None:
        source = {"claimName": CLAIM} | ({} if read_only is None else {"readOnly": read_only})
        pod["spec"]["volumes"][1] = {"name": "tmp", "persistentVolumeClaim": source}

    assert reasons(GOOD.build()) == []
    verdict = validate.create(GOOD.written(mount).build(), WORLD.snapshot).verdict
    assert {denial.reason for denial in verdict.denials} == {Reason.VOLUME_NOT_ALLOWED}
    assert "the claim with audit records" in verdict.text()


@pytest.mark.requirement("audit on a claim: no container but the sidecar reaches it")
def test_the_model_itself_cannot_be_on_the_claim() -> None:
    """An AttestedModel that names the claim would let its server read all records."""
    made = good_world(**ON_CLAIM)
    made.put_model(source={"persistentVolumeClaim": {"claimName": CLAIM}})
    metadata = {"namespace": "team-a", "name": CLAIM}
    made.store.put_claim({"metadata": metadata, "spec": {"accessModes": ["ReadOnlyMany"]}})

    def on_claim(pod: Document) -> None:
        source = {"claimName": CLAIM, "readOnly": True}
        pod["spec"]["volumes"][0] = {"name": "model", "persistentVolumeClaim": source}

    found = reasons(PodBuilder(made.snapshot).written(on_claim).build(), made.snapshot)
    assert Reason.VOLUME_NOT_ALLOWED in found


@pytest.mark.requirement("audit on a claim: no container but the sidecar reaches it")
def test_no_other_container_mounts_the_injected_volume() -> None:
    """The injected volume is in the pod; its name is reserved for the sidecar."""

    def mount(pod: Document) -> None:
        mounts = pod["spec"]["containers"][0]["volumeMounts"]
        mounts.append({"name": names.AUDIT_VOLUME, "mountPath": "/records"})

    assert reasons(GOOD.tampered(mount).build()) == [Reason.RESERVED_NAME]
    assert reasons(GOOD.written(mount).build()) == [Reason.RESERVED_NAME]


@pytest.mark.requirement("audit on a claim: pods without a model may read, not write")
@pytest.mark.parametrize(
    ("claim", "read_only", "expected"),
    [
        (CLAIM, None, [Reason.VOLUME_NOT_ALLOWED]),
        (CLAIM, False, [Reason.VOLUME_NOT_ALLOWED]),
        (CLAIM, True, []),
        ("other", None, []),
    ],
)
def test_an_exempt_pod_reads_only(
    claim: str, read_only: bool | None, expected: list[Reason]
) -> None:
    """Whoever collects the records mounts the claim read-only; another claim is its own affair."""
    pod = exempt_pod()
    source = {"claimName": claim} | ({} if read_only is None else {"readOnly": read_only})
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": source}]
    assert reasons(pod) == expected


CHANGED: list[tuple[str, Document]] = [
    ("another claim", {"persistentVolumeClaim": {"claimName": "other"}}),
    ("read-only", {"persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}}),
    ("a directory", {"emptyDir": {"sizeLimit": "1Gi"}}),
    ("of the host", {"hostPath": {"path": "/tmp", "type": ""}}),
]


@pytest.mark.requirement("byte-equal injection")
@pytest.mark.parametrize("source", [c[1] for c in CHANGED], ids=[c[0] for c in CHANGED])
def test_the_records_go_nowhere_else(source: Document) -> None:
    """Under the injected volume's name there is the claim, and nothing that forgets."""

    def swap(pod: Document) -> None:
        volumes = pod["spec"]["volumes"]
        at = [volume["name"] for volume in volumes].index(names.AUDIT_VOLUME)
        volumes[at] = {"name": names.AUDIT_VOLUME, **source}

    found = reasons(GOOD.tampered(swap).build())
    assert {Reason.RESERVED_NAME, Reason.NOT_INJECTED} <= set(found)


@pytest.mark.parametrize(
    "mount",
    [{"subPathExpr": "$(QUORATE_POD_NAME)"}, {"subPath": "x"}, {}],
    ids=["by name", "a constant", "the whole claim"],
)
def test_every_pod_has_a_directory_of_its_own(mount: Document) -> None:
    """A sidecar that sees another pod's records is not the injected one."""

    def remount(pod: Document) -> None:
        mounts = pod["spec"]["initContainers"][-1]["volumeMounts"]
        mounts[-1] = {"name": names.AUDIT_VOLUME, "mountPath": names.AUDIT_PATH, **mount}

    assert reasons(GOOD.tampered(remount).build()) == [Reason.NOT_INJECTED]


def test_containers_and_volumes_are_of_one_release() -> None:
    """A sidecar that is told of the claim, with the volume of a release without one: refused."""
    digest = WORLD.committee.genesis.digest_text
    seat = {"members": ["member-0"]}
    current = injection_config(digest, **ON_CLAIM, **seat)
    before = injection_config(digest, **seat)
    known = WORLD.snapshot
    snapshot = Snapshot(current, known.policies, known.models, previous=(before,))

    def old_volume(pod: Document) -> None:
        volumes = pod["spec"]["volumes"]
        volumes[[v["name"] for v in volumes].index(names.AUDIT_VOLUME)] = before.audit.volume

    new = PodBuilder(snapshot)
    assert reasons(new.build(), snapshot) == []
    assert reasons(new.tampered(old_volume).build(), snapshot) == [Reason.NOT_INJECTED]
    old = PodBuilder(Snapshot(before, known.policies, known.models))
    assert reasons(old.build(), snapshot) == []
