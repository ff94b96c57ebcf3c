"""Other keys and other members, while a load of risky asks runs through a protected pod: no wrong
verdict, and no quorum lost.
"""

import base64
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from quorate.keys import load_signer
from tests.e2e import people
from tests.e2e.asks import HARMLESS
from tests.e2e.client import Client
from tests.e2e.conftest import VALUES
from tests.e2e.installation import SYSTEM
from tests.e2e.member_logs import stopped
from tests.e2e.tenant import Tenant, eventually
from tests.e2e.test_committee import NAMES, PHASE_SECONDS, asked, judged, shown
from tools.demo import chart
from tools.demo.cluster import Cluster
from tools.demo.members import wait_for_members

SIXTH, SEVENTH = "member-6", "member-7"
"""Beside the spare, which is member-5."""
LOAD_SECONDS = 900
JUDGES = "all"
SETTLE_SECONDS = 180.0
"""The kubelet brings a Secret's change within a minute or two."""


@contextmanager
def committee_of(cluster: Cluster, members: Sequence[str]) -> Iterator[None]:
    """The chart runs these; afterwards those of the preset again."""
    try:
        run(cluster, members)
        yield
    finally:
        chart.install(cluster, values=VALUES)


def run(cluster: Cluster, members: Sequence[str]) -> None:
    """Have the chart run these members, whether they have a seat or not."""
    named = {}
    for index, name in enumerate(members):
        named[f"committee.members[{index}].name"] = name
        if name not in NAMES:
            named[f"committee.members[{index}].judges"] = JUDGES
    chart.upgrade(cluster, values=VALUES | named)


def key_of(cluster: Cluster, folder: Path, member: str) -> Path:
    """The public key of a member, which waits for a seat."""

    def made() -> str:
        return str(cluster.get("secret", f"quorate-{member}-key", *SYSTEM)["data"]["key.pem"])

    pem = base64.b64decode(eventually(made, f"{member} has a key"))
    path = folder / f"{member}.pub"
    path.write_text(load_signer(pem).public_key.pem)
    return path


@pytest.mark.requirement("rotation, replacement, scaling 5→6→7 under load on the cluster")
@pytest.mark.timeout(LOAD_SECONDS)
def test_keys_and_members_change(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is rotated; a sixth member joins, and with two of six stopped both tiers are decided; a
    seventh joins; and both leave."""
    cluster = tenant.cluster
    with asked(tenant, client, LOAD_SECONDS - 60) as load:
        with load.phase("rotated"):
            private, public = people.new_key(cluster, tmp_path, NAMES[1])
            people.give_key(cluster, NAMES[1], private)
            rotate = ("rotate", "--member", NAMES[1], "--new-key", str(public))
            people.change(cluster, tmp_path, *rotate)
            settled(cluster)
        with committee_of(cluster, [*NAMES, SIXTH]):
            with load.phase("six"):
                resize(cluster, tmp_path, SIXTH, "--preset", "ha")
            with load.phase("six, two stopped"), stopped(cluster, *NAMES[:2]):
                time.sleep(PHASE_SECONDS)
            run(cluster, [*NAMES, SIXTH, SEVENTH])
            with load.phase("seven"):
                limits = ("--fast", "4", "--strict", "5", "--r", "2")
                resize(cluster, tmp_path, SEVENTH, *limits)
            with load.phase("five again"):
                leave = ("--remove", SIXTH, "--remove", SEVENTH, "--preset", "standard")
                people.change(cluster, tmp_path, "resize", *leave)
    shown(capsys, "members change", load)
    judged(load, tmp_path, ())
    for phase in load.phases:
        for tool in HARMLESS:
            assert load.approved(phase, tool), load.table()


def resize(cluster: Cluster, folder: Path, member: str, *limits: str) -> None:
    """Give a seat to a member that the chart runs already, and wait until it works."""
    public = key_of(cluster, folder, member)
    join = ("--add", f"{member}={public},{member},{JUDGES}")
    people.change(cluster, folder, "resize", *join, *limits)
    settled(cluster)


def settled(cluster: Cluster) -> None:
    """Wait until every member works in the epoch in force."""
    wait_for_members(cluster)
    eventually(lambda: people.whole(cluster), "all answer in one epoch", seconds=SETTLE_SECONDS)
