"""A pod that asks canaries: its sidecar mounts the Secret it names, and nothing else does."""

import copy
from typing import Any

import pytest

from quorate import names
from quorate.admission import injection, mutate, preview
from quorate.admission.validate import shape
from quorate.errors import InvalidInput
from quorate.verdict import Reason
from tests.unit.admission.pod_builder import bare_pod
from tests.unit.admission.world import good_world, injection_config

Document = dict[str, Any]
WORLD = good_world()
DIGEST = f"sha256:{'0' * 64}"


def annotated(secret: str | None) -> Document:
    """A pod that names a Secret, as its tenant writes it."""
    pod = copy.deepcopy(bare_pod())
    if secret is not None:
        pod["metadata"]["annotations"] = {names.CANARY_ANNOTATION: secret}
    return pod


def injected(name: str | None = "deck") -> Document:
    """What mutate makes of it."""
    pod = annotated(name)
    return copy.deepcopy(mutate.apply(pod, mutate.complete(pod, WORLD.snapshot)))


def reasons(pod: Document) -> list[Reason]:
    """Why it would not be created."""
    return [denial.reason for denial in shape(pod, WORLD.snapshot).verdict.denials]


@pytest.mark.requirement("a deck of canaries reaches the sidecar of the pod that names it alone")
def test_the_sidecar_alone_mounts_the_deck() -> None:
    """Read-only, from the Secret that the pod names; a pod that names none has no such volume."""
    pod = injected()
    assert reasons(pod) == []
    measure, sidecar = pod["spec"]["initContainers"][-2:]
    mounts = [m["name"] for m in measure["volumeMounts"]]
    mounts += [m["name"] for c in pod["spec"]["containers"] for m in c.get("volumeMounts", ())]
    assert names.CANARY_VOLUME not in mounts
    (mount,) = (m for m in sidecar["volumeMounts"] if m["name"] == names.CANARY_VOLUME)
    assert mount == {"name": names.CANARY_VOLUME, "mountPath": "/run/quorate-canaries",
                     "readOnly": True}  # fmt: skip
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == names.CANARY_VOLUME)
    assert volume["secret"] == {"secretName": "deck", "defaultMode": 0o444}
    plain = injected(None)
    assert reasons(plain) == []
    assert names.CANARY_VOLUME not in str(plain["spec"])


def test_mutate_says_nothing_of_what_it_has_done() -> None:
    """A second time it changes nothing."""
    pod = injected()
    assert mutate.complete(pod, WORLD.snapshot) == []


def test_an_annotation_that_changes_later_changes_nothing() -> None:
    """What was injected stays right: a hand at the annotation makes no escape of the pod."""
    for secret in ("deck", None):
        pod = injected(secret)
        pod["metadata"]["annotations"] = {names.CANARY_ANNOTATION: "other"}
        assert reasons(pod) == []
        pod["metadata"]["annotations"] = {}
        assert reasons(pod) == []


def _volume(pod: Document) -> Document:
    (found,) = (v for v in pod["spec"]["volumes"] if v["name"] == names.CANARY_VOLUME)
    assert isinstance(found, dict)
    return found


def no_mount(pod: Document) -> None:
    pod["spec"]["initContainers"][-1]["volumeMounts"].pop()


def no_volume(pod: Document) -> None:
    pod["spec"]["volumes"].remove(_volume(pod))


def writable(pod: Document) -> None:
    pod["spec"]["initContainers"][-1]["volumeMounts"][-1]["readOnly"] = False


def elsewhere(pod: Document) -> None:
    pod["spec"]["initContainers"][-1]["volumeMounts"][-1]["mountPath"] = "/run/quorate"


def measured(pod: Document) -> None:
    pod["spec"]["initContainers"][-2]["volumeMounts"].append(injection.CANARY_MOUNT)


def of_the_server(pod: Document) -> None:
    pod["spec"]["containers"][0].setdefault("volumeMounts", []).append(
        {"name": names.CANARY_VOLUME, "mountPath": "/deck"}
    )


def a_directory(pod: Document) -> None:
    volume = _volume(pod)
    del volume["secret"]
    volume["hostPath"] = {"path": "/"}


def one_item(pod: Document) -> None:
    _volume(pod)["secret"]["items"] = [{"key": "deck", "path": "../token"}]


def no_name(pod: Document) -> None:
    _volume(pod)["secret"]["secretName"] = 7


CHANGES = (no_mount, no_volume, writable, elsewhere, measured, of_the_server, a_directory, one_item,
           no_name)  # fmt: skip


@pytest.mark.requirement("a deck of canaries reaches the sidecar of the pod that names it alone")
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_it_is_refused(change: Any) -> None:
    """Mount or volume missing, elsewhere, writable, another's, or of another kind."""
    pod = injected()
    change(pod)
    assert reasons(pod) != []


@pytest.mark.parametrize("secret", ["A", "../etc", "-deck", "deck\n", "x" * 254, "a b"], ids=repr)
def test_what_is_no_name_of_a_secret_is_refused(secret: str) -> None:
    """With a reason, rather than a pod that waits for a volume for ever."""
    assert Reason.RESERVED_NAME in reasons(injected(secret))


def test_it_is_no_installations_to_say() -> None:
    """Not every pod of a cluster asks."""
    with pytest.raises(InvalidInput, match="by annotation"):
        injection_config(DIGEST, canaries="deck")


def test_a_preview_takes_the_pod_as_its_controller_makes_it() -> None:
    """Without what was injected, the deck's volume included."""
    pod = preview.as_new(injected(), WORLD.snapshot, guarded=True)
    assert names.CANARY_VOLUME not in str(pod["spec"])
