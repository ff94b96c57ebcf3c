"""Pods of one template: a yes is remembered for exactly the same spec, and for nothing else."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quorate.admission import rules, templates, validate
from quorate.verdict import Reason
from tests.fakes.vouching import policy
from tests.unit.admission.pod_builder import API_TOKEN_VOLUME, PodBuilder
from tests.unit.admission.test_bypasses import TAMPERED, WRITTEN
from tests.unit.admission.world import FLOOR, World, good_world

Document = dict[str, Any]


def renamed(pod: Document, name: str) -> Document:
    """The pod with its API token's volume under another name, as ServiceAccount admission does."""
    pod = copy.deepcopy(pod)
    for item in [*pod["spec"]["volumes"], *pod["spec"]["containers"][0]["volumeMounts"]]:
        if item["name"] == API_TOKEN_VOLUME["name"]:
            item["name"] = name
    return pod


class Counting:
    """Counts how often the rules are gone through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        check = rules.check

        def counted(*args: Any) -> Any:
            self.times += 1
            return check(*args)

        monkeypatch.setattr(rules, "check", counted)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def test_the_next_pod_of_a_template_is_recognised(counting: Counting) -> None:
    """Another token volume, another name, another gate: not gone through again."""
    world = good_world()
    pod = PodBuilder(world.snapshot).build()
    for index in range(3):
        following = renamed(pod, f"kube-api-access-{index:05d}")
        following["metadata"] |= {"name": f"pod-{index}", "uid": str(index)}
        assert validate.create(following, world.snapshot).verdict.allowed
    released = PodBuilder(world.snapshot).released().build()
    assert validate.may_run(released, world.snapshot, world.now).verdict.allowed
    assert counting.times == 1


CASES = [(f"{case[0]}, written", "before", case[1], case[2]) for case in WRITTEN]
CASES += [(f"{case[0]}, later", "after", *case[1:]) for case in (*WRITTEN, *TAMPERED)]


@pytest.mark.parametrize(
    ("when", "change", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_no_bypass_is_recognised(
    when: str, change: Callable[[Document], None], reasons: set[Reason]
) -> None:
    """A good pod just before does not help a bad one: it is refused as if it came first."""

    def refused(world: World) -> set[Reason]:
        pod = PodBuilder(world.snapshot, **{when: [change]}).build()
        return {denial.reason for denial in validate.create(pod, world.snapshot).verdict.denials}

    world = good_world()
    assert validate.create(PodBuilder(world.snapshot).build(), world.snapshot).verdict.allowed
    found = refused(world)
    assert found & reasons
    assert found == refused(good_world())


def test_a_no_is_not_remembered(counting: Counting) -> None:
    """What was refused is gone through again."""
    world = good_world()
    pod = PodBuilder(world.snapshot).build()
    pod["spec"]["hostPID"] = True
    for _ in range(2):
        assert not validate.create(pod, world.snapshot).verdict.allowed
    assert counting.times == 2


def new_policy(world: World) -> None:
    world.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"servers": []}}))


def second_policy(world: World) -> None:
    world.put_policy(policy({"model": {"volumes": []}}, name="own", namespace="team-a"))


def other_source(world: World) -> None:
    world.put_model(source={"image": {"reference": f"x@sha256:{'7' * 64}"}})


def no_model(world: World) -> None:
    world.store.remove("AttestedModel", ("team-a", "demo"))


def no_owners(world: World) -> None:
    world.put_model(owners=None)


@pytest.mark.parametrize("change", [new_policy, second_policy, other_source, no_model, no_owners])
def test_a_change_of_policy_or_model_forgets(change: Callable[[World], None]) -> None:
    """A yes holds only while what it was for is the same."""
    world = good_world()
    pod = PodBuilder(world.snapshot).build()
    assert validate.create(pod, world.snapshot).verdict.allowed
    change(world)
    assert not validate.create(pod, world.snapshot).verdict.allowed


def test_a_change_of_the_claim_forgets() -> None:
    """A claim that becomes writable is noticed although the spec is the same."""
    world = good_world()
    world.put_model(source={"persistentVolumeClaim": {"claimName": "weights"}})

    def put(*modes: str) -> None:
        metadata = {"namespace": "team-a", "name": "weights"}
        world.store.put_claim({"metadata": metadata, "spec": {"accessModes": list(modes)}})

    def claim(pod: Document) -> None:
        source = {"claimName": "weights", "readOnly": True}
        pod["spec"]["volumes"][0] = {"name": "model", "persistentVolumeClaim": source}

    put("ReadOnlyMany")
    pod = PodBuilder(world.snapshot).written(claim).build()
    assert validate.create(pod, world.snapshot).verdict.allowed
    put("ReadOnlyMany", "ReadWriteMany")
    assert not validate.create(pod, world.snapshot).verdict.allowed


def test_another_pods_labels_are_another_selection() -> None:
    """The same spec under labels that bring another policy is judged under that policy."""
    world = good_world()
    selector = {"matchLabels": {"tier": "a"}}
    world.put_policy(policy({"model": {"servers": []}}, name="a", selector=selector))
    world.put_model()
    pod = PodBuilder(world.snapshot).build()
    assert validate.create(pod, world.snapshot).verdict.allowed
    pod["metadata"]["labels"]["tier"] = "a"
    assert not validate.create(pod, world.snapshot).verdict.allowed


def test_two_token_volumes_are_compared_by_name() -> None:
    """Only where one volume bears such a name is the name left out."""
    spec = {
        "volumes": [
            {"name": "kube-api-access-aaaaa", "projected": {}},
            {"name": "kube-api-access-bbbbb", "projected": {}},
        ],
        "containers": [{"volumeMounts": [{"name": "kube-api-access-aaaaa"}]}],
    }
    assert templates.plain_spec(spec) == spec


def test_a_name_elsewhere_is_compared() -> None:
    """Mounts and the volume follow the renaming, arguments and variables do not."""
    world = good_world()
    name = API_TOKEN_VOLUME["name"]

    def argument(pod: Document) -> None:
        pod["spec"]["containers"][0]["args"] = ["--port", "8000", "--name", name]

    pod = PodBuilder(world.snapshot).written(argument).build()
    assert validate.create(pod, world.snapshot).verdict.allowed
    plain = templates.plain_spec(renamed(pod, "kube-api-access-zzzzz")["spec"])
    assert plain["containers"][0]["args"][-1] == name
    assert plain == templates.plain_spec(pod["spec"])


def test_the_pod_itself_stays_as_it_was() -> None:
    """Comparing changes nothing in the pod."""
    pod = PodBuilder(good_world().snapshot).build()
    pristine = copy.deepcopy(pod)
    templates.plain_spec(pod["spec"])
    assert pod == pristine


def test_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes when there are too many."""
    monkeypatch.setattr(templates, "REMEMBERED_MAX", 2)
    world = good_world()
    known = world.snapshot.models["team-a", "demo"]
    selection = world.snapshot.policies.selections.of("team-a", {})
    remembered = templates.Templates()
    contexts = [(selection, replace(known, name=f"m{i}"), None) for i in range(3)]
    for context in contexts:
        remembered.remember(context, {})
    assert [remembered.hold(context, {}) for context in contexts] == [False, True, True]
