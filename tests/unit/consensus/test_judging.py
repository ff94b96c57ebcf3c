"""Judging off the loop: once, shared, in order, bounded; and revoking what no longer holds."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from quorate import certificate
from quorate.evidence.intoto import Outcome
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason
from quorate_consensus import judging
from quorate_consensus.issuing import Standing
from quorate_consensus.judging import Judge, Overloaded
from quorate_consensus.observed import ObservedModel
from quorate_consensus.relay import read_model, read_policy
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, ManualClock, Scene


class Tally:
    """Counts what the judge reports."""

    def __init__(self) -> None:
        self.judgements: list[bool] = []
        self.revocations = 0

    def judged(self, allowed: bool, seconds: float) -> None:
        """A judgement was made."""
        self.judgements.append(allowed)

    def revoked(self, count: int) -> None:
        """Certificates were revoked."""
        self.revocations += count


@pytest.fixture
def workers() -> Iterator[Executor]:
    """Two workers, as a member has."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Bench:
    """A judge with its clock and tally, and the scene's documents compiled."""

    def __init__(self, workers: Executor) -> None:
        self.scene, self.clock, self.tally = Scene(), ManualClock(), Tally()
        self.judge = Judge(self.scene.committee, self.clock, workers, self.tally, lambda: 0.0)
        self.policy = read_policy(self.scene.floor())
        self.good = read_model(self.scene.model())
        self.failed = read_model(self.scene.model(result=Outcome.FAILED))
        self.newer = read_model(self.scene.model(finished_at=NOW - timedelta(minutes=30)))


@pytest.fixture
def bench(workers: Executor) -> Bench:
    """A fresh judge."""
    return Bench(workers)


def out(bench: Bench, *seconds: int, name: str = "demo") -> list[str]:
    """Note certificates for the good model, made so many seconds after NOW; their ids."""
    found = []
    for after in seconds:
        envelope = bench.scene.members.certify(
            FILES,
            bench.policy.ref,
            bench.policy.digest,
            model=name,
            now=NOW + timedelta(seconds=after),
            life=timedelta(hours=1),
        )
        verified = certificate.verify(envelope, bench.scene.members.history, bench.clock.now())
        bench.judge.note([verified])
        found.append(verified.certificate_id)
    return found


async def test_a_judgement_is_made_once(bench: Bench) -> None:
    """Many who ask at once, and those who ask until renewal, share one evaluation."""
    asked = [bench.judge.standing(bench.policy, bench.good) for _ in range(20)]
    standings = await asyncio.gather(*asked)
    bench.clock.advance(1799)
    standings.append(await bench.judge.standing(bench.policy, bench.good))
    assert {id(standing) for standing in standings} == {id(standings[0])}
    assert len(bench.tally.judgements) == 1
    bench.clock.advance(1)
    await bench.judge.standing(bench.policy, bench.good)
    assert len(bench.tally.judgements) == 2


@pytest.mark.requirement("a FAILED gate or a revoked key is a revocation in the signed state")
async def test_a_failed_gate_revokes(bench: Bench) -> None:
    """All unexpired certificates for the model and the policy, until they would have expired."""
    first, second = out(bench, 0, 1)
    assert (await bench.judge.standing(bench.policy, bench.good)).allowed
    assert bench.tally.revocations == 0
    denied = await bench.judge.standing(bench.policy, bench.failed)
    assert denied.evaluation.verdict.denials[0].reason is Reason.GATE_FAILED
    assert set(bench.judge.revoked(bench.good, [bench.policy])) == {first, second}
    assert bench.tally.revocations == 2
    bench.clock.advance(3600)
    assert bench.judge.revoked(bench.good, [bench.policy]) == (second,)


@pytest.mark.requirement("key removed from the policy: certificates for it no longer count")
async def test_a_removed_key_revokes(bench: Bench) -> None:
    """A policy that no longer trusts the signer revokes what was certified before."""
    first = out(bench, 0)
    assert (await bench.judge.standing(bench.policy, bench.good)).allowed
    stranger = Scene(producer=bench.scene.producer)
    tightened = read_policy(stranger.floor())
    denied = await bench.judge.standing(tightened, bench.good)
    assert denied.evaluation.verdict.denials[0].reason is Reason.SIGNER_NOT_TRUSTED
    assert bench.judge.revoked(bench.good, [tightened]) == tuple(first)


