"""Mutate, validate and floor agree, field by field, on a real API server."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from quorate import names
from quorate.admission import injection, pods
from quorate.admission.injection import InjectionConfig
from quorate.admission.rules import Allowed
from quorate.admission.rules.audit_claim import audit_claim, audit_claim_read_only
from quorate.admission.rules.injected import injected
from quorate.admission.rules.subject import take_apart
from quorate.api.v1alpha1.attested_model import ClaimSource, Source
from quorate.policy.runtime import RuntimeRules
from tests.contract.floor.ground import (
    CONFIG,
    EXEMPT,
    ON_CLAIM,
    PARTS,
    PREVIOUS_IMAGE,
    Floor,
    Pod,
    installed,
)
from tests.contract.floor.mutations import ADDED, mutations

pytestmark = pytest.mark.cluster

SOURCE = Source(persistent_volume_claim=ClaimSource(claim_name="weights"))
MODEL_VOLUME = {"name": "model", "persistentVolumeClaim": {"claimName": "weights"}}


STORAGES = {"pod": CONFIG, "claim": ON_CLAIM}


@pytest.fixture(scope="module", params=STORAGES, ids=[f"audit on the {s}" for s in STORAGES])
def floor(request: pytest.FixtureRequest) -> Iterator[Floor]:
    """A floor of this module's own, for either place of the audit records."""
    with installed(f"injection-{request.param}", injection=STORAGES[request.param]) as here:
        yield here


def model_pod(floor: Floor) -> Pod:
    """An injected pod whose model is on a claim, so that validate's rule finds its volume."""
    return floor.injected(volumes=[copy.deepcopy(MODEL_VOLUME)])


def denied_by_validate(pod: Pod, config: InjectionConfig) -> bool:
    """Whether validate's own rules on the injection refuse the pod."""
    rules = RuntimeRules(8000, (), None, 1, 1, 1, ())
    previous = msgspec.structs.replace(config, image=PREVIOUS_IMAGE)
    none: frozenset[str] = frozenset()
    allowed = Allowed(SOURCE, none, {}, none, none, frozenset(), rules, (config, previous), None)
    subject = take_apart(pod, SOURCE)
    return any(injected(subject, allowed)) or any(audit_claim(subject, allowed))


@pytest.mark.requirement("byte-equal injection: mutate, validate and floor from one source")
def test_what_mutate_makes_passes_unchanged(floor: Floor) -> None:
    """The API server takes a mutated pod, gives it back to the byte, and validate agrees."""
    pod = model_pod(floor)
    answer = floor.create(pod)
    assert answer.message == ""
    stored = answer.body["spec"]
    assert stored["initContainers"] == list(injection.containers(floor.config, "model"))
    ours = [v for v in stored["volumes"] if v["name"].startswith(names.VOLUME_PREFIX)]
    assert tuple(ours) == injection.volumes(floor.config)
    assert not denied_by_validate(answer.body, floor.config)


@pytest.mark.requirement("injected containers accepted in versions N and N-1")
def test_the_previous_image_passes_and_no_other(floor: Floor) -> None:
    """Both images of an upgrade pass, in both containers alike; a third does not, nor a mix."""
    previous = msgspec.structs.replace(floor.config, image=PREVIOUS_IMAGE)
    assert floor.create(floor.injected(previous)).accepted
    third = msgspec.structs.replace(floor.config, image=PREVIOUS_IMAGE.replace("b", "f"))
    assert "InjectionDiffers" in floor.create(floor.injected(third)).message
    mixed = floor.injected()
    mixed["spec"]["initContainers"][1]["image"] = PREVIOUS_IMAGE
    assert "InjectionDiffers" in floor.create(mixed).message


@pytest.mark.requirement("pods begin with the members of the epoch they were injected in")
@pytest.mark.parametrize(
    ("members", "passes"),
    [
        (("member-0",), True),
        (tuple(f"member-{number}" for number in range(13)), True),
        (tuple(f"member-{number}" for number in range(14)), False),
        ((), False),
        (("member-0.example.test/",), False),
        (("-member",), False),
    ],
    ids=str,
)
def test_members_to_begin_with_are_names(
    floor: Floor, members: tuple[str, ...], passes: bool
) -> None:
    """One to thirteen of them, whichever; floor and validate agree. Both containers name the
    same."""
    other = msgspec.structs.replace(floor.config, members=members)
    pod = floor.injected(other, volumes=[copy.deepcopy(MODEL_VOLUME)])
    assert floor.create(pod).accepted is passes
    assert denied_by_validate(pod, floor.config) is not passes
    mixed = model_pod(floor)
    mixed["spec"]["initContainers"][0] = pod["spec"]["initContainers"][0]
    assert "InjectionDiffers" in floor.create(mixed).message
    assert denied_by_validate(mixed, floor.config)


