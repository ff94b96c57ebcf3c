"""Pods made to keep the webhook busy: the next request waits for no longer than for any other."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from quorate import limits
from quorate.admission import validate
from quorate.verdict import Reason
from tests.unit.admission.pod_builder import Document, PodBuilder, exempt_pod
from tests.unit.admission.world import good_world

WORLD = good_world()
MANY = 50_000


def server(**fields: Any) -> Document:
    """A pod whose server has these fields."""
    builder = PodBuilder(WORLD.snapshot)
    return builder.written(lambda pod: pod["spec"]["containers"][0].update(fields)).build()


def spec(field: str, parts: list[Document]) -> Document:
    """A pod with these parts besides its own."""
    return PodBuilder(WORLD.snapshot).written(lambda pod: pod["spec"][field].extend(parts)).build()


def mounts() -> Document:
    """The model, mounted everywhere: each mount could hide a part of another."""
    return server(
        volumeMounts=[{"name": "model", "mountPath": f"/m{n}"} for n in range(MANY)],
    )


LARGE: dict[str, Callable[[], Document]] = {
    "containers": lambda: spec("containers", [{"name": f"c{n}", "image": "x"} for n in range(65)]),
    "volumes": lambda: spec("volumes", [{"name": f"v{n}", "emptyDir": {}} for n in range(MANY)]),
    "mounts": mounts,
    "arguments": lambda: server(args=["-a"] * MANY),
    "variables": lambda: server(env=[{"name": f"LD_{n}", "value": ""} for n in range(MANY)]),
    "ports": lambda: server(ports=[{"containerPort": n} for n in range(1, MANY)]),
}


@pytest.mark.requirement("class P11: exhausting the verifier")
@pytest.mark.parametrize("kind", LARGE)
def test_a_pod_of_a_size_that_pods_do_not_have_is_refused_for_that_alone(kind: str) -> None:
    """One denial, and nothing else is worked out."""
    pod = LARGE[kind]()
    began = time.process_time()
    denials = validate.create(pod, WORLD.snapshot).verdict.denials
    assert time.process_time() - began < 1
    assert [denial.reason for denial in denials] == [Reason.MALFORMED]
    assert "at most" in denials[0].message


def test_an_exempt_pod_has_the_same_bounds() -> None:
    """What is not judged otherwise is bounded all the same."""
    pod = exempt_pod()
    assert validate.create(pod, WORLD.snapshot).verdict.allowed
    pod["spec"]["containers"] *= limits.CONTAINERS_PER_POD + 1
    assert not validate.create(pod, WORLD.snapshot).verdict.allowed


def test_beginnings_of_references_without_an_end_cost_one_look() -> None:
    """A megabyte of ``$(`` is read once, not once for each."""
    pod = server(args=["--model", "/models", "--seed", "$(" * 500_000])
    began = time.process_time()
    validate.create(pod, WORLD.snapshot)
    assert time.process_time() - began < 5