async def test_what_the_committee_says_late_is_revoked_too(bench: Bench) -> None:
    """A certificate that others signed before they knew does not count for this member."""
    await bench.judge.standing(bench.policy, bench.failed)
    late = out(bench, 0)
    assert bench.judge.revoked(bench.good, [bench.policy]) == tuple(late)
    assert bench.tally.revocations == 1
    assert (await bench.judge.standing(bench.policy, bench.newer)).allowed
    out(bench, 1)
    assert bench.tally.revocations == 1


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
async def test_a_withheld_failure_still_denies(bench: Bench) -> None:
    """The older PASSED shown again does not help; a newer one does, and only while it is shown."""
    out(bench, 0)
    assert (await bench.judge.standing(bench.policy, bench.good)).allowed
    assert not (await bench.judge.standing(bench.policy, bench.failed)).allowed
    withheld = await bench.judge.standing(bench.policy, bench.good)
    assert [d.reason for d in withheld.evaluation.verdict.denials] == [Reason.GATE_FAILED]
    assert len(bench.judge.revoked(bench.good, [bench.policy])) == 1
    assert (await bench.judge.standing(bench.policy, bench.newer)).allowed
    assert not (await bench.judge.standing(bench.policy, bench.good)).allowed


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
async def test_a_failure_counts_for_every_model_of_the_same_bytes(bench: Bench) -> None:
    """Another object with the same files, certified before, is denied at the next question."""
    document = bench.scene.model()
    document["metadata"]["name"] = "copy"
    copy = read_model(document)
    out(bench, 0, name="copy")
    assert (await bench.judge.standing(bench.policy, copy)).allowed
    await bench.judge.standing(bench.policy, bench.failed)
    assert not (await bench.judge.standing(bench.policy, copy)).allowed
    assert len(bench.judge.revoked(copy, [bench.policy])) == 1


@pytest.mark.requirement("certificates carry votes of members on one identical statement")
async def test_a_vote_is_of_its_time_and_not_remembered(bench: Bench) -> None:
    """Asked again it is the same vote, judged anew; a second later it is another one. No state
    and no receipt rests on it."""
    first = await bench.judge.vote(bench.policy, bench.good, NOW)
    bench.clock.advance(7)
    again = await bench.judge.vote(bench.policy, bench.good, NOW)
    other = await bench.judge.vote(bench.policy, bench.good, NOW + timedelta(seconds=1))
    assert first.envelope == again.envelope != other.envelope
    assert bench.tally.judgements == [True] * 3
    await bench.judge.standing(bench.policy, bench.failed)
    assert bench.judge.revoked(bench.good, [bench.policy]) == ()


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
async def test_a_vote_goes_by_what_failed_before(bench: Bench) -> None:
    """What a question showed counts against the next one, and against the pods' states; it revokes
    what is out."""
    out(bench, 0)
    assert (await bench.judge.vote(bench.policy, bench.failed, NOW)).envelope is None
    assert (await bench.judge.vote(bench.policy, bench.good, NOW)).envelope is None
    assert not (await bench.judge.standing(bench.policy, bench.good)).allowed
    assert bench.tally.revocations == 1
    assert (await bench.judge.vote(bench.policy, bench.newer, NOW)).envelope is not None


async def test_a_failure_is_judged_with_once(bench: Bench) -> None:
    """What is remembered does not have a model judged again at every question."""
    for _ in range(4):
        await bench.judge.standing(bench.policy, bench.failed)
    assert len(bench.tally.judgements) == 2


async def test_a_denial_is_looked_at_again_soon(bench: Bench) -> None:
    """A result dated ahead of the clock denies now, and counts when its time has come."""
    ahead = read_model(bench.scene.model(finished_at=bench.clock.now() + timedelta(seconds=60)))
    assert not (await bench.judge.standing(bench.policy, ahead)).allowed
    bench.clock.advance(60)
    assert (await bench.judge.standing(bench.policy, ahead)).allowed