@pytest.mark.requirement("a deck of canaries reaches the sidecar of the pod that names it alone")
def test_a_deck_is_mounted_as_injected_or_not_at_all(floor: Floor) -> None:
    """A pod with one passes and comes back to the byte; without the mount or the volume, with
    another kind of volume, or with more than the Secret's name, it is refused."""
    asking = injection.asking(floor.config, "deck")
    volumes = [copy.deepcopy(MODEL_VOLUME)]
    pod = floor.injected(asking, volumes=volumes)
    answer = floor.create(pod)
    assert answer.message == ""
    ours = [v for v in answer.body["spec"]["volumes"] if v["name"].startswith("quorate-")]
    assert tuple(ours) == injection.volumes(asking)
    assert not denied_by_validate(answer.body, floor.config)
    kinds: tuple[dict[str, Any], ...] = (
        {"secret": {"secretName": "deck", "defaultMode": 0o444, "optional": True}},
        {"secret": {"secretName": "DECK", "defaultMode": 0o444}},
        {"emptyDir": {}},
    )
    for changed in kinds:
        other = copy.deepcopy(pod)
        at = [v["name"] for v in pod["spec"]["volumes"]].index(names.CANARY_VOLUME)
        other["spec"]["volumes"][at] = {"name": names.CANARY_VOLUME, **changed}
        assert not floor.create(other).accepted, changed
    unmounted, without = copy.deepcopy(pod), copy.deepcopy(pod)
    unmounted["spec"]["initContainers"][-1]["volumeMounts"].pop()
    kept = [v for v in pod["spec"]["volumes"] if v["name"] != names.CANARY_VOLUME]
    without["spec"]["volumes"] = kept
    for other in (unmounted, without):
        assert not floor.create(other).accepted
        assert denied_by_validate(other, floor.config)


@pytest.mark.requirement(
    "byte-equal injection: every single change is refused by validate and floor"
)
@pytest.mark.parametrize("index", [0, 1], ids=pods.INJECTED)
def test_every_single_change_is_refused(floor: Floor, index: int) -> None:
    """Each field changed, removed or added is refused by both; or it is one that the API server
    sets back to what was injected."""
    original = model_pod(floor)["spec"]["initContainers"][index]
    disagreeing, refused, restored = [], 0, []
    for title, container in mutations(original):
        pod = model_pod(floor)
        pod["spec"]["initContainers"][index] = container
        answer = floor.create(pod)
        if answer.status == 422:
            continue  # no valid pod at all
        if answer.accepted:
            restored.append(title)
            expected = injection.containers(floor.config, "model")
            if answer.body["spec"]["initContainers"] != list(expected):
                disagreeing.append(f"{title}: admitted")
        elif floor.name not in answer.message:
            disagreeing.append(f"{title}: {answer.message}")
        elif not denied_by_validate(pod, floor.config):
            disagreeing.append(f"{title}: validate allows it")
        else:
            refused += 1
    assert disagreeing == []
    assert refused >= 60
    # Removing what the API server defaults is no change.
    assert all(title.endswith("removed") for title in restored)


def test_every_field_of_a_container_was_tried(floor: Floor) -> None:
    """The API server knows no field of a container that the changes above leave out."""
    schema = floor.api.request("GET", "/openapi/v3/api/v1").body["components"]["schemas"]
    fields = set(schema["io.k8s.api.core.v1.Container"]["properties"])
    present = set(injection.measure_container(floor.config, "model"))
    assert fields - present - set(ADDED) == set()


def test_defaults_of_a_limit_range_pass(floor: Floor) -> None:
    """Resources that we do not name may be added, as LimitRange admission does; ours may not
    change."""
    pod = model_pod(floor)
    for container in pod["spec"]["initContainers"]:
        for amounts in container["resources"].values():
            amounts["ephemeral-storage"] = "1Gi"
    assert floor.create(pod).message == ""
    assert not denied_by_validate(pod, floor.config)
    pod["spec"]["initContainers"][0]["resources"]["requests"]["cpu"] = "1m"
    assert "InjectionDiffers" in floor.create(pod).message
    assert denied_by_validate(pod, floor.config)


def added_mount(pod: Pod) -> None:
    pod["spec"]["containers"][0]["volumeMounts"].append(
        {"name": names.TOKEN_VOLUME, "mountPath": "/stolen"}
    )


def init_mount(pod: Pod) -> None:
    container = {
        "name": "first",
        "image": EXEMPT,
        "volumeMounts": [{"name": names.WORK_VOLUME, "mountPath": "/work"}],
    }
    pod["spec"]["initContainers"].insert(0, container)


def own_container(pod: Pod) -> None:
    pod["spec"]["containers"].append({"name": "quorate-debug", "image": EXEMPT})


def own_init(pod: Pod) -> None:
    pod["spec"]["initContainers"].insert(0, {"name": "quorate-first", "image": EXEMPT})


