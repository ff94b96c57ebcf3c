"""Pods of one template: a yes is kept for exactly the same spec, and for nothing else."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quorate.admission import templates, validate
from quorate.admission.templates import plain_text
from quorate.verdict import Reason
from tests.fakes.vouching import policy
from tests.unit.admission.pod_builder import API_TOKEN_VOLUME, PodBuilder
from tests.unit.admission.test_bypasses import TAMPERED, WRITTEN
from tests.unit.admission.world import FLOOR, World, good_world

Document = dict[str, Any]
TOKEN = API_TOKEN_VOLUME["name"]


def text_of(pod: Document) -> bytes:
    """The spec as the API server writes it, made plain."""
    return plain_text(json.dumps(pod["spec"], separators=(",", ":")).encode())


def create(world: World, pod: Document) -> validate.Judgement:
    """Judge a pod and keep the yes."""
    return validate.create(pod, world.snapshot, text_of(pod))


def is_known(world: World, pod: Document) -> bool:
    """Whether a pod is let in without being read."""
    head = {"metadata": pod["metadata"]}
    recalled = validate.recall(head, text_of(pod), world.snapshot)
    assert recalled is None or recalled.verdict.allowed
    return recalled is not None


def renamed(pod: Document, name: str) -> Document:
    """The pod with its API token's volume under another name, as ServiceAccount admission does."""
    pod = copy.deepcopy(pod)
    for item in [*pod["spec"]["volumes"], *pod["spec"]["containers"][0]["volumeMounts"]]:
        if item["name"] == TOKEN:
            item["name"] = name
    return pod


@pytest.fixture
def world() -> World:
    """A world that has seen a good pod."""
    found = good_world()
    assert create(found, PodBuilder(found.snapshot).build()).verdict.allowed
    return found


def test_the_next_pod_of_a_template_is_known(world: World) -> None:
    """Another token volume, another name and uid: known, with the same answer as before."""
    pod = PodBuilder(world.snapshot).build()
    for index in range(3):
        following = renamed(pod, f"kube-api-access-{index:05d}")
        following["metadata"] |= {"name": f"pod-{index}", "uid": str(index)}
        assert is_known(world, following)
        recalled = validate.recall(following, text_of(following), world.snapshot)
        assert recalled == validate.create(following, world.snapshot)


def test_nothing_is_known_at_first() -> None:
    """Not even a good pod."""
    fresh = good_world()
    assert not is_known(fresh, PodBuilder(fresh.snapshot).build())


CASES = [(f"{case[0]}, written", "before", *case[1:]) for case in WRITTEN]
CASES += [(f"{case[0]}, later", "after", *case[1:]) for case in (*WRITTEN, *TAMPERED)]


@pytest.mark.parametrize(
    ("when", "change", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_no_bypass_is_known(
    world: World, when: str, change: Callable[[Document], None], reasons: set[Reason]
) -> None:
    """A good pod just before does not help a bad one, and a bad one is never kept."""
    pod = PodBuilder(world.snapshot, **{when: [change]}).build()
    for _ in range(2):
        assert not is_known(world, pod)
        assert {d.reason for d in create(world, pod).verdict.denials} & reasons


def test_a_pod_without_our_gate_is_not_kept() -> None:
    """What is refused for its gate or node alone is refused again."""
    fresh = good_world()
    for field in ("schedulingGates", "nodeName"):
        pod = PodBuilder(fresh.snapshot).build()
        if field == "nodeName":
            pod["spec"][field] = "node-1"
        else:
            del pod["spec"][field]
        assert not create(fresh, pod).verdict.allowed
        assert not is_known(fresh, pod)


def new_policy(world: World) -> None:
    world.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"servers": []}}))


def second_policy(world: World) -> None:
    world.put_policy(policy({"model": {"volumes": []}}, name="own", namespace="team-a"))


def broken_policy(world: World) -> None:
    world.store.break_policy("SafetyPolicy", ("team-a", "own"), "unreadable")


def other_source(world: World) -> None:
    world.put_model(source={"image": {"reference": f"x@sha256:{'7' * 64}"}})


def same_model(world: World) -> None:
    world.put_model()


def no_model(world: World) -> None:
    world.store.remove("AttestedModel", ("team-a", "demo"))


