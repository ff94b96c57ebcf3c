"""Preview has no opinion of its own: whatever the pod, it says what admission says."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import names
from quorate.admission import escape, mutate, preview, recognition, validate
from quorate.admission.model import know_model
from quorate.admission.preview import Fate
from quorate.admission.snapshot import Snapshot
from quorate.admission.store import Store
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.evidence.intoto import Outcome
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import evaluate
from quorate.verdict import all_of
from tests.fakes import vouching
from tests.fakes.vouching import NOW, signer
from tests.unit.admission.pod_builder import EXEMPT_IMAGE, SERVER_IMAGE, bare_pod, exempt_pod
from tests.unit.admission.test_escape import KEY, bare, running, unreleased
from tests.unit.admission.world import FILES, FLOOR, World, good_world, injection_config

Document = dict[str, Any]
WORLD = good_world()
LAB, OWNER = signer(), signer()


def _set(path: tuple[Any, ...], value: Any) -> Any:
    def change(pod: Document) -> None:
        target: Any = pod
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = copy.deepcopy(value)

    return change


def _drop_label(pod: Document) -> None:
    pod["metadata"]["labels"].pop(names.MODEL_LABEL, None)


SERVER = ("spec", "containers", 0)
CHANGES = st.sampled_from(
    [
        _drop_label,
        _set(("metadata", "labels", names.MODEL_LABEL), "another"),
        _set((*SERVER, "image"), SERVER_IMAGE.replace("a" * 64, "9" * 64)),
        _set((*SERVER, "image"), EXEMPT_IMAGE),
        _set((*SERVER, "command"), ["sh"]),
        _set((*SERVER, "args"), ["--model", "org/name", "--host", "127.0.0.1", "--port", "8000"]),
        _set((*SERVER, "args"), ["--model", "/models", "--host", "0.0.0.0"]),  # noqa: S104
        _set((*SERVER, "name"), "quorate-server"),
        _set((*SERVER, "volumeMounts"), []),
        _set((*SERVER, "env"), [{"name": "HF_HUB_OFFLINE", "value": "0"}]),
        _set(("spec", "hostNetwork"), True),
        _set(("spec", "shareProcessNamespace"), True),
        _set(("spec", "volumes"), []),
        _set(("spec", "initContainers"), [{"name": "fetch", "image": SERVER_IMAGE}]),
        _set(("spec", "schedulingGates"), [{"name": "other.example.com/gate"}]),
    ]
)
LATER = st.sampled_from(
    [
        _set(("spec", "nodeName"), "node-1"),
        _set(("spec", "ephemeralContainers"), [{"name": "debugger", "image": "x"}]),
        _set(("status",), {"phase": "Running"}),
        _set(("metadata", "managedFields"), [{"fieldsV1": {"f:spec": {"f:containers": {}}}}]),
    ]
)


def admission_says(pod: Document, snapshot: Snapshot) -> tuple[bool, set[str]]:
    """Mutate, then what webhook and operator ask, in this order."""
    whole = mutate.apply(pod, mutate.complete(pod, snapshot))
    created = validate.create(whole, snapshot).verdict
    ran = validate.may_run(whole, snapshot, NOW).verdict
    verdict = all_of(created, ran)
    return verdict.allowed, {denial.text() for denial in verdict.denials}


@pytest.mark.requirement("preview's verdict is admission's, for any pod")
@given(st.lists(CHANGES, max_size=4), st.lists(LATER, max_size=4))
@settings(deadline=None)
def test_preview_says_what_admission_says(changes: list[Any], later: list[Any]) -> None:
    """Whatever its owner wrote, and whatever happened to the pod since, verdict and reasons are
    those that its next creation would get."""
    written = bare_pod()
    for change in changes:
        change(written)
    existing = copy.deepcopy(written)
    for change in later:
        change(existing)
    before = copy.deepcopy(existing)
    found = preview.foresee(existing, WORLD.snapshot, NOW, guarded=False)
    verdict = found.judgement.verdict
    expected = admission_says(written, WORLD.snapshot)
    assert (verdict.allowed, {denial.text() for denial in verdict.denials}) == expected
    assert found.fate.denies == (not verdict.allowed)
    assert existing == before


@given(st.lists(CHANGES, max_size=3))
@settings(deadline=None)
def test_an_injected_pod_is_judged_as_it_was_written(changes: list[Any]) -> None:
    """In a namespace that enforces, what mutate added is taken off again before judging."""
    written = bare_pod()
    for change in changes:
        change(written)
    snapshot = WORLD.snapshot
    whole = copy.deepcopy(mutate.apply(written, mutate.complete(written, snapshot)))
    whole["spec"]["nodeName"] = "node-1"
    gates = [g for g in whole["spec"].get("schedulingGates") or () if "other" in g["name"]]
    whole["spec"]["schedulingGates"] = gates
    verdict = preview.next_start(whole, snapshot, NOW, guarded=True).verdict
    assert (verdict.allowed, {d.text() for d in verdict.denials}) == admission_says(
        written, snapshot
    )


def _copied_mark(pod: Document) -> None:
    """A mark of the right form that says nothing true of this pod."""
    pod["metadata"].setdefault("annotations", {})[names.RELEASED_ANNOTATION] = f"{'0' * 64}."


BY_HAND = st.sampled_from(
    [
        _drop_label,
        _copied_mark,
        _set((*SERVER, "image"), SERVER_IMAGE.replace("a" * 64, "9" * 64)),
        _set((*SERVER, "image"), EXEMPT_IMAGE),
        _set((*SERVER, "resources"), {}),
        _set(("spec", "ephemeralContainers"), [{"name": "debugger", "image": "x"}]),
        _set(("spec", "initContainers"), []),
        _set(("spec", "schedulingGates"), [{"name": names.SCHEDULING_GATE}]),
        _set(("metadata", "annotations"), {escape.MIRROR_ANNOTATION: "0"}),
        _set(("metadata", "annotations"), {}),
        _set(("metadata", "deletionTimestamp"), "2036-01-01T00:00:00Z"),
        _set(("status",), {"phase": "Succeeded"}),
    ]
)
GONE = (Fate.REPLACED, Fate.DELETED, Fate.REFUSED, Fate.STATIC)


@pytest.mark.requirement("preview's escapes are those of the escape scan")
@given(
    start=st.sampled_from([running, unreleased, bare, exempt_pod]),
    changes=st.lists(BY_HAND, max_size=3),
    guarded=st.booleans(),
)
@settings(deadline=None)
def test_preview_foresees_what_the_scan_finds(
    *, start: Any, changes: list[Any], guarded: bool
) -> None:
    """Whatever was done to a pod, preview says that it goes if and only if the scan, which has the
    key, calls it an escape; of one that is left it says nothing else."""
    pod = start()
    for change in changes:
        change(pod)
    found = escape.find(pod, WORLD.snapshot, KEY, NOW, familiar=guarded)
    fate = preview.foresee(pod, WORLD.snapshot, NOW, guarded=guarded).fate
    assert (fate in GONE) == (found is not None)
    assert (fate is Fate.STATIC) == (found is not None and not found.deletable)


@pytest.mark.requirement("preview's verdict is the member's, for any model")
@given(
    signed=st.booleans(),
    gates=st.lists(st.sampled_from(list(Outcome)), max_size=2),
    age=st.sampled_from([timedelta(hours=1), timedelta(days=2)]),
    strict=st.booleans(),
)
@settings(deadline=None)
def test_a_draft_is_judged_as_a_member_would(
    *, signed: bool, gates: list[Outcome], age: timedelta, strict: bool
) -> None:
    """A pod passes under a draft exactly if, once applied, a member would certify its model."""
    envelopes = tuple(
        vouching.gate_result(FILES, LAB, result=outcome, finished_at=NOW - age) for outcome in gates
    )
    asked: Document = {"signers": vouching.signers(OWNER)}
    if strict:
        asked["gates"] = [vouching.gate(LAB)]
    document = vouching.policy(FLOOR | {"model": FLOOR["model"] | asked}, name="draft")
    policy = compile_policy(read(ClusterSafetyPolicy, document))
    bundles = (vouching.bundle(FILES, OWNER),) if signed else ()
    made = vouching.attested_model(FILES, bundles=bundles, gates=envelopes)
    model, world = read(AttestedModel, made), World()
    genesis = world.committee.genesis
    known = preview.as_if_judged(
        know_model(model, world.committee.history, NOW), model, policy, NOW, None
    )
    store = Store(injection_config(genesis.digest_text), world.committee.history)
    store.put_policy(document)
    certifies = evaluate(policy, model, NOW).verdict.allowed
    if certifies:
        made["status"] = {
            "observedGeneration": 1,
            "certificates": [world.certificate(policy)],
            "policies": [],
        }
    really = store.put_model(made, NOW)
    assert really is not None
    assert preview.of_model(known, (policy,), NOW).allowed == certifies
    assert preview.of_model(really, (policy,), NOW).allowed == certifies


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(max_size=40))
def test_recognition_never_fails(labels: dict[str, str], argument: str) -> None:
    """Whatever a tenant writes into labels and arguments: an answer, and none for a plain pod."""
    pod = bare_pod()
    pod["metadata"]["labels"] = labels
    pod["spec"]["containers"][0] |= {"args": [argument], "command": [argument]}
    recognition.recognise(pod)
