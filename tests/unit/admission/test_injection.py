"""The configuration of what is injected: digests, https, and quantities as the API stores them."""

from typing import Any

import pytest

from quorate.admission import injection
from quorate.admission.quantity import canonical_quantity
from quorate.errors import InvalidInput
from tests.unit.admission.world import injection_config

GENESIS = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "registry.quorate.test:5000/sidecar:v1"},
        {"image": "sidecar@sha256:abc"},
        {"memberUrl": "http://quorate-member-0:8443"},
        {"memberUrl": "https://{seat}.quorate.test:8443"},
        {"memberUrl": "https://{member}.{member}.quorate.test:8443"},
        {"members": ["member-0.example.test"]},
        {"members": [f"member-{number}" for number in range(14)]},
        {"drainSeconds": -1},
        {"drainSeconds": 601},
        {"drainSeconds": "5"},
        {"surprise": 1},
        {"measureResources": {"cpu": "100m"}},
        {"measureResources": {"cpu": "0.1", "memory": "64Mi"}},
        {"sidecarResources": {"cpu": "0", "memory": "64Mi"}},
        {"sidecarResources": {"cpu": "1", "memory": "64MB"}},
        {"audit": {"sizeLimit": "31Mi"}},
        {"audit": {"sizeLimit": "65Gi"}},
        {"audit": {"sizeLimit": "128"}},
        {"audit": {"sizeLimit": "64000m"}},
        {"audit": {"persistentVolumeClaim": "../etc"}},
        {"audit": {"persistentVolumeClaim": "a'b"}},
        {"audit": {"persistentVolumeClaim": "a" * 254}},
        {"audit": {"hostPath": "/"}},
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    """Wrong at start-up is better than wrong in every pod."""
    with pytest.raises(InvalidInput):
        injection_config(GENESIS, **changes)


def test_a_genesis_without_a_digest_is_refused() -> None:
    """The pin is what every sidecar starts from."""
    with pytest.raises(InvalidInput, match="genesisDigest"):
        injection_config("latest")


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("100m", "100m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1000", "1k"),
        ("2", "2"),
        ("64Mi", "64Mi"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("1048576Ki", "1Gi"),
        ("1000000k", "1G"),
    ],
)
def test_quantities_are_spelt_as_stored(written: str, stored: str) -> None:
    """The spelling that the API server answers with, so that injected equals stored."""
    assert canonical_quantity(written, "cpu") == stored
    assert canonical_quantity(stored, "cpu") == stored


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1e3", "01", "1 Mi", "1mi", "\u0661", "9" * 20]
)
def test_other_spellings_are_refused(text: str) -> None:
    """Rather than guessing how the API server would round them."""
    with pytest.raises(InvalidInput, match="cpu"):
        canonical_quantity(text, "cpu")


def test_shared_containers_equal_fresh_ones() -> None:
    """What is remembered is what would be built."""
    config = injection_config(GENESIS)
    measure, sidecar = injection.containers(config, "model")
    assert measure == injection.measure_container(config, "model")
    assert sidecar == injection.sidecar_container(config, "model")
    assert injection.containers(config, "other")[0]["volumeMounts"][0]["name"] == "other"
