"""Incidents close by themselves when their cause has gone, and never against a person's word."""

from typing import Any, cast

import pytest

from quorate import names
from quorate.alerts import BY_RULE, ENDS, REPORTED, Rule, Source
from quorate_operator import lookout, supervision
from quorate_operator.alert_endings import CALM_SECONDS, LIST_SECONDS, AlertEndings
from quorate_operator.committee import Committee
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.kinds import SAFETY_INCIDENT
from quorate_operator.reconcile.actions import RaiseAlert
from quorate_operator.reconcile.report import ENDED_MAX
from quorate_operator.reconcile.serving import service
from quorate_operator.supervision import MEMBER_DOWN_SECONDS, Supervision
from tests.unit.operator.test_alerts import Scene

NS = names.NAMESPACE
BROKEN, DOWN = Rule.MEMBER_STORE_BROKEN, Rule.MEMBER_UNAVAILABLE


class Members:
    """A committee as supervision sees it."""

    def __init__(self) -> None:
        self.away: dict[str, float] = {}
        self.broken: dict[str, str] = {}

    def silent(self) -> dict[str, float]:
        return self.away

    def stores_broken(self) -> dict[str, str]:
        return self.broken


class Quiet:
    """Watches, queues and scans that are well."""

    age = 0.0
    held = True

    def ages(self) -> dict[str, float]:
        return {}

    def all(self) -> list[Any]:
        return []


class Watch(Scene):
    """Supervision of members over time."""

    def __init__(self) -> None:
        super().__init__()
        self.members = Members()
        self.supervision = self.start()

    def start(self) -> Supervision:
        """An operator's process."""
        quiet = cast(Any, Quiet())
        endings = AlertEndings(self.alerts, self.monotonic)
        committee, metrics = cast(Committee, self.members), self.metrics
        return Supervision(NS, committee, self.alerts, quiet, quiet, quiet, quiet, metrics, endings)

    async def minutes(self, count: float) -> None:
        """Looks, every few seconds."""
        until = self.monotonic.time + 60 * count
        while self.monotonic.time < until:
            await self.supervision.look()
            self.monotonic.time += supervision.LOOK_SECONDS

    def open(self, rule: Rule) -> list[str]:
        """The subjects of open incidents of a rule."""
        return sorted(
            one["spec"]["subject"]["name"]
            for path, one in self.api.objects.items()
            if path.startswith(SAFETY_INCIDENT.path(NS))
            and one["spec"]["rule"] == rule
            and not any(c["status"] == "False" for c in one["status"].get("conditions", ()))
        )


@pytest.mark.requirement("MemberStoreBroken closes by itself when the cause has gone")
async def test_a_store_that_works_again_closes_its_incident_after_five_minutes() -> None:
    """Not earlier, not another member's, not while the member does not answer; and what comes back
    is another incident."""
    watch = Watch()
    watch.members.broken = {"member-1": "disk full", "member-3": "read-only"}
    await watch.minutes(6)
    both = ["quorate-member-1", "quorate-member-3"]
    assert watch.open(BROKEN) == both
    del watch.members.broken["member-1"]
    await watch.minutes(CALM_SECONDS / 60 - 0.5)
    assert watch.open(BROKEN) == both
    await watch.minutes(1.5 + LIST_SECONDS / 60)
    assert watch.open(BROKEN) == both[1:]
    watch.members.broken, watch.members.away = {}, {"member-3": 1.0}
    await watch.minutes(20)
    assert watch.open(BROKEN) == both[1:]
    watch.members.away = {}
    await watch.minutes(8)
    assert watch.open(BROKEN) == []
    watch.members.broken = {"member-1": "disk full"}
    await watch.minutes(1)
    assert watch.open(BROKEN) == both[:1]
    closed = [i for i in watch.api.objects.values() if i.get("spec", {}).get("rule") == BROKEN]
    assert len(closed) == 3
    conditions = [c for i in closed for c in i["status"].get("conditions", ())]
    assert {(c["reason"], c["message"]) for c in conditions} == {
        ("Ended", "its cause has been gone for 5 minutes")
    }


async def test_what_comes_and_goes_stays_one_open_incident() -> None:
    """And a member that answers again closes MemberUnavailable."""
    watch = Watch()
    for _ in range(4):
        watch.members.away = {"member-2": MEMBER_DOWN_SECONDS}
        await watch.minutes(2)
        watch.members.away = {}
        await watch.minutes(4)
        assert watch.open(DOWN) == ["quorate-member-2"]
    await watch.minutes(4)
    assert watch.open(DOWN) == []
    assert sum(i.get("spec", {}).get("rule") == DOWN for i in watch.api.objects.values()) == 1


@pytest.mark.requirement("a person's resolution of an incident is never overwritten")
async def test_what_a_person_settled_is_left_as_it_is() -> None:
    """Nothing of it is written any more, not its status either."""
    watch = Watch()
    watch.members.broken = {"member-1": "disk full"}
    await watch.minutes(1)
    (path,) = [p for p in watch.api.objects if "safetyincidents" in p]
    settled = watch.api.objects[path]
    settled["spec"]["resolution"] = {"outcome": "AcceptedRisk", "message": "known", "time": "x"}
    before = watch.api.put(path, settled)
    watch.members.broken = {}
    await watch.minutes(20)
    assert watch.api.objects[path] == before
    await watch.alerts.close(RaiseAlert(BROKEN, service(NS, "quorate-member-1"), NS, "x"), "over")
    assert watch.api.objects[path] == before


async def test_an_operator_that_starts_anew_waits_as_long() -> None:
    """It closes what the one before it opened, after it has looked for itself; and asks the API
    server no more once nothing is open."""
    watch = Watch()
    watch.members.broken = {"member-1": "disk full"}
    await watch.minutes(1)
    watch.members.broken, watch.supervision = {}, watch.start()
    await watch.minutes(4.5)
    assert watch.open(BROKEN) == ["quorate-member-1"]
    watch.api.fault = lambda method, path: (_ for _ in ()).throw(ApiUnavailable("away"))
    await watch.minutes(2)
    watch.api.fault = lambda method, path: None
    await watch.minutes(2)
    assert watch.open(BROKEN) == []
    calls = len(watch.api.calls)
    await watch.minutes(10)
    assert len(watch.api.calls) == calls


def test_every_alert_says_whether_it_ends() -> None:
    """What is closed has code that closes it; what somebody did to a pod is never closed."""
    conditions = {
        Rule.COMMITTEE_DEGRADED,
        Rule.JUDGES_NOT_DIVERSE,
        Rule.MEMBER_QUARANTINED,
        Rule.EVIDENCE_BEYOND_R,
        Rule.REPLACEMENT_PREPARED,
        Rule.EXCEPTION_ACTIVE,
        Rule.ENFORCEMENT_SUSPENDED,
    }
    looked = set(supervision.LASTING) | set(lookout.LASTING)
    assert conditions | looked | (ENDS & set(REPORTED)) == ENDS
    assert set(REPORTED) - ENDS == {Rule.FOREIGN_LISTENER, Rule.MODEL_MISMATCH}
    assert all(BY_RULE[rule].source is not Source.PROMETHEUS for rule in ENDS)
    # A report that is still news would open what was just closed.
    assert ENDED_MAX.total_seconds() >= CALM_SECONDS
