"""Admission, whatever the pod: no crash, nothing let in by mistake, injection idempotent."""

import copy
import json
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import names
from quorate.admission import injection, mutate, update, validate
from quorate.admission.quantity import canonical_quantity
from quorate.admission.selection import Selections
from quorate.admission.snapshot import Snapshot
from quorate.admission.templates import Templates
from quorate_webhook import review
from tests.fakes.vouching import MODEL_IMAGE, NOW, SERVER_DIGEST, policy, signers
from tests.unit.admission.pod_builder import API_TOKEN_VOLUME, FETCHER_IMAGE, PodBuilder, bare_pod
from tests.unit.admission.world import FLOOR, OWNER, World, good_world
from tests.unit.webhook.requests import NoPods, encode, request

Document = dict[str, Any]
WORLD = good_world()
SNAPSHOT = WORLD.snapshot
ON_CLAIM = good_world(audit={"persistentVolumeClaim": "records"}).snapshot
"""The same installation with audit records on a claim."""
both_storages = pytest.mark.parametrize(
    "snapshot", [SNAPSHOT, ON_CLAIM], ids=["audit in the pod", "audit on a claim"]
)
GATED = PodBuilder(SNAPSHOT).build()
LOOKED_AT = review.World(SNAPSHOT, NoPods(), NoPods())
KNOWN_VOLUMES = {"model", "tmp", API_TOKEN_VOLUME["name"]} | {
    volume["name"] for volume in injection.volumes(SNAPSHOT.injection)
}

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "quorate-sidecar", "model", "Always", "/models", SERVER_DIGEST])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node."""
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [here, *(path for key, child in children for path in paths(child, (*here, key)))]


GATED_BY = {s.injection: PodBuilder(s).build() for s in (SNAPSHOT, ON_CLAIM)}
SPEC_PATHS = [("spec", *path) for path in paths(GATED["spec"])]


def replaced(document: Document, path: tuple[Any, ...], value: Any) -> Document:
    """A copy with one node replaced; with ``...`` for a value, one node removed."""
    result = copy.deepcopy(document)
    target: Any = result
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return result


def good(pod: Document, snapshot: Snapshot = SNAPSHOT) -> bool:
    """What must be true of every admitted pod, told a second time and in other words."""
    spec = pod["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    (server,) = spec["containers"]
    ours = [c for c in spec["initContainers"] if c["name"].startswith("quorate-")]
    others = [c for c in spec["initContainers"] if c not in ours]
    mounted = [m for m in server["volumeMounts"] if m["name"] == "model"]
    host = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "nodeName")
    return (
        any(gate["name"] == names.SCHEDULING_GATE for gate in spec["schedulingGates"])
        and not any(spec.get(field) for field in host)
        and not spec.get("ephemeralContainers")
        and set(volumes) <= KNOWN_VOLUMES
        and volumes["model"]["image"]["reference"] == MODEL_IMAGE
        and all(volumes[v["name"]] == v for v in injection.volumes(snapshot.injection))
        and tuple(spec["initContainers"][-2:]) == injection.containers(snapshot.injection, "model")
        and len(ours) == 2
        and all(c["image"].endswith(f"@{SERVER_DIGEST}") for c in (server, *others))
        and not any(c.get("command") or c.get("envFrom") for c in (server, *others))
        and bool(mounted)
        and all(m["readOnly"] is True and not m.get("subPath") for m in mounted)
        and pod["metadata"]["labels"][names.MODEL_LABEL] == "demo"
        and pod["metadata"].get("namespace", "") in ("", "team-a")
    )


def answer(body: bytes, world: review.World = LOOKED_AT) -> Document:
    """The response to a review for validate."""
    found: Document = json.loads(review.handle(review.VALIDATE, body, world, NOW))["response"]
    return found


def test_the_oracle_knows_the_good_pod() -> None:
    """The second telling agrees with the first on the pod that all cases start from."""
    assert good(GATED)
    assert answer(encode(request(GATED)))["allowed"]
    assert good(GATED_BY[ON_CLAIM.injection], ON_CLAIM)
    assert not good(GATED, ON_CLAIM)


@both_storages
@settings(max_examples=400)
@given(data=st.data(), junk=JUNK | st.just(...))
def test_junk_anywhere_opens_nothing(snapshot: Snapshot, data: st.DataObject, junk: Any) -> None:
    """Any node of a good pod replaced by anything, or removed: refused, or still a good pod."""
    gated, world = GATED_BY[snapshot.injection], review.World(snapshot, NoPods(), NoPods())
    pod = replaced(gated, data.draw(st.sampled_from(paths(gated)[1:])), junk)
    document = request(gated)
    document["request"]["object"] = pod
    found = answer(encode(document), world)
    if found["allowed"]:
        assert good(pod, snapshot)
    for other in (review.MUTATE, review.REPORT):
        assert json.loads(review.handle(other, encode(document), world, NOW))["response"]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(SPEC_PATHS[1:]), JUNK), min_size=2, max_size=4))
def test_several_pieces_of_junk_open_nothing(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """So do several at once, as far as their places still exist."""
    pod = GATED
    for path, junk in changes:
        try:
            pod = replaced(pod, path, junk)
        except (KeyError, IndexError, TypeError):
            continue
    if answer(encode(request(pod)))["allowed"]:
        assert good(pod)


@settings(max_examples=300)
@given(st.sampled_from(SPEC_PATHS), JUNK)
def test_junk_by_update_opens_nothing(path: tuple[Any, ...], junk: Any) -> None:
    """An UPDATE of a gated pod to anything else: refused, or still a good pod."""
    pod = replaced(GATED, path, junk)
    if answer(encode(request(pod, "UPDATE", old=GATED)))["allowed"]:
        assert good(pod)


@settings(max_examples=300)
@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(body: bytes) -> None:
    """Bytes that are no review are refused, without a crash."""
    assert answer(body)["allowed"] is False


GOOD_BYTES = encode(request(GATED))


@settings(max_examples=400)
@given(st.integers(0, len(GOOD_BYTES) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_spoilt_bytes_open_nothing(at: int, inserted: bytes, removed: int) -> None:
    """A good review with a few bytes replaced: refused, or still about a good pod."""
    body = GOOD_BYTES[:at] + inserted + GOOD_BYTES[at + removed :]
    if answer(body)["allowed"]:
        # The parser skips, unread, what no decision is about.
        text = body.decode("utf-8", "replace")
        assert good(json.loads(text)["request"]["object"])


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=8), JUNK, max_size=4), st.sampled_from(["x", "y"]))
def test_no_change_is_always_allowed(spec: Document, name: str) -> None:
    """An UPDATE that changes nothing we guard is allowed, whatever the pod looks like."""
    old = {"metadata": {"name": name, "namespace": "team-a", "finalizers": ["a"]}, "spec": spec}
    new = copy.deepcopy(old)
    del new["metadata"]["finalizers"]
    assert update.update(old, new, "anyone", SNAPSHOT, NOW).verdict.allowed
    assert answer(encode(request(new, "UPDATE", old=old)))["allowed"]


@st.composite
def written_pods(draw: st.DrawFn) -> Document:
    """Good pods as different owners would write them."""
    pod = bare_pod()
    spec, server = pod["spec"], pod["spec"]["containers"][0]
    init = [
        {"name": f"init-{i}", "image": FETCHER_IMAGE, "volumeMounts": []}
        for i in range(draw(st.integers(0, 3)))
    ]
    if init:
        spec["initContainers"] = init
    gates = draw(st.lists(st.sampled_from(["a/b", "c/d", names.SCHEDULING_GATE]), unique=True))
    if gates:
        spec["schedulingGates"] = [{"name": gate} for gate in gates]
    spec["terminationGracePeriodSeconds"] = draw(st.integers(0, 60))
    if draw(st.booleans()):
        server["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}
    if draw(st.booleans()):
        name = draw(st.from_regex(r"[a-z]([a-z0-9]{0,8})", fullmatch=True))
        spec["volumes"][0]["name"] = server["volumeMounts"][0]["name"] = f"w-{name}"
    if draw(st.booleans()):
        spec["volumes"].pop(2)
        server["volumeMounts"].pop(2)
    pod["metadata"]["labels"] |= draw(
        st.dictionaries(st.sampled_from(["app", "tier", "x"]), st.text("abc", max_size=3))
    )
    return pod


@both_storages
@settings(max_examples=200)
@given(pod=written_pods())
def test_mutate_is_idempotent_and_makes_pods_that_pass(snapshot: Snapshot, pod: Document) -> None:
    """mutate(mutate(pod)) == mutate(pod), and validate admits what mutate made."""

    def mutated(before: Document) -> Document:
        operations = copy.deepcopy(mutate.complete(before, snapshot))
        result: Document = jsonpatch.apply_patch(before, operations)
        return result

    once = mutated(pod)
    assert mutated(once) == once
    assert mutate.apply(pod, mutate.complete(pod, snapshot)) == once
    verdict = validate.create(once, snapshot).verdict
    assert verdict.allowed, verdict.text()
    assert validate.may_run(once, snapshot, NOW).verdict.allowed


def labelled_world() -> World:
    """Policies whose selectors look at two labels in every way there is."""
    world = World()
    world.put_policy(policy(FLOOR))
    selectors: list[Document] = [
        {"matchLabels": {"a": "1"}},
        {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1", ""]}]},
        {"matchExpressions": [{"key": "b", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "b", "operator": "In", "values": ["", "2"]}]},
    ]
    for index, selector in enumerate(selectors):
        spec = {"model": {"signers": signers(OWNER)}}
        world.put_policy(policy(spec, name=f"p{index}", selector=selector))
    return world


LABELLED = labelled_world().snapshot.policies
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2", "3"]))


@given(st.lists(st.tuples(st.sampled_from(["team-a", "team-b"]), LABELS), max_size=8))
def test_remembered_selections_are_the_right_ones(asked: list[tuple[str, dict[str, str]]]) -> None:
    """A selection that is remembered is the one that would be worked out."""
    remembering = Selections(LABELLED.compiled)
    for namespace, labels in asked * 2:
        fresh = Selections(LABELLED.compiled).of(namespace, labels)
        assert remembering.of(namespace, labels) == fresh


@given(st.integers(1, 10**6), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_quantities_have_one_spelling(amount: int, suffix: str) -> None:
    """The stored spelling is stable, and means the same amount."""
    stored = canonical_quantity(f"{amount}{suffix}", "cpu")
    assert canonical_quantity(stored, "cpu") == stored
    assert _value(stored) == _value(f"{amount}{suffix}")


def _value(text: str) -> int:
    """A quantity in thousandths."""
    factors = {"m": 1, "": 10**3, "k": 10**6, "M": 10**9, "G": 10**12, "T": 10**15}
    factors |= {"Ki": 2**10 * 10**3, "Mi": 2**20 * 10**3, "Gi": 2**30 * 10**3, "Ti": 2**40 * 10**3}
    digits = text.rstrip("mkMGTi K")
    return int(digits) * factors[text[len(digits) :]]


@st.composite
def two_specs(draw: st.DrawFn) -> tuple[Document, Document]:
    """A good pod, and one much like it: renamed, or with a piece of junk, or both."""
    first = draw(written_pods())
    second = copy.deepcopy(first)
    for field, name in (("volumes", "kube-api-access-aaaaa"), ("containers", "")):
        path = draw(st.sampled_from([p for p in paths(second["spec"]) if p and p[0] == field]))
        if draw(st.booleans()):
            second["spec"] = replaced(second["spec"], path, draw(JUNK | st.just(name)))
    if draw(st.booleans()):
        text = json.dumps(second["spec"])
        second["spec"] = json.loads(text.replace("kube-api-access-x7x2q", "kube-api-access-b9b9b"))
    return first, second


@settings(max_examples=300)
@given(two_specs())
def test_what_is_kept_of_one_pod_lets_no_other_in(pair: tuple[Document, Document]) -> None:
    """A pod that follows a good one gets the answer it would get if it came first."""

    def injected(pod: Document) -> Document:
        try:
            return mutate.apply(pod, mutate.complete(pod, SNAPSHOT))
        except (AttributeError, KeyError, TypeError, IndexError):
            return pod

    first, second = (encode(request(injected(pod))) for pod in pair)
    warm, cold = good_snapshot(), good_snapshot()
    assert json.loads(review.handle(review.VALIDATE, first, warm, NOW))["response"]["allowed"]
    answers = [review.handle(review.VALIDATE, second, world, NOW) for world in (warm, cold)]
    assert answers[0] == answers[1]
    for body in (encode(request(pair[0])), encode(request(pair[1]))):
        answers = [
            review.handle(review.MUTATE, body, world, NOW) for world in (warm, good_snapshot())
        ]
        assert answers[0] == answers[1]


def good_snapshot() -> review.World:
    """The same world without any memory."""
    return review.World(
        replace(SNAPSHOT, admitted=Templates(), patches=Templates()), NoPods(), NoPods()
    )