class Gated(Executor):
    """Runs nothing until it is opened, then each piece in a thread of its own."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self._pool = ThreadPoolExecutor(8)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Queue behind the gate."""
        return self._pool.submit(self._wait, fn, args, kwargs)

    def _wait(self, fn: Any, args: Any, kwargs: Any) -> Any:
        self.opened.wait(10)
        return fn(*args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Open the gate and end."""
        self.opened.set()
        self._pool.shutdown(wait)


@pytest.fixture
def gated() -> Iterator[Gated]:
    """A pool that waits."""
    with Gated() as pool:
        yield pool


async def start(judge: Judge, policy: CompiledPolicy, model: ObservedModel) -> Any:
    """Begin to ask, and let the judge take it up."""
    task = asyncio.create_task(judge.standing(policy, model))
    await asyncio.sleep(0.01)
    return task


async def test_versions_are_judged_one_after_the_other(gated: Gated) -> None:
    """A denial of one version cannot revoke what the version that is judged after it holds."""
    bench = Bench(gated)
    failed = await start(bench.judge, bench.policy, bench.failed)
    good = await start(bench.judge, bench.policy, bench.newer)
    out(bench, 0)
    gated.opened.set()
    assert not (await failed).allowed
    assert (await good).allowed
    assert bench.tally.revocations == 1
    out(bench, 1)
    assert bench.tally.revocations == 1


async def test_whoever_gives_up_does_not_stop_the_others(gated: Gated) -> None:
    """A caller whose deadline passed is gone; the judgement goes on and is kept."""
    bench = Bench(gated)
    impatient = await start(bench.judge, bench.policy, bench.good)
    patient = await start(bench.judge, bench.policy, bench.good)
    impatient.cancel()
    gated.opened.set()
    assert (await patient).allowed
    assert impatient.cancelled()
    assert len(bench.tally.judgements) == 1


@pytest.mark.parametrize("bound", ["RUNNING_MAX", "RUNNING_PER_NAMESPACE"])
async def test_too_much_waiting_is_shed(
    gated: Gated, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound a caller is told to come back; those who wait are served.

    A tenant's own bound leaves the others alone.
    """
    monkeypatch.setattr(judging, bound, 1)
    bench = Bench(gated)
    waiting = await start(bench.judge, bench.policy, bench.good)
    other = bench.scene.model()
    other["metadata"]["name"] = "other"
    with pytest.raises(Overloaded):
        await bench.judge.standing(bench.policy, read_model(other))
    other["metadata"]["namespace"] = "team-b"
    elsewhere = await start(bench.judge, bench.policy, read_model(other))
    gated.opened.set()
    if bound == "RUNNING_MAX":
        with pytest.raises(Overloaded):
            await elsewhere
    else:
        assert (await elsewhere).allowed
    assert (await waiting).allowed


async def test_kept_judgements_are_bounded(
    workers: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently asked for goes first, and is judged again when somebody asks."""
    monkeypatch.setattr(judging, "STANDINGS_MAX", 2)
    bench = Bench(workers)
    models = []
    for name in ("a", "b", "c"):
        document = bench.scene.model()
        document["metadata"]["name"] = name
        models.append(read_model(document))
        await bench.judge.standing(bench.policy, models[-1])
    await bench.judge.standing(bench.policy, models[2])
    assert len(bench.tally.judgements) == 3
    await bench.judge.standing(bench.policy, models[0])
    assert len(bench.tally.judgements) == 4


async def test_an_error_in_judging_is_no_certificate(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect reaches whoever asked, leaves nothing behind, and the next one is judged."""

    def defect(*arguments: Any) -> Standing:
        raise RuntimeError("defect")

    with monkeypatch.context() as patch:
        patch.setattr(judging, "judge", defect)
        with pytest.raises(RuntimeError):
            await bench.judge.standing(bench.policy, bench.good)
    assert (await bench.judge.standing(bench.policy, bench.good)).allowed
