"""Looks at objects with everything real but the API server and the member."""

import asyncio
import copy
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from quorate.admission import mutate
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.errors import Unavailable
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import evaluate
from quorate_io.member_api import (
    CERTIFICATES_FIELD,
    RequirementResult,
    relayed_certificates,
)
from quorate_io.operator_client import Evaluation, OperatorClient
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiRefused, ApiUnavailable
from quorate_operator.effects.dispatch import Effects
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import NotHolding
from quorate_operator.effects.gate import Gates
from quorate_operator.effects.member import RETRY_SPACING, Questions
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import ATTESTED_MODEL, CLUSTER_SAFETY_POLICY, POD, Key, Kind
from quorate_operator.metrics import Metrics
from quorate_operator.reconciler import Reconciler
from quorate_operator.workers import Workers
from tests.fakes import vouching
from tests.unit.admission.pod_builder import bare_pod
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Marking, Monotonic
from tests.unit.operator.scene import FILES, FLOOR_SPEC, MODEL, TEAM, Scene, signed_and_gated

Document = dict[str, Any]
FLOOR_KEY = Key(CLUSTER_SAFETY_POLICY.name, "", "floor")
POD_KEY = Key(POD.name, TEAM, "chat-5d4c-x1")


class Members:
    """Judge as members do, with the core's own evaluation, and sign."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.asked = 0
        self.times: list[datetime] = []
        self.judged: list[Mapping[str, Any]] = []
        self.fault: Callable[[], None] = lambda: None
        self.failure = self.reason = ""

    async def evaluate(
        self, policy: Mapping[str, Any], model: Mapping[str, Any], issued_at: datetime
    ) -> Evaluation:
        """Judge and certify."""
        self.asked += 1
        self.times.append(issued_at)
        self.judged.append(model)
        await asyncio.sleep(0)
        self.fault()
        if self.failure:
            return Evaluation("", (), None, issued_at, 0, 1, self.failure, self.reason)
        compiled = compile_policy(read(ClusterSafetyPolicy, policy))
        found = evaluate(compiled, read(AttestedModel, model), issued_at)
        certified = found.verdict.allowed
        envelope = self.scene.committee.certify(FILES, compiled.ref, compiled.digest, now=issued_at)
        return self.scene.said(
            policy_digest=compiled.digest,
            requirements=tuple(
                RequirementResult(
                    name=r.name,
                    status="False" if r.denial else "True",
                    reason=r.denial.reason if r.denial else "Verified",
                    message=r.denial.message if r.denial else "",
                )
                for r in found.requirements
            ),
            certificate=envelope.decode() if certified else None,
            renew_at=issued_at + timedelta(minutes=15),
        )


class Bench:
    """The operator without its watches: the API server answers, and the bench is the watch."""

    def __init__(self, *, held: bool = True) -> None:
        self.scene = Scene()
        self.api = FakeApi()
        self.members = Members(self.scene)
        self.holder = Holding(held=held)
        self.clock = FixedClock(self.scene.now)
        self.metrics = metrics = Metrics(CollectorRegistry())
        world, clock = self.scene.world, self.clock
        self.queues = Queues()
        self.intake = Intake(world, self.queues, clock)
        client = cast(OperatorClient, self.members)
        self.questions = Questions(client, world, clock, metrics)
        self._events = events = Events(self.api, self.holder, "op-0", clock, Monotonic(), metrics)
        effects = Effects(
            self.api,
            self.holder,
            self.questions,
            events,
            Alerts(self.api, self.holder, events, clock, Monotonic(), metrics),
            Gates(self.api, self.holder, Marking(), clock, metrics),
            self.intake.arrived,
        )
        self.reconciler = Reconciler(world, effects, clock, metrics)
        self.workers = Workers(world, self.queues, self.reconciler, clock, metrics)

    def put(self, kind: Kind, document: Document) -> Key:
        """Have an object at the API server, and the watch bring it."""
        metadata = document["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        self.intake.arrived(kind, self.api.put(path, document))
        return Key(kind.name, metadata.get("namespace", ""), metadata["name"])

    def good(self) -> None:
        """An enforced namespace, the floor, and a model that holds it."""
        self.scene.label("enforce")
        self.put(CLUSTER_SAFETY_POLICY, vouching.policy(FLOOR_SPEC))
        self.put(ATTESTED_MODEL, signed_and_gated())

    def gated_pod(self) -> Document:
        """A pod as it comes out of admission."""
        pod = bare_pod()
        snapshot = self.scene.world.store.snapshot()
        return copy.deepcopy(mutate.apply(pod, mutate.complete(pod, snapshot)))

    @property
    def status(self) -> Document:
        """The model's status at the API server."""
        status: Document = self.api.objects[ATTESTED_MODEL.path(TEAM, "demo")].get("status") or {}
        return status

    @property
    def gates(self) -> list[Document]:
        """The pod's gates at the API server."""
        pod = self.api.objects[POD.path(TEAM, POD_KEY.name)]
        return list(pod["spec"].get("schedulingGates") or ())

    def reasons(self) -> list[str]:
        """Reasons of all Events."""
        return [d["reason"] for p, d in self.api.objects.items() if "/events/" in p]

    async def work(self, until: Callable[[], bool] = lambda: True) -> None:
        """Let the workers work until nothing is ready any more and ``until`` holds."""
        running = asyncio.gather(self.workers.run(), self._events.run())
        quiet = 0
        async with asyncio.timeout(20):
            while quiet < 8:
                await asyncio.sleep(0.02)
                idle = sum(map(len, self.queues.all())) == 0 and until()
                quiet = quiet + 1 if idle else 0
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.requirement("operator: evidence → certificate → gate released")
async def test_evidence_becomes_a_certificate_and_releases_the_pod() -> None:
    """From documents alone: policy accepted, model certified by its evidence, gate gone."""
    bench = Bench()
    bench.good()
    bench.put(POD, bench.gated_pod())
    await bench.work()
    floor = bench.api.objects[CLUSTER_SAFETY_POLICY.path(name="floor")]
    assert floor["status"]["conditions"][0]["status"] == "True"
    ready = next(c for c in bench.status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Verified")
    assert len(bench.status["certificates"]) == 1
    assert bench.gates == []
    assert bench.members.asked == 1
    released = bench.metrics.registry.get_sample_value("quorate_operator_gates_released_total")
    assert released == 1


@pytest.mark.requirement("key removed from the policy → condition flips")
async def test_key_removed_from_the_policy_flips_the_condition() -> None:
    """The certificate goes, the reason says why, and a waiting pod stays gated."""
    bench = Bench()
    bench.good()
    await bench.work()
    signers = {"signers": vouching.signers(vouching.signer())}
    stricter = FLOOR_SPEC | {"model": FLOOR_SPEC["model"] | signers}
    bench.put(CLUSTER_SAFETY_POLICY, vouching.policy(stricter))
    bench.put(POD, bench.gated_pod())
    await bench.work()
    ready = next(c for c in bench.status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "SignerNotTrusted")
    assert bench.status["certificates"] == []
    assert len(bench.gates) == 1
    assert "CertificateMissing" in bench.reasons()


async def test_silent_member_is_asked_again_when_it_is_there() -> None:
    """A failed question is remembered; a member that is known to be away is not even dialled."""
    bench = Bench()
    bench.good()

    def away() -> None:
        raise Unavailable("away")

    bench.members.fault = away
    await bench.work()
    assert bench.questions.unanswered() == {MODEL}
    reasons = {c["reason"] for c in bench.status["conditions"]}
    assert reasons == {"MemberUnavailable"}
    bench.questions.hopeless = lambda: "0 of 1 members answered"
    asked = bench.members.asked
    bench.clock.time += timedelta(minutes=5)
    bench.queues.add(bench.questions.unanswered())
    await bench.work()
    assert bench.members.asked == asked
    bench.members.fault = lambda: None
    bench.questions.hopeless = lambda: ""
    bench.clock.time += timedelta(minutes=5)
    bench.queues.add(bench.questions.unanswered())
    await bench.work()
    assert bench.questions.unanswered() == set()
    assert {c["status"] for c in bench.status["conditions"]} == {"True"}


async def test_what_waits_is_asked_when_enough_members_are_back() -> None:
    """At once, and not when its wait is over; but a member that comes and goes hurries nothing."""
    bench = Bench()
    bench.good()
    bench.questions.hopeless = lambda: "0 of 1 members answered"
    await bench.work()
    bench.questions.hopeless = lambda: ""
    bench.members.failure = "still no quorum"
    bench.queues.add(bench.questions.retry())
    await bench.work()
    assert bench.members.asked == 1
    for _ in range(3):
        bench.queues.add(bench.questions.retry())
        await bench.work()
    assert bench.members.asked == 1
    bench.clock.time += RETRY_SPACING
    bench.members.failure = ""
    bench.queues.add(bench.questions.retry())
    await bench.work()
    assert bench.questions.unanswered() == set()


@pytest.mark.parametrize("reason", ["MemberUnavailable", "MembersDisagree", "Malformed"])
async def test_what_the_members_do_not_settle_is_unknown(reason: str) -> None:
    """Too few answered, or enough did and did not say the same: neither certified nor denied."""
    bench = Bench()
    bench.good()
    bench.members.failure, bench.members.reason = "different statements", reason
    await bench.work()
    assert {(c["status"], c["reason"]) for c in bench.status["conditions"]} == {("Unknown", reason)}
    assert "different statements" in bench.status["conditions"][0]["message"]


@pytest.mark.requirement("certificates by quorum: all members sign one identical statement")
async def test_members_are_told_one_whole_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in what they sign; so it is the asker's to choose, and has no fraction."""
    bench = Bench()
    bench.clock.time += timedelta(microseconds=123_456)
    bench.good()
    await bench.work()
    assert bench.members.times == [bench.scene.now]


@pytest.mark.requirement("certificates by quorum: members get back what they signed together")
async def test_a_certificate_is_relayed_to_members_and_not_judged_again() -> None:
    """It lies beside the model for the relay; the question leaves it out."""
    bench = Bench()
    bench.good()
    await bench.work()
    known = bench.scene.world.get(MODEL)
    assert known is not None
    (certificate,) = bench.status["certificates"]
    assert relayed_certificates(known.relayed) == (certificate["envelope"],)
    assert MODEL in bench.scene.pending.objects
    bench.clock.time += timedelta(minutes=20)
    bench.queues.add([MODEL])
    await bench.work()
    assert bench.members.asked == 2
    assert bench.members.judged[-1].keys() == bench.members.judged[0].keys()
    assert CERTIFICATES_FIELD not in bench.members.judged[-1]


async def test_pod_that_changed_since_it_was_judged_is_not_released() -> None:
    """The patch tests the version; the newer pod gets its own look."""
    bench = Bench()
    bench.good()
    await bench.work()
    pod = bench.gated_pod()
    key = bench.put(POD, pod)
    path = POD.path(TEAM, key.name)
    bench.api.put(path, {**pod, "spec": {**pod["spec"], "hostNetwork": True}})
    await bench.reconciler.reconcile(key)
    assert len(bench.gates) == 1
    bench.intake.arrived(POD, bench.api.objects[path])
    await bench.reconciler.reconcile(key)
    assert len(bench.gates) == 1
    await bench.work(lambda: "HostAccess" in bench.reasons())


async def test_refused_release_is_tried_again() -> None:
    """The webhook may know less than we do for a moment: its refusal is not the end."""
    bench = Bench()
    bench.good()
    await bench.work()
    refusals = iter([True, True])

    def fault(method: str, path: str) -> None:
        if method == "PATCH" and "/pods/" in path and next(refusals, False):
            raise ApiRefused(403, "Forbidden", "admission webhook denied the request")

    bench.api.fault = fault
    bench.put(POD, bench.gated_pod())
    await bench.work(lambda: bench.gates == [])
    assert bench.gates == []


@pytest.mark.requirement("operator: nothing is written without the Lease")
async def test_nothing_is_written_without_the_lease() -> None:
    """Planning goes on, and every write fails."""
    bench = Bench(held=False)
    bench.good()
    bench.put(POD, bench.gated_pod())
    with pytest.raises(NotHolding):
        await bench.reconciler.reconcile(MODEL)
    assert bench.status == {}
    assert [method for method, _ in bench.api.calls] == []


async def test_one_look_that_fails_does_not_hold_up_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither an API server that refuses one object, nor a fault in the code."""
    bench = Bench()
    bench.good()
    broken = vouching.policy(FLOOR_SPEC, name="broken")
    bench.put(CLUSTER_SAFETY_POLICY, broken)
    looks = bench.reconciler.reconcile

    async def reconcile(key: Key) -> object:
        if key.name == "broken":
            raise RuntimeError("a bug")
        return await looks(key)

    monkeypatch.setattr(bench.reconciler, "reconcile", reconcile)

    def fault(method: str, path: str) -> None:
        if path.endswith("floor/status"):
            raise ApiUnavailable("away")

    bench.api.fault = fault
    labels = {"queue": "policies", "outcome": "failed"}

    def failed() -> float:
        name = "quorate_operator_reconciles_total"
        return bench.metrics.registry.get_sample_value(name, labels) or 0.0

    await bench.work(lambda: failed() >= 3)
    assert {c["status"] for c in bench.status["conditions"]} == {"True"}


async def test_overflow_ends_in_everything_being_looked_at() -> None:
    """Dropped keys are not forgotten objects."""
    bench = Bench()
    bench.good()
    queue = bench.queues.models
    async with asyncio.timeout(5):
        taken = await queue.get()
    assert taken == MODEL
    queue.done(taken)
    queue.overflowed = True
    bench.queues.policies.add(FLOOR_KEY)
    queue.add(Key(ATTESTED_MODEL.name, TEAM, "ghost"))
    await bench.work()
    assert not queue.overflowed
    assert {c["status"] for c in bench.status["conditions"]} == {"True"}


async def test_gone_objects_are_forgotten() -> None:
    """A look at what is not there any more does nothing and keeps nothing."""
    bench = Bench()
    bench.good()
    await bench.work()
    bench.intake.gone(ATTESTED_MODEL, bench.api.objects.pop(ATTESTED_MODEL.path(TEAM, "demo")))
    assert await bench.reconciler.reconcile(MODEL) is None
    assert bench.questions.outcomes(MODEL) == {}
    assert await bench.reconciler.reconcile(POD_KEY) is None
    assert await bench.reconciler.reconcile(FLOOR_KEY) is None
