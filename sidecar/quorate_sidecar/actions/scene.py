"""What an answer is judged against, and what it would do: each action with who decides. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quorate.consensus.asker import target
from quorate.consensus.conversation import Said
from quorate.consensus.freeze import Target
from quorate.consensus.request import Band, Principal
from quorate.limits import KIB
from quorate.policy.runtime import RuntimeRules
from quorate.risk.actions import Action, Unjudgeable, actions, draft, principal_of
from quorate.risk.route import Route, route
from quorate.risk.rules import CHAT
from quorate.signed_state import PodState
from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.openai.conversation import Conversation, asked
from quorate_sidecar.settings import PodFacts

OTHER: Final = "other"
"""The capability of what has no words for an answer, such as numbers: for freezes."""
LONG_BYTES: Final = 16 * KIB
"""Conversations from this size are drafted in a thread: a full one takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Scene:
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


def scene_of(
    conversation: Conversation | None, state: PodState, pod: PodFacts, tally: Tally
) -> Scene:
    """The scene of a request. Raises InvalidInput if the pod is none that members could know."""
    principal = principal_of(
        namespace=pod.namespace,
        workload=pod.name,
        model=pod.model,
        manifest_digest=state.manifest_digest,
        policies=state.policy_digests,
    )
    history = asked(conversation) if conversation is not None else ()
    found, rules = names_of(tally), state.rules
    possible = found | {rule.name for rule in rules.checks if rule.action != "deny"}
    return Scene(
        history,
        principal,
        rules,
        found,
        target(principal, OTHER if conversation is None else CHAT),
        all(_is_local(one) for one in actions(history, None, rules.risk, possible)),
    )


def _is_local(one: Action | Unjudgeable) -> bool:
    return isinstance(one, Action) and one.assessment.risk.band is Band.LOCAL


def names_of(tally: Tally) -> frozenset[str]:
    """The checks that found something."""
    return frozenset(check for check, _, _ in tally)


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


def is_long(scene: Scene, answers: Iterable[tuple[int, Said]]) -> bool:
    """Whether planning may take longer than others should wait for."""
    if scene.streams_prose and not any(answer.calls for _, answer in answers):
        return False
    said = [*scene.history, *(answer for _, answer in answers)]
    return sum(_length(one) for one in said) > LONG_BYTES or len(said) > 64


def _length(one: Said) -> int:
    return len(one.text) + sum(len(call.arguments) for call in one.calls)
