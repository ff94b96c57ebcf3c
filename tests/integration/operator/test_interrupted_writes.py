"""What becomes of the operator's writes when it dies on one, or the API server refuses them."""

import os
import signal
import subprocess

import pytest
from aiohttp import web

from quorate import names
from tests.integration.operator.installation import Installation, Part, eventually
from tests.integration.operator.meddler import Meddler, Write, refusal
from tests.integration.operator.tenant import Tenant

pytestmark = [pytest.mark.cluster]

FULL = os.environ.get("QUORATE_TEST_FULL") == "1"
DEATHS = [(number, moment) for number in range(1, 9) for moment in ("before", "after")]
SAMPLE = [(1, "after"), (2, "before"), (3, "after")]
"""Which of them run where time is short: the first write, and both sides of later ones."""


def admitted_in_between(tenant: Tenant) -> bool:
    """Whether a pod is let go without a certificate for it: never."""
    return tenant.gates() != [names.SCHEDULING_GATE] and not tenant.certificates()


@pytest.mark.requirement("operator killed at each persistence point: converges, nothing admitted")
@pytest.mark.parametrize(("number", "moment"), DEATHS if FULL else SAMPLE)
def test_operator_killed_on_a_write_converges(
    installed: Installation, member: Part, tenant: Tenant, number: int, moment: str
) -> None:
    """Killed just before or just after its n-th write; the next process finishes the work."""
    victim: list[subprocess.Popen[bytes]] = []

    async def kill(write: Write) -> web.Response | None:
        if write.number != number:
            return None
        answer = await write.forward() if moment == "after" else None
        victim[0].send_signal(signal.SIGKILL)
        return answer or refusal(503, "ServiceUnavailable")

    tenant.put_model()
    tenant.put_pod()
    kubeconfig = installed.kubeconfig(names.OPERATOR_ACCOUNT)
    meddler = Meddler(kubeconfig, kill)
    with (
        meddler.running() as led_astray,
        installed.operator(wait=False, KUBECONFIG=str(led_astray)) as doomed,
    ):
        victim.append(doomed.process)
        finished = eventually(
            lambda: doomed.process.poll() is not None or released(tenant), "it dies or is done"
        )
        assert finished < 30
    assert number > len(meddler.writes) or doomed.process.returncode == -signal.SIGKILL
    assert not admitted_in_between(tenant)
    with installed.operator():
        tenant.await_condition("Ready", "True", "Verified")
        eventually(lambda: tenant.gates() == [], "the gate is released")


def released(tenant: Tenant) -> bool:
    """Whether the work is done."""
    return tenant.gates() == [] and tenant.conditions().get("Ready") == ("True", "Verified")


@pytest.mark.requirement("etcd conflicts: converges, nothing admitted in between")
def test_refused_writes_are_tried_again(
    installed: Installation, member: Part, tenant: Tenant
) -> None:
    """Every write meets a conflict, too many requests and a broken answer before it passes."""
    seen: dict[str, int] = {}

    async def refuse(write: Write) -> web.Response | None:
        seen[write.path] = seen.get(write.path, 0) + 1
        match seen[write.path]:
            case 1:
                return refusal(409, "Conflict")
            case 2:
                return refusal(429, "TooManyRequests", **{"Retry-After": "1"})
            case 3:
                return web.Response(status=200, text="{", content_type="application/json")
        return None

    tenant.put_model()
    tenant.put_pod()
    meddler = Meddler(installed.kubeconfig(names.OPERATOR_ACCOUNT), refuse)
    with (
        meddler.running() as led_astray,
        installed.operator(wait=False, KUBECONFIG=str(led_astray)) as operator,
    ):
        eventually(lambda: released(tenant), "the work is done all the same", 90)
        assert operator.process.poll() is None
    assert max(seen.values()) > 3