def no_owners(world: World) -> None:
    world.put_model(owners=None)


@pytest.mark.parametrize(
    "change",
    [new_policy, second_policy, broken_policy, other_source, same_model, no_model, no_owners],
)
def test_a_change_of_policy_or_model_forgets(world: World, change: Callable[[World], None]) -> None:
    """A yes holds only while what it was for is the very same."""
    pod = PodBuilder(world.snapshot).build()
    assert is_known(world, pod)
    change(world)
    assert not is_known(world, pod)


def test_a_report_of_failure_is_heard(world: World) -> None:
    """What the operator sees fail refuses pods of a known template at once."""
    compiled = next(iter(world.policies.values()))
    failed = world.report(compiled, status="False", reason="GateFailed")
    world.put_model(status={"policies": [failed]})
    pod = PodBuilder(world.snapshot).build()
    assert not create(world, pod).verdict.allowed
    assert not is_known(world, pod)


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
    assert create(world, pod).verdict.allowed
    assert is_known(world, pod)
    put("ReadOnlyMany", "ReadWriteMany")
    assert not is_known(world, pod)


def test_labels_that_bring_another_policy_are_another_context() -> None:
    """The same spec under labels that another policy selects is judged under that policy."""
    world = good_world()
    selector = {"matchLabels": {"tier": "a"}}
    world.put_policy(policy({"model": {"servers": []}}, name="a", selector=selector))
    world.put_model()
    pod = PodBuilder(world.snapshot).build()
    assert create(world, pod).verdict.allowed
    assert is_known(world, pod)
    pod["metadata"]["labels"]["tier"] = "a"
    assert not is_known(world, pod)


@pytest.mark.parametrize("key", ["namespace", "model"])
def test_another_namespace_or_model_is_not_known(world: World, key: str) -> None:
    """A yes is for one model of one namespace."""
    pod = PodBuilder(world.snapshot).build()
    if key == "namespace":
        pod["metadata"]["namespace"] = "team-b"
    else:
        pod["metadata"]["labels"]["quorate.dev/model"] = "other"
    assert not is_known(world, pod)


def text(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def volume(name: str, **fields: Any) -> Document:
    return {"name": name, **(fields or {"projected": {}})}


def test_the_name_goes_from_volume_and_mounts() -> None:
    """Wherever it is the value of a name, and the prefix stays."""
    spec = {"volumes": [volume(TOKEN)], "containers": [{"volumeMounts": [{"name": TOKEN}]}]}
    assert plain_text(text(spec)) == text(spec).replace(TOKEN.encode(), b"kube-api-access-")


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [volume(TOKEN, emptyDir={})]},
        {"volumes": [volume("kube-api-access-UPPER")]},
        {"volumes": [volume("kube-api-access-toolong")]},
        {"volumes": [volume("x-kube-api-access-abcde")]},
        {"volumes": [volume(TOKEN)], "containers": [{"args": [f"--model={TOKEN}"]}]},
        {"volumes": [volume(TOKEN)], "containers": [{"args": [TOKEN]}]},
        {"volumes": [volume(TOKEN)], "containers": [{"env": [{"name": "X", "value": TOKEN}]}]},
        {
            "volumes": [volume(TOKEN)],
            "containers": [{"volumeMounts": [{"mountPath": f"/{TOKEN}"}]}],
        },
        {"volumes": [volume(TOKEN)], "containers": [{"args": [f'"name":"{TOKEN}"']}]},
        {"volumes": [volume(TOKEN)], TOKEN: 1},
        {},
    ],
    ids=lambda spec: json.dumps(spec)[:60],
)
def test_a_spec_that_speaks_of_the_name_elsewhere_is_kept_as_it_is(spec: Document) -> None:
    """So is one whose volume is not what ServiceAccount admission adds."""
    assert plain_text(text(spec)) == text(spec)


