"""UPDATE, resize, debugging containers and binding: what changes is judged, and only that."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from quorate.admission import update, validate
from quorate.verdict import Reason
from tests.fakes.vouching import EXEMPT_DIGEST, SERVER_DIGEST, policy, signers
from tests.unit.admission.pod_builder import (
    EXEMPT_IMAGE,
    PodBuilder,
    bare_pod,
    exempt_pod,
    server_container,
    ungate,
)
from tests.unit.admission.world import FLOOR, OWNER, World, good_world

Document = dict[str, Any]
Change = Callable[[Document], None]
TENANT = "system:serviceaccount:team-a:editor"
OTHER_IMAGE = f"registry.quorate.test:5000/other@sha256:{'9' * 64}"
WORLD = good_world()
GATED = PodBuilder(WORLD.snapshot).build()
RUNNING = PodBuilder(WORLD.snapshot).released().build()
LATE = WORLD.now + timedelta(days=1)
"""When every certificate has expired."""


def judge(
    old: Document, change: Change, *, user: str = TENANT, world: World = WORLD, late: bool = False
) -> list[Reason]:
    """Why a change to a pod is refused."""
    new = copy.deepcopy(old)
    change(new)
    now = LATE if late else world.now
    verdict = update.update(old, new, user, world.snapshot, now).verdict
    return [denial.reason for denial in verdict.denials]


def labels(**values: str) -> Change:
    """Set labels, by their last part."""
    return lambda pod: pod["metadata"]["labels"].update(values)


def server(**fields: Any) -> Change:
    """Set fields of the model server's container."""
    return lambda pod: pod["spec"]["containers"][0].update(fields)


@pytest.mark.requirement("UPDATE judges changes only")
@pytest.mark.parametrize("pod", [GATED, RUNNING, bare_pod(), exempt_pod()])
def test_no_change_is_allowed_without_any_evidence(pod: Document) -> None:
    """Finalizers, owners, status and annotations never depend on evidence, nor on any policy."""
    for world in (WORLD, World()):
        assert judge(pod, lambda _: None, world=world, late=True) == []


HARMLESS: list[tuple[str, Change]] = [
    ("a toleration", lambda pod: pod["spec"]["tolerations"].append({"operator": "Exists"})),
    ("a deadline", lambda pod: pod["spec"].update(activeDeadlineSeconds=5)),
    ("a label no policy looks at", labels(note="x")),
    ("the server's own resources", server(resources={"requests": {"cpu": "2"}})),
]


@pytest.mark.parametrize("change", [c[1] for c in HARMLESS], ids=[c[0] for c in HARMLESS])
def test_harmless_changes_need_no_evidence(change: Change) -> None:
    """What no policy is about may change long after evidence expired."""
    assert judge(RUNNING, change, late=True) == []


def swap_sidecar(pod: Document) -> None:
    pod["spec"]["initContainers"][1]["image"] = OTHER_IMAGE


def resize_sidecar(pod: Document) -> None:
    pod["spec"]["initContainers"][1]["resources"] = {"limits": {"memory": "1Mi"}}


CHANGES: list[tuple[str, Change, list[Reason]]] = [
    ("an image swap", server(image=OTHER_IMAGE), [Reason.SERVER_NOT_ALLOWED]),
    ("another sidecar image", swap_sidecar, [Reason.NOT_INJECTED]),
    ("a resized sidecar", resize_sidecar, [Reason.NOT_INJECTED]),
    ("another model", labels(**{names.MODEL_LABEL: "other"}), [Reason.GUARDED_CHANGE]),
    (
        "no model",
        lambda pod: pod["metadata"]["labels"].pop(names.MODEL_LABEL),
        [Reason.GUARDED_CHANGE],
    ),
    (
        "exempt images",
        server(image=EXEMPT_IMAGE),
        [Reason.SERVER_NOT_ALLOWED],
    ),
]


