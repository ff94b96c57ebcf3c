"""An epoch change in a cluster that holds many certified models: nobody notices."""

import copy
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import people
from tests.e2e.canaries import commit
from tests.e2e.client import Client
from tests.e2e.tenant import Document, Tenant, condition, eventually
from tests.e2e.test_serving import host
from tests.e2e.traffic import Traffic

MODELS = 1_000
CERTIFIED_SECONDS = 600.0
AFTER_SECONDS = 40.0
"""Several rounds of everything that hears of epochs."""


def not_ready(tenant: Tenant) -> dict[str, str]:
    """The models that may not be served, and why."""
    found = {}
    for model in tenant.get("attestedmodels")["items"]:
        if condition(model, "Ready") != "True":
            said = model.get("status", {}).get("conditions", [])
            found[model["metadata"]["name"]] = json.dumps(said)[:400]
    return found


def admitted(tenant: Tenant, model: str) -> None:
    """A pod of this model passes admission; AssertionError or CommandFailed if it is refused."""
    pod = tenant.pod(f"try-{model}", model=model)
    tenant.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def many(tenant: Tenant) -> list[Document]:
    """As many models, each vouched for like the first and named otherwise."""
    one = tenant.attested("model-0")
    found = [one]
    for number in range(1, MODELS):
        other = copy.deepcopy(one)
        other["metadata"]["name"] = f"model-{number}"
        found.append(other)
    return found


@pytest.mark.whole
@pytest.mark.requirement("an epoch change with 1,000 certified models under traffic fails nothing")
@pytest.mark.timeout(CERTIFIED_SECONDS + 600)
def test_nobody_notices_an_epoch_change(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No request of a protected pod fails, every model stays Ready, and pods of all of them are
    admitted: by certificates of the epoch before and of the new one."""
    tenant.serve()
    documents = many(tenant)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: tenant.cluster.apply(*part), parts(documents, 50)))
    eventually(
        lambda: len(tenant.get("attestedmodels")["items"]) > MODELS and not not_ready(tenant),
        f"{MODELS} models are certified",
        seconds=CERTIFIED_SECONDS,
        pause=5.0,
    )
    took = time.monotonic() - began

    traffic = Traffic(client, host(tenant), 80, 300)
    before = people.status(tenant.cluster)["epoch"]["number"]
    commit(tenant, tmp_path, "deck")
    assert people.status(tenant.cluster)["epoch"]["number"] == before + 1
    changed = time.monotonic()
    number = 0
    while time.monotonic() < changed + AFTER_SECONDS:
        admitted(tenant, f"model-{number * 37 % MODELS}")
        number += 1
    assert not_ready(tenant) == {}
    failed = [outcome for outcome in traffic.stop() if outcome[1] != 200]
    assert failed == []
    with capsys.disabled():
        sys.stdout.write(f"\n{MODELS} models certified in {took:.0f} s; {number} pods admitted\n")


def parts(documents: list[Document], size: int) -> list[list[Document]]:
    """The documents, so many at a time."""
    return [documents[begin : begin + size] for begin in range(0, len(documents), size)]
