"""What the operator does while others are away."""

import signal
from pathlib import Path

import pytest

from tests.contract.operator import control_plane
from tests.integration.operator.installation import Installation, eventually
from tests.integration.operator.tenant import Tenant

pytestmark = [pytest.mark.cluster]


@pytest.mark.requirement("a member that does not answer: conditions Unknown, MemberUnavailable")
def test_member_that_is_away_is_named_and_its_return_is_noticed(tmp_path: Path) -> None:
    """What was certified stays so; what is new waits, and is judged soon after its return."""
    with control_plane.running(tmp_path) as plane:
        installation = Installation(plane, tmp_path)
        installation.prepare()
        old, new = Tenant(installation, "op-old"), Tenant(installation, "op-new")
        with installation.operator() as operator:
            with installation.member() as member:
                old.create()
                old.put_model()
                old.await_condition("Ready", "True", "Verified")
                member.stop(signal.SIGKILL)
            new.create()
            new.put_model()
            new.put_pod()
            new.await_condition("Ready", "Unknown", "MemberUnavailable")
            assert old.conditions()["Ready"] == ("True", "Verified")
            assert operator.get("/healthz")[0] == 200
            with installation.member() as member:
                took = new.await_condition("Ready", "True", "Verified", seconds=20.0)
                assert took < 15.0
                eventually(lambda: new.gates() == [], "the gate is released")
                eventually(
                    lambda: (
                        member.metric("quorate_member_observed_objects", '{kind="models"}') == 2
                    ),
                    "the new member was told everything",
                )


@pytest.mark.whole
@pytest.mark.requirement("API server restart: the operator survives, and finds what it missed")
def test_short_absence_of_the_api_server_is_survived(tmp_path: Path) -> None:
    """Shorter than the Lease: the same process goes on, and finds a deletion it could not see."""
    with control_plane.running(tmp_path) as plane:
        installation = Installation(plane, tmp_path)
        installation.prepare()
        tenant = Tenant(installation, "op-outage")
        with installation.member(), installation.operator() as operator:
            tenant.create()
            tenant.put_model()
            tenant.await_condition("Ready", "True", "Verified")
            plane.stop_api_server()
            with plane.second_api_server() as other:
                arguments = ("delete", "clustersafetypolicy", tenant.namespace)
                plane.kubectl(*arguments, kubeconfig=other)
            with plane.api_server():
                tenant.await_condition("Ready", "False", "NoPolicySelectsPod", seconds=60.0)
                assert operator.process.poll() is None


@pytest.mark.requirement("operator: loses its Lease → exits non-zero at once")
def test_long_absence_of_the_api_server_ends_the_process(tmp_path: Path) -> None:
    """Longer than the Lease: somebody else may be working, so this process may not."""
    with control_plane.running(tmp_path) as plane:
        installation = Installation(plane, tmp_path)
        installation.prepare()
        with installation.member(), installation.operator() as operator:
            plane.stop_api_server()
            took = eventually(lambda: operator.process.poll() is not None, "it ended", 60.0)
            assert operator.process.returncode == 4
            assert 20.0 < took < 40.0