@pytest.mark.requirement("UPDATE judges changes: an image swap → denied")
@pytest.mark.parametrize("old", [GATED, RUNNING], ids=["gated", "running"])
@pytest.mark.parametrize("user", [TENANT, names.OPERATOR_USER], ids=["tenant", "operator"])
@pytest.mark.parametrize(
    ("change", "expected"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_guarded_changes_are_refused(
    old: Document, user: str, change: Change, expected: list[Reason]
) -> None:
    """Nobody, the operator included, turns an admitted pod into another one."""
    assert judge(old, change, user=user) == expected


def test_a_terminating_pod_is_judged_like_any() -> None:
    """A pod held by a finalizer still runs; its image must not be swapped."""
    dying = copy.deepcopy(RUNNING)
    dying["metadata"] |= {"deletionTimestamp": "2026-11-21T12:00:00Z", "finalizers": ["x/y"]}
    assert judge(dying, server(image=OTHER_IMAGE)) == [Reason.SERVER_NOT_ALLOWED]
    assert judge(dying, lambda pod: pod["metadata"].pop("finalizers"), late=True) == []


def test_an_allowed_swap_needs_evidence_now() -> None:
    """Another server that the policies name is a change of what runs: the pod must pass today."""
    world = good_world()
    both = [{"name": "a", "digest": SERVER_DIGEST}, {"name": "b", "digest": f"sha256:{'9' * 64}"}]
    world.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"servers": both}}))
    world.put_model()
    running = PodBuilder(world.snapshot).released().build()
    assert judge(running, server(image=OTHER_IMAGE), world=world) == []
    late = judge(running, server(image=OTHER_IMAGE), world=world, late=True)
    assert late == [Reason.CERTIFICATE_EXPIRED]


@pytest.mark.requirement("gate removal by another identity → denied")
@pytest.mark.parametrize("user", [TENANT, "system:admin", "", "quorate-operator"])
def test_only_the_operator_removes_the_gate(user: str) -> None:
    """Whoever else removes it is refused, whatever the pod is."""
    assert judge(GATED, ungate, user=user) == [Reason.GATE_HELD]


@pytest.mark.requirement("gate removal by the operator for a pod that would not pass → denied")
def test_the_operator_removes_the_gate_of_a_pod_that_passes_now() -> None:
    """Not of one whose certificate is gone, nor together with a change."""
    assert judge(GATED, ungate, user=names.OPERATOR_USER) == []
    late = judge(GATED, ungate, user=names.OPERATOR_USER, late=True)
    assert late == [Reason.CERTIFICATE_EXPIRED]

    def and_relabel(pod: Document) -> None:
        ungate(pod)
        pod["metadata"]["labels"][names.MODEL_LABEL] = "other"

    assert judge(GATED, and_relabel, user=names.OPERATOR_USER) == [Reason.GUARDED_CHANGE]

    def and_swap(pod: Document) -> None:
        ungate(pod)
        pod["spec"]["containers"][0]["image"] = OTHER_IMAGE

    assert judge(GATED, and_swap, user=names.OPERATOR_USER) == [Reason.SERVER_NOT_ALLOWED]


def test_another_gate_is_its_owners_affair_while_ours_holds() -> None:
    """With our gate there, others go; with ours gone, the last one goes only if the pod passes."""

    def foreign(pod: Document) -> None:
        pod["spec"].setdefault("schedulingGates", []).append({"name": "x/y"})

    def drop_foreign(pod: Document) -> None:
        gates = pod["spec"]["schedulingGates"]
        pod["spec"]["schedulingGates"] = [gate for gate in gates if gate["name"] != "x/y"]

    held = PodBuilder(WORLD.snapshot).written(foreign).build()
    assert judge(held, drop_foreign, late=True) == []
    released = copy.deepcopy(held)
    ungate(released)
    assert judge(released, drop_foreign) == []
    assert judge(released, drop_foreign, late=True) == [Reason.CERTIFICATE_EXPIRED]


def labelled_world() -> World:
    """A floor for all, and a second policy for pods of tier a."""
    world = good_world()
    own = {"model": {"signers": signers(OWNER)}}
    world.put_policy(policy(own, name="tier-a", selector={"matchLabels": {"tier": "a"}}))
    world.put_model()
    return world


