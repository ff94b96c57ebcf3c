"""Files that a tenant writes, in volumes a policy lets a server mount: never its programs."""

from typing import Any

import pytest

from quorate.admission import validate
from quorate.verdict import Reason
from tests.fakes.vouching import policy
from tests.unit.admission.pod_builder import Document, PodBuilder
from tests.unit.admission.world import FLOOR, World, good_world

CONFIG = {"name": "config", "configMap": {"name": "mine"}}
PLACE = "/etc/chat"


def world(place: str | None = PLACE) -> World:
    """A cluster whose platform lets servers mount a ConfigMap."""
    found = good_world()
    volume = {"name": "config", "kind": "configMap"} | ({"mountPath": place} if place else {})
    tmp = {"name": "tmp", "kind": "emptyDir"}
    model = FLOOR["model"] | {"volumes": [tmp, volume]}
    found.put_policy(policy(FLOOR | {"model": model}))
    return found


def refused(found: World, env: Document | None = None, **mount: Any) -> list[Reason]:
    """Why a pod that mounts its ConfigMap so is refused."""

    def change(pod: Document) -> None:
        server = pod["spec"]["containers"][0]
        pod["spec"]["volumes"].append(CONFIG)
        server["volumeMounts"].append({"name": "config", "mountPath": PLACE, **mount})
        server["env"] += [{"name": k, "value": v} for k, v in (env or {}).items()]

    pod = PodBuilder(found.snapshot).written(change).build()
    return [denial.reason for denial in validate.shape(pod, found.snapshot).verdict.denials]


def test_they_lie_where_the_platform_says() -> None:
    """Whole, at the one place; with variables that say no more than where a file is."""
    assert refused(world()) == []
    assert refused(world(), {"SSL_CERT_FILE": f"{PLACE}/ca.pem"}) == []


@pytest.mark.parametrize(
    "mount",
    [
        {"mountPath": "/usr/lib/python3/dist-packages"},
        {"mountPath": f"{PLACE}/"},
        {"mountPath": f"{PLACE}/../../usr/bin"},
        {"subPath": "x"},
        {"subPathExpr": "$(X)"},
        {"mountPath": "/usr/bin/server", "subPath": "x"},
    ],
    ids=str,
)
def test_and_nowhere_else(mount: Document) -> None:
    """A mount over a directory of the image, or of one file over another, is refused."""
    assert refused(world(), **mount) == [Reason.VOLUME_NOT_ALLOWED]


def test_a_place_that_the_platform_does_not_name_is_none() -> None:
    """Silence is no leave to mount a tenant's files over the server's program."""
    assert refused(world(None)) == [Reason.VOLUME_NOT_ALLOWED]


@pytest.mark.parametrize("name", ["HOME", "XDG_DATA_HOME", "TORCHINDUCTOR_CACHE_DIR", "HF_HOME"])
def test_no_variable_has_programs_look_there(name: str) -> None:
    """Beside such files, no variable says where modules and compiled code are."""
    assert refused(world(), {name: PLACE}) == [Reason.SERVER_NOT_ALLOWED]
