"""A member that lies, on the cluster: canaries convict it, it loses its vote without anybody's
doing, and it comes back with another key by people's.
"""

import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e import canaries, people
from tests.e2e.asks import HARM_STRICT, HARMLESS, ask_harmful, ask_once, guarded
from tests.e2e.client import Client
from tests.e2e.installation import SYSTEM
from tests.e2e.member_logs import audit_log
from tests.e2e.tenant import Document, Tenant, condition, eventually
from tests.e2e.test_serving import host
from tests.e2e.weird_members import bend, straighten
from tools.demo.cluster import Cluster
from tools.demo.members import wait_for_members

LIAR, SPARE = "member-4", "member-5"
RULE = "MemberQuarantined"
FOUND_SECONDS = 240.0


def quarantined(cluster: Cluster) -> set[str]:
    """Whose vote counts for nothing, as the operator has it from the chain."""
    return {one["name"] for one in people.status(cluster)["members"] if one["quarantined"]}


def incident(cluster: Cluster) -> Document | None:
    """The incident of a member under quarantine that is still open."""
    found = cluster.get("safetyincidents", *SYSTEM)["items"]
    mine = [one for one in found if one["spec"]["rule"] == RULE]
    still = [one for one in mine if condition(one, "Open") != "False"]
    return still[0] if still else None


@pytest.mark.requirement("committee on the cluster: canaries, quarantine by itself, return")
@pytest.mark.timeout(600)
def test_a_liar_loses_its_vote_and_returns_with_another_key(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deck is committed to through the API; the pod that asks it goes on where it was when its
    sidecar was killed, and takes the next deck without a restart. Who approves everything is
    quarantined by the operator's own proposal, nobody else is, a spare is offered for its seat, and
    the committee goes on."""
    cluster = tenant.cluster
    cluster.apply(guarded(tenant), tenant.attested())
    tenant.certified()
    first = canaries.root_of(canaries.commit(tenant, tmp_path, "first"))
    cluster.apply(canaries.pod(tenant), tenant.service("demo"))
    tenant.running("demo")
    asked = canaries.Progress(tenant)
    before = asked.until(first, 3)
    asked.kill()
    after = asked.until(first, before.unsafe + 3)
    assert after.safe >= before.safe
    assert quarantined(cluster) == set()

    bend(cluster, LIAR)
    wait_for_members(cluster)
    second = canaries.root_of(canaries.commit(tenant, tmp_path, "second"))
    asked.until(second, 1)
    began = time.monotonic()
    eventually(lambda: quarantined(cluster), "somebody is quarantined", seconds=FOUND_SECONDS)
    took, far = time.monotonic() - began, asked.asked()
    assert quarantined(cluster) == {LIAR}
    eventually(lambda: incident(cluster), "people are told")
    waiting = eventually(lambda: people.status(cluster).get("replacement"), "a spare is offered")
    assert (waiting["member"], waiting["by"]) == (LIAR, SPARE)
    explained(tenant, client, tmp_path, people.status(cluster)["epoch"]["number"])
    with capsys.disabled():
        sys.stdout.write(f"\nquarantined {took:.0f} s after the first canary; asked: {far}\n")

    straighten(cluster, LIAR)
    private, public = people.new_key(cluster, tmp_path, LIAR)
    people.give_key(cluster, LIAR, private)
    readmit = ("readmit", "--member", LIAR, "--new-key", str(public), "--without-clean-run")
    people.change(cluster, tmp_path, *readmit)
    eventually(lambda: not quarantined(cluster), "its vote counts again")
    wait_for_members(cluster)
    eventually(lambda: people.whole(cluster), "all five answer in one epoch", seconds=180)
    eventually(lambda: incident(cluster) is None, "the incident is closed")
    assert not people.status(cluster).get("replacement")
    for tool in HARMLESS:
        eventually(partial(ask_once, client, host(tenant), tool), f"{tool} is approved")


def explained(tenant: Tenant, client: Client, folder: Path, epoch: int) -> None:
    """A denial, from the pod's own log and the chain, without asking anybody."""
    refused = ask_harmful(client, host(tenant), HARM_STRICT)
    log, chain = folder / "audit.jsonl", folder / "chain.json"
    log.write_bytes(audit_log(tenant.get("pod", "demo")))
    people.done(tenant.cluster, "verify", "--out", str(chain))
    offline = ("--chain", str(chain), "--id", refused)
    found = people.done(tenant.cluster, "explain-decision", *offline, str(log))
    (decision,) = found["decisions"]
    assert found["proven"], found
    assert (decision["decision"], decision["epoch"]["number"]) == ("deny", epoch)
    assert decision["votes"], found
    assert all(vote["verified"] and vote["verdict"] == "DENY" for vote in decision["votes"])
    assert LIAR not in {vote["member"] for vote in decision["votes"]}