def test_labels_must_not_take_a_pod_out_of_a_policy() -> None:
    """A running pod stays under every policy it was admitted under."""
    world = labelled_world()
    old = copy.deepcopy(RUNNING)
    old["metadata"]["labels"]["tier"] = "a"
    assert judge(old, labels(tier="b"), world=world) == [Reason.GUARDED_CHANGE]


def test_labels_that_bring_a_pod_under_a_policy_need_its_certificate() -> None:
    """A pod that joins a policy must hold it."""
    world = labelled_world()
    running = PodBuilder(world.snapshot).released().build()
    assert judge(running, labels(tier="a"), world=world) == []
    assert judge(running, labels(tier="a"), world=world, late=True) == [
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_EXPIRED,
    ]


def test_a_pod_from_before_enforcement_cannot_change_what_runs() -> None:
    """A pod that was never injected keeps its metadata free and its images fixed."""
    old = bare_pod()
    assert judge(old, lambda pod: pod["metadata"].update(finalizers=[])) == []
    assert Reason.NOT_INJECTED in judge(old, server(image=server_container()["image"] + " "))


def test_an_exempt_pod_stays_exempt_or_becomes_a_judged_one() -> None:
    """An exempt pod may change among exempt images, not into something nobody judged."""
    world = good_world()
    entries = [{"digest": d, "reason": "x"} for d in (EXEMPT_DIGEST, f"sha256:{'f' * 64}")]
    world.put_policy(policy(FLOOR | {"exemptImages": entries}))
    pod = exempt_pod()
    assert judge(pod, server(image=f"x@sha256:{'f' * 64}"), world=world) == []
    assert judge(pod, server(image=OTHER_IMAGE), world=world) == [Reason.NO_MODEL_LABEL]


def test_a_model_pod_does_not_become_exempt() -> None:
    """Labels that would bring a longer list of exempt images make nothing exempt."""
    world = World()
    world.put_policy(
        policy(FLOOR | {"exemptImages": []}, selector={"matchLabels": {"app": "chat"}})
    )
    exempt = [{"digest": SERVER_DIGEST, "reason": "x"}]
    spec = {"model": {"signers": signers(OWNER)}, "exemptImages": exempt}
    world.put_policy(policy(spec, name="batch", selector={"matchLabels": {"app": "batch"}}))
    old = bare_pod()
    old["spec"]["volumes"] = []
    assert judge(old, labels(app="batch"), world=world) == [Reason.GUARDED_CHANGE]


@pytest.mark.requirement("pods/binding re-checks that the pod still passes")
def test_binding_asks_again_whether_the_pod_may_run() -> None:
    """What was admitted an hour ago is bound only if it would pass now."""
    assert update.bind(RUNNING, {}, WORLD.snapshot, WORLD.now).verdict.allowed
    late = update.bind(RUNNING, {}, WORLD.snapshot, LATE).verdict
    assert [denial.reason for denial in late.denials] == [Reason.CERTIFICATE_EXPIRED]
    world = good_world()
    world.store.remove("AttestedModel", ("team-a", "demo"))
    gone = update.bind(RUNNING, {}, world.snapshot, world.now).verdict
    assert [denial.reason for denial in gone.denials] == [Reason.MODEL_NOT_FOUND]


def test_binding_cannot_relabel_the_pod() -> None:
    """A binding's labels are copied to the pod: they must not make it another model's."""
    zone = {"topology.kubernetes.io/zone": "a"}
    assert update.bind(RUNNING, zone, WORLD.snapshot, WORLD.now).verdict.allowed
    other = update.bind(RUNNING, {names.MODEL_LABEL: "x"}, WORLD.snapshot, WORLD.now).verdict
    assert [denial.reason for denial in other.denials] == [Reason.GUARDED_CHANGE]


def test_exempt_pods_are_bound() -> None:
    """A pod without a model needs no certificate to be bound."""
    judgement = update.bind(exempt_pod(), {}, WORLD.snapshot, LATE)
    assert judgement.verdict.allowed
    assert judgement.exempt


def test_create_and_update_agree_on_the_good_pod() -> None:
    """What is admitted is what may be released."""
    assert validate.create(GATED, WORLD.snapshot).verdict.allowed
    assert judge(GATED, ungate, user=names.OPERATOR_USER) == []
