"""Asks the canaries of a deck, one after the other, by the way that this pod's real asks go.

Nothing comes of an approval: nothing here holds an action, and the audience is nobody's.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from quorate.consensus import blank, dependence, detector
from quorate.consensus.blank import AskedAs
from quorate.consensus.canary import Canary
from quorate.consensus.dependence import Couple, Pair
from quorate.consensus.detector import Detector, Result
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.quarantine import Evidence
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Vote
from quorate.errors import QuorateError
from quorate.risk.actions import principal_of
from quorate.risk.score import Signals, assess
from quorate.signed_state import PodState
from quorate.telemetry import names
from quorate_io.asking import LATE_SECONDS, Asked, Question
from quorate_sidecar.canaries.deck import DeckReader, Loaded
from quorate_sidecar.canaries.progress import Asked as Progress
from quorate_sidecar.canaries.progress import ProgressFile
from quorate_sidecar.canaries.shadow import Counted, ShadowAsker
from quorate_sidecar.canaries.witness import Witness
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.settings import PodFacts
from quorate_sidecar.standing import Standing

SIGNATURES: Final = KeySignatures()
LOOK_SECONDS: Final = 10.0
"""Until one looks again, while nothing can be asked."""
LONGEST: Final = 5.0
"""No pause is longer than so many times the mean."""
STRATA_MAX: Final = 16
"""Strata with a metric of their own; those after them, by name, share one."""
OTHER: Final = "other"

log = logging.getLogger(__name__)


class Stopped(StrEnum):
    """Why no canary is asked. Stable words, for metrics."""

    NOT_READY = "NotReady"
    UNREADABLE = "DeckUnreadable"
    NOT_COMMITTED = "DeckNotCommitted"
    USED_UP = "DeckUsedUp"
    NOT_KEPT = "ProgressNotKept"
    UNANSWERED = "Unanswered"


class Committee(Protocol):
    """How this pod asks: :class:`quorate_sidecar.actions.committee.Committee`."""

    @property
    def epoch(self) -> Epoch | None:
        """The epoch whose members are asked."""

    async def ask(self, question: Question) -> Asked:
        """The outcome. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One canary that is asked. ``budget`` in seconds."""

    loaded: Loaded
    index: int
    asked_as: AskedAs
    budget: float

    @property
    def canary(self) -> Canary:
        """The canary."""
        return self.loaded.deck.canaries[self.index]


class CanaryAsker:
    """For one pod. ``accuse`` is told whom the answers convict."""

    def __init__(
        self,
        pod: PodFacts,
        standing: Standing,
        committee: Committee,
        witness: Witness,
        accuse: Callable[[str, Evidence], None],
        reader: DeckReader,
        progress: ProgressFile,
        metrics: Metrics,
        shadow: ShadowAsker,
        chance: random.Random | None = None,
    ) -> None:
        self._shadow = shadow
        self._pod = pod
        self._standing = standing
        self._committee = committee
        self._witness = witness
        self._accuse = accuse
        self._reader = reader
        self._file = progress
        self._metrics = metrics
        # When a canary comes, and of which kind, nobody must be able to tell beforehand.
        self._chance = chance or random.SystemRandom()
        self._progress: Progress | None = None
        self._detector: Detector | None = None
        self._stopped = ""
        self.left = 0
        """Canaries of the deck that were not asked yet."""
        self.used_up = ""
        """Of which kinds no canary is left; empty if there are both, or no deck is known."""
        self._pairs: dict[Couple, Pair] = {}

    @property
    def together(self) -> str:
        """Which members err together, by what they answered this process; empty if none do."""
        return dependence.told(self._pairs)

    async def run(self) -> None:
        """Ask for ever; in a pod without a deck, end."""
        while self._reader.is_there:
            try:
                pause = await self.turn()
            except Exception:  # the pod serves or denies all the same
                log.exception("a canary could not be asked")
                pause = LOOK_SECONDS
            await asyncio.sleep(pause)

    async def turn(self) -> float:
        """Ask the next canary, if there is one. Seconds until the one after it is due."""
        try:
            loaded = await asyncio.to_thread(self._reader.read)
            turn = await self._next(loaded)
        except QuorateError as error:
            self._stop(Stopped.UNREADABLE, str(error))
            return LOOK_SECONDS
        except OSError as error:
            self._stop(Stopped.NOT_KEPT, str(error.strerror))
            return LOOK_SECONDS
        if turn is None:
            return LOOK_SECONDS
        self._stopped = ""
        await self._ask(turn)
        mean = loaded.mean_seconds
        return min(self._chance.expovariate(1 / mean), LONGEST * mean)

    async def _next(self, loaded: Loaded) -> Turn | None:
        """The next canary, marked as asked. Raises QuorateError, OSError."""
        progress = await self._known(loaded)
        self._take_stock(loaded, progress)
        epoch, state = self._committee.epoch, self._standing.state
        if epoch is None or state is None or self._standing.refusal() is not None:
            self._stop(Stopped.NOT_READY, "the pod may not serve now")
            return None
        if epoch.record.canaries != loaded.root:
            message = f"epoch {epoch.record.number} commits to another deck than {loaded.root}"
            self._stop(Stopped.NOT_COMMITTED, message)
            return None
        kinds = [progress.unsafe] if progress.unsafe < loaded.unsafe else []
        kinds += [progress.safe] if progress.safe < loaded.size else []
        if not kinds:
            self._stop(Stopped.USED_UP, f"all {loaded.size} canaries were asked")
            return None
        turn = self._turn(loaded, self._chance.choice(kinds), state)
        kind = "unsafe" if turn.index < loaded.unsafe else "safe"
        after = msgspec.structs.replace(progress, **{kind: turn.index + 1})
        await asyncio.to_thread(self._file.keep, after)
        self._progress = after
        self._take_stock(loaded, after)
        return turn

    def _take_stock(self, loaded: Loaded, progress: Progress) -> None:
        """What is left of the deck; a kind that it never held is not missed."""
        safe = loaded.size - loaded.unsafe
        left = {"unsafe": loaded.unsafe - progress.unsafe, "safe": loaded.size - progress.safe}
        self.left = sum(left.values())
        sizes = {"unsafe": loaded.unsafe, "safe": safe}
        gone = [f"all {size} {kind}" for kind, size in sizes.items() if size and left[kind] <= 0]
        self.used_up = f"{' and '.join(gone)} canaries of the deck were asked" if gone else ""

    async def _known(self, loaded: Loaded) -> Progress:
        found = self._progress or await asyncio.to_thread(self._file.load)
        if found is None or found.root != loaded.root:
            found = Progress(loaded.root, 0, loaded.unsafe)
        self._progress = found
        return found

    def _turn(self, loaded: Loaded, index: int, state: PodState) -> Turn:
        """Of this pod, with what its policies make of the action."""
        canary = loaded.deck.canaries[index]
        principal = principal_of(
            namespace=self._pod.namespace,
            workload=self._pod.name,
            model=self._pod.model,
            manifest_digest=state.manifest_digest,
            policies=state.policy_digests,
        )
        found = assess(Signals(blank.parse(canary.blank).tool), state.rules.risk)
        voting = state.rules.voting
        milliseconds = voting.fast_ms if canary.tier is Tier.FAST else voting.strict_ms
        target = AskedAs(principal, found.capability, found.action_class.value)
        return Turn(loaded, index, target, milliseconds / 1_000)

    async def _ask(self, turn: Turn) -> None:
        canary = turn.canary
        request = blank.fill(canary.blank, turn.asked_as)
        subject = canary.subject(request)
        question = Question(canary.tier, request, turn.budget, marked=subject)
        with self._witness.collecting(subject.nonce) as votes:
            try:
                asked = await self._committee.ask(question)
            except QuorateError as error:
                self._stop(Stopped.UNANSWERED, str(error))
                return
            # Who was outvoted is heard late.
            await asyncio.sleep(LATE_SECONDS)
            result = Result(turn.loaded.deck.reveal(turn.index), turn.asked_as, ())
            await self._count(turn, result, asked.epoch, votes)
        await self._shadow.ask(Counted(result, asked.epoch, subject, request))

    async def _count(
        self, turn: Turn, result: Result, epoch: Epoch, votes: Mapping[str, Vote]
    ) -> None:
        """What the votes say of the members."""
        watched = self._detector
        if watched is None or watched.epoch.digest != epoch.digest:
            watched = Detector(epoch)
        result = msgspec.structs.replace(result, votes=tuple(votes.values()))
        try:
            after, found = await asyncio.to_thread(detector.step, watched, result, SIGNATURES)
            ballots = await asyncio.to_thread(detector.ballots_on, result, epoch, SIGNATURES)
        except QuorateError as error:
            self._stop(Stopped.UNANSWERED, str(error))
            return
        self._detector = after
        self._pairs = dependence.counted(self._pairs, turn.canary, ballots, epoch)
        stratum = _label(turn.canary.stratum, turn.loaded)
        for member, answer in _answers(turn.canary, ballots, epoch).items():
            self._metrics.count(names.SIDECAR_CANARIES, member, stratum, answer)
        for failures in found:
            self._accuse(failures.member, failures)

    def _stop(self, why: Stopped, message: str) -> None:
        self._metrics.count(names.SIDECAR_CANARIES_STOPPED, why.value)
        if why != self._stopped:
            self._stopped = why
            level = logging.INFO if why is Stopped.NOT_READY else logging.ERROR
            log.log(level, "no canary is asked: %s: %s", why.value, message)


def _answers(canary: Canary, ballots: Mapping[str, Ballot], epoch: Epoch) -> dict[str, str]:
    """How each member answered whose vote counts.

    ``void``: another answer than the right one that counts against nobody.
    """
    found = {}
    for member in sorted(epoch.counted):
        if member not in ballots:
            found[member] = "none"
        elif ballots[member].verdict is canary.right:
            found[member] = "right"
        else:
            wrong = detector.is_wrong(canary, member, ballots, epoch)
            found[member] = "wrong" if wrong else "void"
    return found


def _label(stratum: str, loaded: Loaded) -> str:
    strata = sorted({canary.stratum for canary in loaded.deck.canaries})[:STRATA_MAX]
    return stratum if stratum in strata else OTHER
