"""Administrators: from the chart's values into the install Job, and nowhere else."""

import json
from typing import Any

import pytest

from quorate.consensus.epoch import Admins
from quorate.genesis import NO_ADMINS
from quorate_operator.install.admins import VARIABLE, read_admins
from tests.contract.chart.rendered import CHART, helm, named, pods, rendered, rendered_text
from tests.fakes.vouching import signer

pytestmark = pytest.mark.cluster


def environment(spec: dict[str, Any]) -> dict[str, str]:
    """The plain variables of a pod's containers."""
    return {
        entry["name"]: entry["value"]
        for container in spec["containers"]
        for entry in container.get("env", ())
        if "value" in entry
    }


@pytest.mark.requirement("genesis is epoch record 0: thresholds, administrators, judges")
def test_the_install_job_reads_what_the_values_say() -> None:
    """Keys with their line ends, and how many are needed; nobody by default."""
    keys = tuple(signer().public_key.pem for _ in range(2))
    value = json.dumps({"keys": keys, "needed": 2})
    documents = rendered(f"committee.admins={value}")
    job = named(documents, "Job", "quorate-install-1")
    assert read_admins(environment(job["spec"]["template"]["spec"])) == Admins(keys, 2)
    job = named(rendered(), "Job", "quorate-install-1")
    assert read_admins(environment(job["spec"]["template"]["spec"])) == NO_ADMINS


def test_nobody_else_is_told() -> None:
    """What administers is in the genesis, not in what a service was given."""
    told = [name for name, spec in pods(rendered()).items() if VARIABLE in environment(spec)]
    assert told == ["Job/quorate-install-1"]


@pytest.mark.parametrize(
    "wrong", ['committee.admins.keys=["key"]', "committee.admins.needed=0", "committee.quorum=1"]
)
def test_values_that_cannot_be_meant(wrong: str) -> None:
    """Helm refuses them before anything is installed."""
    with pytest.raises(AssertionError, match="committee"):
        rendered_text(wrong)
    assert helm("lint", "--strict", str(CHART), "--set-json", wrong).returncode != 0