def after_sidecar(pod: Pod) -> None:
    pod["spec"]["initContainers"].append({"name": "last", "image": EXEMPT})


def swapped(pod: Pod) -> None:
    pod["spec"]["initContainers"].reverse()


def own_volume(pod: Pod) -> None:
    pod["spec"]["volumes"].append({"name": "quorate-more", "emptyDir": {}})


def lone_volume(pod: Pod) -> None:
    pod["spec"]["initContainers"] = []


def larger_work(pod: Pod) -> None:
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == names.WORK_VOLUME)
    volume["emptyDir"]["sizeLimit"] = "1Gi"


def token_for_longer(pod: Pod) -> None:
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == names.TOKEN_VOLUME)
    volume["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] = 86400


def own_token(pod: Pod) -> None:
    source = {"serviceAccountToken": {"audience": "quorate-too", "path": "token"}}
    pod["spec"]["volumes"].append({"name": "mine", "projected": {"sources": [source]}})


def writable_model(pod: Pod) -> None:
    del pod["spec"]["containers"][0]["volumeMounts"][0]["readOnly"]


def writer_that_stays(pod: Pod) -> None:
    container = {
        "name": "sync",
        "image": EXEMPT,
        "restartPolicy": "Always",
        "volumeMounts": [{"name": "model", "mountPath": "/model"}],
    }
    pod["spec"]["initContainers"].insert(0, container)


def records_elsewhere(pod: Pod) -> None:
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == names.AUDIT_VOLUME)
    kept = {"name": names.AUDIT_VOLUME}
    volume.clear()
    volume.update(kept | {"persistentVolumeClaim": {"claimName": "elsewhere"}})


AROUND: dict[str, tuple[Any, str]] = {
    "the server mounts our token": (added_mount, "ReservedName"),
    "an init container mounts our work volume": (init_mount, "ReservedName"),
    "another container bears our prefix": (own_container, "ReservedName"),
    "another init container bears our prefix": (own_init, "ReservedName"),
    "a container after the sidecar": (after_sidecar, "InjectionDiffers"),
    "sidecar before measure": (swapped, "InjectionDiffers"),
    "another volume bears our prefix": (own_volume, "ReservedName"),
    "our volumes without our containers": (lone_volume, "InjectionDiffers"),
    "a larger work volume": (larger_work, "InjectionDiffers"),
    "audit records on another claim": (records_elsewhere, "InjectionDiffers"),
    "the server may write the model": (writable_model, "ModelMountWritable"),
    "a native sidecar may write the model": (writer_that_stays, "ModelMountWritable"),
    "a token that lives longer": (token_for_longer, "InjectionDiffers"),
    "a token of our audience elsewhere": (own_token, "TokenAudienceReserved"),
}


@pytest.mark.requirement("floor: nothing else mounts quorate-* volumes or bears our names")
@pytest.mark.parametrize("title", AROUND)
def test_what_stands_around_the_injection(floor: Floor, title: str) -> None:
    """Names, order and volumes around the injected containers are held too, with their reason."""
    change, reason = AROUND[title]
    pod = model_pod(floor)
    change(pod)
    answer = floor.create(pod)
    assert reason in answer.message
    assert floor.name in answer.message


@pytest.mark.requirement("audit on a claim: no container but the sidecar reaches it")
@pytest.mark.parametrize("read_only", [False, True])
def test_who_else_may_mount_the_claim(floor: Floor, read_only: bool) -> None:
    """A model pod in no way, a pod of exempt images to read; any other claim is free. Validate
    agrees, and without a claim for records there is nothing to hold."""
    held = floor.config is ON_CLAIM
    source = {"claimName": "records"} | ({"readOnly": True} if read_only else {})
    volume = {"name": "data", "persistentVolumeClaim": source}
    model = model_pod(floor)
    model["spec"]["volumes"].append(volume)
    batch = floor.pod(containers=[{"name": "batch", "image": EXEMPT}], volumes=[volume])
    other = copy.deepcopy(batch)
    other["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "other"
    assert ("VolumeNotAllowed" in floor.create(model).message) is held
    assert denied_by_validate(model, floor.config) is held
    refused = held and not read_only
    answer = floor.create(batch)
    assert ("VolumeNotAllowed" in answer.message) is refused, answer.message
    assert answer.accepted is not refused
    assert any(audit_claim_read_only(batch, [floor.config])) is refused
    assert floor.create(other).accepted


def test_the_api_server_finds_no_fault_with_the_expressions(floor: Floor) -> None:
    """Its type checker, which knows every field of a pod, warns about nothing."""
    base = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    deadline = time.monotonic() + 30
    for part in PARTS:
        while True:
            status = floor.api.request("GET", f"{base}/{floor.name}-{part}").body["status"]
            if "typeChecking" in status:
                break
            assert time.monotonic() < deadline, "the type checker has not looked"
            time.sleep(0.5)
        assert status["typeChecking"].get("expressionWarnings", []) == []
