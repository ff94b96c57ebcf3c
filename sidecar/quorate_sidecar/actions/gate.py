"""Decides whether an answer may leave: for each of its actions alone, by the committee, or by
people as well.

The order is the promise: what nobody can be asked about, what is frozen, the votes of members, what
is frozen now, people, the records, and then it leaves. An answer leaves as a whole or not at all.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from quorate.audit.records import Body, HoldDecided
from quorate.consensus import hold
from quorate.consensus.ask import Cause, Decision
from quorate.consensus.conversation import Said
from quorate.consensus.request import Band
from quorate.errors import InvalidInput, QuorateError
from quorate_io.asking import Question
from quorate_sidecar.actions import denials
from quorate_sidecar.actions.committee import Committee
from quorate_sidecar.actions.freezes import FreezeKeeper
from quorate_sidecar.actions.held import HoldTable, Wanted
from quorate_sidecar.actions.record import Decided, record, unreadable
from quorate_sidecar.actions.scene import (
    Impossible,
    Planned,
    Scene,
    Scenes,
    is_long,
    is_plain,
    names_of,
    plan,
)
from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.openai.conversation import Conversation
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.settings import PodFacts
from quorate_sidecar.standing import Standing

ALONE: Final = "Local"
"""The cause of what the sidecar approved alone."""
PERSON: Final = "PersonApproved"
WAITING: Final = "PersonNeeded"
UNDECIDED: Final = "CommitteeNotAsked"
WITH_OTHERS: Final = "AnswerNotReleased"
"""The cause of what was kept back for another action of the same answer."""
_WORST_FIRST: Final = (Decision.DENY, Decision.HOLD, Decision.APPROVE)

log = logging.getLogger(__name__)


class ActionGate:
    """One for all exchanges. ``write`` appends an audit record, or raises Refusal."""

    def __init__(
        self,
        pod: PodFacts,
        standing: Standing,
        committee: Committee,
        freezes: FreezeKeeper,
        holds: HoldTable,
        write: Callable[[Body], None],
        metrics: Metrics,
    ) -> None:
        self._scenes = Scenes(pod)
        self._standing = standing
        self._committee = committee
        self._freezes = freezes
        self._holds = holds
        self._write = write
        self._metrics = metrics

    def enter(self, exchange: Exchange, conversation: Conversation | None) -> Scene:
        """What the answer of this exchange will be judged against. Raises Refusal if nothing may be
        answered at all."""
        if exchange.state is None:
            raise denials.undecided("no signed state")
        try:
            scene = self._scenes.of(conversation, exchange.state, exchange.request_tally)
        except InvalidInput as error:
            raise denials.undecided(str(error)) from None
        self.check_frozen(scene)
        return scene

    def check_frozen(self, scene: Scene) -> None:
        """Raise Refusal if answering at all is frozen."""
        order = self._freezes.covering(scene.target)
        if order is not None:
            raise denials.frozen(order)

    async def decide(
        self,
        exchange: Exchange,
        scene: Scene,
        answers: Sequence[tuple[int, Said]],
        tally: Tally,
    ) -> None:
        """Return if all that these choices would do may happen. Raises Refusal otherwise."""
        try:
            if is_plain(scene, answers):
                self._check_standing()
                self.check_frozen(scene)
                self._metrics.action(Band.LOCAL.value, "approve", ALONE, "sidecar", 0.0)
                return
            await self._decide(exchange, scene, answers, names_of(tally))
        except Refusal:
            raise
        except QuorateError as error:
            raise denials.undecided(str(error)) from None
        except Exception:
            log.exception("deciding about an answer of %s failed", exchange.id)
            raise denials.undecided("an error of the sidecar itself; see its log") from None

    async def _decide(
        self,
        exchange: Exchange,
        scene: Scene,
        answers: Sequence[tuple[int, Said]],
        found: frozenset[str],
    ) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        if is_long(scene, answers):
            plans = await asyncio.to_thread(plan, scene, answers, found)
        else:
            plans = plan(scene, answers, found)
        planned = self._possible(exchange, plans)
        self._check(exchange, [Decided(one, Decision.APPROVE, ALONE) for one in planned])
        members = await asyncio.gather(*(self._ask(one) for one in planned))
        if any(self._is_past(one) for one in members):
            # The committee changed while the others were waited for.
            spent = now() - began
            members = await asyncio.gather(*(self._again(one, spent) for one in members))
        # From here to the release nothing is waited for.
        seconds = now() - began
        decided = [replace(one, seconds=seconds) for one in members]
        self._check(exchange, decided)
        decided = self._settled(scene, decided)
        refusal = _refusal(decided, exchange.id)
        for one in _kept_back(decided):
            self._note(exchange, one)
        if refusal is not None:
            raise refusal

    def _possible(self, exchange: Exchange, plans: Sequence[Planned | Impossible]) -> list[Planned]:
        planned: list[Planned] = []
        for one in plans:
            if isinstance(one, Impossible):
                self._metrics.action("", "deny", one.why.reason, "sidecar", 0.0)
                self._write(unreadable(exchange.id, one))
                raise denials.impossible(one)
            planned.append(one)
        return planned

    def _check(self, exchange: Exchange, decided: Sequence[Decided]) -> None:
        """Raise Refusal if any of it is frozen, or the pod may not serve any more."""
        self._check_standing()
        for one in decided:
            for target in one.planned.targets:
                order = self._freezes.covering(target)
                if order is not None:
                    frozen = replace(one, decision=Decision.DENY, cause=Cause.FROZEN.value)
                    self._note(exchange, frozen)
                    raise denials.frozen(order)

    def _check_standing(self) -> None:
        refusal = self._standing.refusal()
        # What is under way while the pod drains may end.
        if refusal is not None and refusal.code is not Code.DRAINING:
            raise refusal

    def _is_past(self, decided: Decided) -> bool:
        """Whether members of an earlier epoch said what would let it pass."""
        if decided.asked is None or decided.decision is Decision.DENY:
            return False
        return decided.asked.epoch is not self._committee.epoch

    async def _again(self, decided: Decided, spent: float) -> Decided:
        """What members of the epoch in force say, in the time that is left."""
        if self._is_past(decided):
            decided = await self._ask(decided.planned, spent)
        if self._is_past(decided):
            past = Cause.EPOCH_SUPERSEDED.value
            return replace(decided, decision=Decision.DENY, cause=past)
        return decided

    async def _ask(self, planned: Planned, spent: float = 0.0) -> Decided:
        """What became of it without people. ``spent`` of its budget is gone, in seconds."""
        way = planned.route
        if way.tier is None:
            return Decided(planned, Decision.APPROVE, ALONE)
        left = max(0.0, way.budget - spent)
        question = Question(way.tier, planned.request, left, way.veto, planned.targets)
        try:
            asked = await self._committee.ask(question)
        except QuorateError as error:
            return Decided(planned, Decision.DENY, UNDECIDED, detail=str(error))
        outcome = asked.outcome
        return Decided(planned, outcome.decision, outcome.cause.value, asked)

    def _settled(self, scene: Scene, decided: Sequence[Decided]) -> list[Decided]:
        """What became of each action, people counted in."""
        found = list(decided)
        if any(one.decision is Decision.DENY for one in found):
            return found
        numbers = [number for number, one in enumerate(found) if one.asked is not None]
        wanted = [self._wanted(scene, found[number]) for number in numbers]
        settled = self._holds.settle(wanted, scene.rules.voting)
        for number, one in zip(numbers, settled, strict=True):
            found[number] = _by_people(found[number], one)
        return found

    def _wanted(self, scene: Scene, decided: Decided) -> Wanted:
        assert decided.asked is not None  # noqa: S101 - only of what was asked
        epoch = decided.asked.epoch
        terms = hold.terms_of(
            cluster_id=epoch.cluster_id,
            request=decided.planned.request,
            policies=scene.principal.policy_digests,
            epoch=epoch,
            audience=self._committee.audience,
        )
        return Wanted(decided.asked.outcome.decision, terms, decided.planned.route.human)

    def _note(self, exchange: Exchange, decided: Decided) -> None:
        """Count it and write it down: all but text that nobody was asked about."""
        band = decided.planned.action.assessment.risk.band.value
        word, by = decided.decision.value.lower(), decided.decided_by
        self._metrics.action(band, word, decided.cause, by, decided.seconds)
        if decided.planned.request:
            self._write(record(exchange.id, decided))

    def take_decision(self, envelope: bytes) -> hold.Hold:
        """Take in what people decided about a hold. Raises Refusal if it does not count."""
        state = self._standing.state
        if state is None:
            raise denials.undecided("no signed state")
        try:
            found = self._holds.decide(envelope, state.rules.voting)
        except QuorateError as error:
            raise Refusal(403, Code.DECISION, str(error)) from None
        self._write(
            HoldDecided(
                hold=found.terms.hold_id,
                standing=found.standing.value,
                signers=tuple(sorted(found.signers)),
                decision=f"sha256:{hashlib.sha256(envelope).hexdigest()}",
                expires_at=found.expires_at.isoformat(timespec="seconds"),
            )
        )
        return found


def _by_people(decided: Decided, settled: hold.Settled) -> Decided:
    if settled.hold is None and settled.decision is Decision.APPROVE:
        return decided
    hold_id = settled.hold.terms.hold_id if settled.hold else ""
    if settled.decision is Decision.APPROVE:
        return replace(decided, decision=Decision.APPROVE, cause=PERSON, hold_id=hold_id)
    if settled.hold is None or settled.decision is Decision.DENY:
        denied = replace(decided, decision=Decision.DENY, cause=WAITING, hold_id=hold_id)
        return replace(denied, detail=settled.reason)
    until = settled.hold.expires_at.isoformat(timespec="seconds")
    cause = decided.cause if decided.cause == Cause.HARD_DENIAL else WAITING
    return replace(
        decided, decision=Decision.HOLD, cause=cause, hold_id=hold_id, detail=f"until {until}"
    )


def _refusal(decided: Sequence[Decided], exchange_id: str) -> Refusal | None:
    """Why none of it may leave: the first that was denied, or else the first that is held."""
    for one in decided:
        if one.cause == UNDECIDED:
            return denials.undecided(one.detail)
        if one.decision is Decision.DENY:
            return denials.denied(one, exchange_id)
    for one in decided:
        if one.decision is not Decision.APPROVE:
            return denials.held(one, exchange_id)
    return None


def _kept_back(decided: Sequence[Decided]) -> list[Decided]:
    """What became of each in the end: what others kept back did not pass, whoever approved it."""
    decisions = {one.decision for one in decided}
    worst = next((one for one in _WORST_FIRST if one in decisions), Decision.APPROVE)
    return [
        one
        if one.decision is worst
        else replace(one, decision=Decision.DENY, cause=WITH_OTHERS, hold_id="")
        for one in decided
    ]