def test_texts_are_bounded(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """The oldest goes when there are too many; a very long one is not kept."""
    monkeypatch.setattr(templates, "REMEMBERED_MAX", 2)
    known = world.snapshot.models["team-a", "demo"]
    selection = world.snapshot.policies.selections.of("team-a", {})
    remembered: templates.Templates[int] = templates.Templates()
    contexts = [(selection, replace(known, name=f"m{i}"), None) for i in range(3)]
    for number, context in enumerate(contexts):
        remembered.remember(context, b"x", number)
    assert [remembered.recall(context, b"x") for context in contexts] == [None, 1, 2]
    long = b"x" * (templates.TEXT_MAX + 1)
    remembered.remember(contexts[2], long, 3)
    assert remembered.recall(contexts[2], long) is None
    assert remembered.recall(contexts[2], b"x") == 2


def test_workloads_of_one_model_may_come_in_turn(world: World) -> None:
    """The last few texts of a model are known; the oldest goes, and repeats take no room."""
    context = (
        world.snapshot.policies.selections.of("team-a", {}),
        world.snapshot.models["team-a", "demo"],
        None,
    )
    remembered: templates.Templates[int] = templates.Templates()
    texts = [b"%d" % number for number in range(templates.TEXTS_PER_MODEL + 1)]
    for number, plain in enumerate(texts):
        for _ in range(2):
            remembered.remember(context, plain, number)
    found = [remembered.recall(context, plain) for plain in texts]
    assert found == [None, *range(1, len(texts))]


def released(world: World, pod: Document) -> validate.Judgement:
    """Whether a pod may run, with its template's text."""
    return validate.may_run(pod, world.snapshot, world.now, text_of(pod))


def is_shaped(world: World, pod: Document) -> bool:
    """Whether the pod's shape is known to be right."""
    context = validate.context_of(pod, world.snapshot)
    return context is not None and world.snapshot.shaped.recall(context, text_of(pod)) is True


def test_the_next_release_is_judged_like_the_first(world: World) -> None:
    """Known by its spec's text, under another token volume; a gated pod is not known by it."""
    pod = PodBuilder(world.snapshot).released().build()
    assert not is_shaped(world, pod)
    for name in ("kube-api-access-00000", "kube-api-access-00001"):
        following = renamed(pod, name)
        assert released(world, following) == validate.may_run(pod, world.snapshot, world.now)
        assert is_shaped(world, pod)
    assert not is_shaped(world, PodBuilder(world.snapshot).build())
    assert not is_known(world, pod)


@pytest.mark.parametrize(
    ("when", "change", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_no_bypass_is_released(
    world: World, when: str, change: Callable[[Document], None], reasons: set[Reason]
) -> None:
    """A good release just before does not help a bad one, and a bad one is never kept."""
    assert released(world, PodBuilder(world.snapshot).released().build()).verdict.allowed
    pod = PodBuilder(world.snapshot, **{when: [change]}).build()
    pod["spec"].pop("schedulingGates", None)
    for _ in range(2):
        judged = released(world, pod)
        assert judged == validate.may_run(pod, world.snapshot, world.now)
        if reasons <= {Reason.NOT_GATED, Reason.PRESET_NODE}:
            continue  # Nothing is wrong with that in a pod that is to run.
        assert {d.reason for d in judged.verdict.denials} & reasons
        assert not is_shaped(world, pod)


@pytest.mark.parametrize(
    "change",
    [new_policy, second_policy, broken_policy, other_source, same_model, no_model, no_owners],
)
def test_a_change_of_policy_or_model_forgets_what_was_released(
    world: World, change: Callable[[World], None]
) -> None:
    """After it the answer is the one of somebody who never saw the pod."""
    pod = PodBuilder(world.snapshot).released().build()
    assert released(world, pod).verdict.allowed
    assert is_shaped(world, pod)
    change(world)
    if change is not broken_policy:
        assert not is_shaped(world, pod)
    judged = released(world, pod)
    assert judged == validate.may_run(pod, world.snapshot, world.now)
    assert judged.verdict.allowed is (change is same_model)


def test_certificates_are_looked_at_whatever_is_known(world: World) -> None:
    """A shape that is known says nothing of the evidence, which ends by itself."""
    pod = PodBuilder(world.snapshot).released().build()
    assert released(world, pod).verdict.allowed
    late = validate.may_run(pod, world.snapshot, world.now + timedelta(days=1), text_of(pod))
    assert is_shaped(world, pod)
    assert {denial.reason for denial in late.verdict.denials} == {Reason.CERTIFICATE_EXPIRED}
