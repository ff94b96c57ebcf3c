"""What an answer is judged against, and what it would do: each action with who decides. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from quorate.consensus.asker import target
from quorate.consensus.conversation import Said
from quorate.consensus.freeze import Target
from quorate.consensus.request import Band, Principal
from quorate.limits import KIB
from quorate.policy.runtime import RuntimeRules
from quorate.risk.actions import (
    Action,
    Unjudgeable,
    actions,
    draft,
    principal_of,
    signals_of,
)
from quorate.risk.route import Route, route
from quorate.risk.rules import CHAT
from quorate.risk.score import Signals, assess
from quorate.signed_state import PodState
from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.openai.conversation import Conversation, asked
from quorate_sidecar.settings import PodFacts

OTHER: Final = "other"
"""The capability of what has no words for an answer, such as numbers: for freezes."""
LONG_BYTES: Final = 16 * KIB
"""Conversations from this size are drafted in a thread: a full one takes milliseconds."""


class Scene(msgspec.Struct, frozen=True):
    """One request: what was said before, whose answer it will be, and the rules it is held to."""

    history: tuple[Said, ...]
    principal: Principal
    rules: RuntimeRules
    found: frozenset[str]
    """Content checks that found something in the request."""
    target: Target
    """What answering at all is about."""
    streams_prose: bool
    """Whether text may leave as it comes: whatever the checks may still find in it, answering stays
    for the sidecar alone to decide."""


_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Planned:
    """One action of an answer, and how it is decided. ``request`` is empty where nobody is asked
    about text alone: its digest would say nothing that the exchange's records do not."""

    choice: int
    action: Action
    route: Route
    request: bytes
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Impossible:
    """Something that nobody can be asked about."""

    choice: int
    why: Unjudgeable


class Scenes:
    """Makes scenes of one pod. What depends on its state alone is made once for each state."""

    def __init__(self, pod: PodFacts) -> None:
        self._pod = pod
        self._state: PodState | None = None
        self._local: dict[Signals, bool] = {}

    def of(self, conversation: Conversation | None, state: PodState, tally: Tally) -> Scene:
        """The scene of a request. Raises InvalidInput if the pod is none members could know."""
        if state is not self._state:
            self._follow(state)
        history = asked(conversation) if conversation is not None else ()
        found = names_of(tally)
        return Scene(
            history,
            self._principal,
            state.rules,
            found,
            self._other if conversation is None else self._chat,
            self._is_local(signals_of(history, found | self._possible)),
        )

    def _follow(self, state: PodState) -> None:
        self._principal = principal_of(
            namespace=self._pod.namespace,
            workload=self._pod.name,
            model=self._pod.model,
            manifest_digest=state.manifest_digest,
            policies=state.policy_digests,
        )
        self._chat, self._other = target(self._principal, CHAT), target(self._principal, OTHER)
        rules = state.rules
        self._possible = frozenset(rule.name for rule in rules.checks if rule.action != "deny")
        self._tables = rules.risk
        self._local, self._state = {}, state

    def _is_local(self, signals: Signals) -> bool:
        # As few as there are checks, twice each for what else there may be to know.
        known = self._local.get(signals)
        if known is None:
            known = assess(signals, self._tables).risk.band is Band.LOCAL
            self._local[signals] = known
        return known


def names_of(tally: Tally) -> frozenset[str]:
    """The checks that found something."""
    return frozenset([check for check, _, _ in tally]) if tally else _NOTHING


def plan(
    scene: Scene, answers: Iterable[tuple[int, Said]], found: frozenset[str]
) -> tuple[Planned | Impossible, ...]:
    """What the choices of an answer would do. ``found``: checks that found something in them."""
    return tuple(
        _planned(scene, choice, answer, one)
        for choice, answer in answers
        for one in actions(scene.history, answer, scene.rules.risk, scene.found | found)
    )


def _planned(
    scene: Scene, choice: int, answer: Said, one: Action | Unjudgeable
) -> Planned | Impossible:
    if isinstance(one, Unjudgeable):
        return Impossible(choice, one)
    way = route(one.assessment.risk.band, scene.rules.voting)
    request: bytes | Unjudgeable = b""
    if one.tool or way.tier is not None:
        request = draft(one, scene.history, answer, scene.principal)
    if isinstance(request, Unjudgeable):
        return Impossible(choice, request)
    names = sorted(one.assessment.capabilities | {one.assessment.capability})
    targets = tuple(target(scene.principal, name) for name in names)
    return Planned(choice, one, way, request, targets)


def is_plain(scene: Scene, answers: Iterable[tuple[int, Said]]) -> bool:
    """Whether all of it is text that the sidecar lets pass alone, whatever was found in it."""
    if not scene.streams_prose:
        return False
    for _, answer in answers:  # noqa: SIM110 - a generator costs more than what it would look at
        if answer.calls:
            return False
    return True


def is_long(scene: Scene, answers: Iterable[tuple[int, Said]]) -> bool:
    """Whether planning may take longer than others should wait for."""
    said = [*scene.history, *(answer for _, answer in answers)]
    return sum(_length(one) for one in said) > LONG_BYTES or len(said) > 64


def _length(one: Said) -> int:
    return len(one.text) + sum(len(call.arguments) for call in one.calls)
