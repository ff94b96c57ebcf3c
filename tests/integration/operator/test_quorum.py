"""Five members as processes, each with a key and an address of its own, and one operator."""

import json
import signal
from pathlib import Path

import pytest

from quorate.consensus.thresholds import PRESETS
from tests.contract.operator import control_plane
from tests.integration.operator.installation import Installation, eventually
from tests.integration.operator.tenant import Tenant

pytestmark = [pytest.mark.cluster]
STANDARD = PRESETS["standard"]


def signers(tenant: Tenant) -> set[str]:
    """Key ids of those whose signatures the model's certificate carries."""
    envelope = json.loads(tenant.certificates()[0]["envelope"])
    return {signature["keyid"] for signature in envelope["signatures"]}


@pytest.mark.requirement("admission by quorum: certificates carry strict signatures of members")
def test_four_of_five_certify_and_three_do_not(tmp_path: Path) -> None:
    """One member down changes nothing; with two down what is new waits, until one is back."""
    with control_plane.running(tmp_path) as plane:
        installation = Installation(plane, tmp_path, preset="standard")
        installation.prepare()
        tenants = [Tenant(installation, f"op-quorum-{number}") for number in range(3)]
        whole, one_down, two_down = tenants
        with installation.members() as members, installation.operator() as operator:
            first, second, *_ = installation.member_names
            whole.create()
            whole.put_model()
            whole.put_pod()
            whole.await_condition("Ready", "True", "Verified")
            eventually(lambda: whole.gates() == [], "the gate is released")
            assert len(signers(whole)) >= STANDARD.strict

            members[first].stop(signal.SIGKILL)
            one_down.create()
            one_down.put_model()
            one_down.await_condition("Ready", "True", "Verified")
            assert len(signers(one_down)) == STANDARD.strict

            members[second].stop(signal.SIGKILL)
            two_down.create()
            two_down.put_model()
            two_down.await_condition("Ready", "Unknown", "MemberUnavailable")
            assert operator.get("/healthz")[0] == 200
            with installation.member(second):
                two_down.await_condition("Ready", "True", "Verified")
                assert len(signers(two_down)) == STANDARD.strict


@pytest.mark.requirement("install Job: n keys, n seats, never overwritten")
def test_each_member_has_a_key_of_its_own(tmp_path: Path) -> None:
    """With the rights that the chart gives, the install Job makes five, and leaves them alone."""
    with control_plane.running(tmp_path) as plane:
        installation = Installation(plane, tmp_path, preset="standard")
        installation.prepare()
        keys = {
            (tmp_path / f"key-{member}/key.pem").read_bytes()
            for member in installation.member_names
        }
        assert len(keys) == STANDARD.n
        again = installation.command("quorate-install", "install", "--timeout", "10")
        assert again.returncode == 0, again.stderr
        installation.write_files()
        assert keys == {
            (tmp_path / f"key-{member}/key.pem").read_bytes()
            for member in installation.member_names
        }
