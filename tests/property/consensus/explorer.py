"""Every interleaving of two asks about one request, for a small committee.

An honest member answers each ask at most once, may approve while it remembers no denial, may deny
at any time, and remembers; that these are exactly the words of the real state machine is what
``behaviours.py`` shows. Liars say everything to everybody from the start, which covers every order
in which they could. A member that is down is one that never comes to its turn: all prefixes are
explored, so every number of them is. Members of equal state are interchangeable, so a state of the
committee is a sorted tuple.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

ASKS = (0, 1)
APPROVES, DENIES = "approves", "denies"


@dataclass(frozen=True, slots=True)
class World:
    """A committee and its faults. ``quorum`` gives the votes needed by how many members an asker
    reaches; ``alone`` members each are reached by one asker only, the rest by both."""

    n: int
    quorum: Callable[[int], int]
    liars: int = 0
    amnesiacs: int = 0
    alone: tuple[int, int] = (0, 0)
    tightens: bool = False
    """Whether a member may deny what it approved. Then only an approval that begins after a denial
    was certified contradicts it."""

    def reached(self, ask: int) -> int:
        """How many members the asker of ``ask`` reaches."""
        return self.n - self.alone[1 - ask]


def fixed(q: int) -> Callable[[int], int]:
    """The rule of this project: a number that stands in the epoch record."""
    return lambda reached: q


def of_live_members(reached: int) -> int:
    """The rule it must not be: two thirds of whoever answers."""
    return 2 * reached // 3 + 1


@dataclass(frozen=True, slots=True, order=True)
class Honest:
    """An honest member: which askers reach it, what it told them, and what it remembers."""

    reach: tuple[bool, bool] = (True, True)
    said: tuple[str, str] = ("", "")
    memory: str = ""
    forgetful: bool = False


State = tuple[Honest, ...]


def start(world: World) -> State:
    """Nobody has said anything."""
    both = world.n - world.liars - sum(world.alone)
    reaches = [(True, False)] * world.alone[0] + [(False, True)] * world.alone[1]
    reaches += [(True, True)] * both
    return tuple(
        sorted(
            Honest(reach=reach, forgetful=number < world.amnesiacs)
            for number, reach in enumerate(reversed(reaches))
        )
    )


def certified(world: World, state: State, ask: int, verdict: str) -> bool:
    """Whether enough members said ``verdict`` to ``ask``; all liars did."""
    votes = world.liars + sum(member.said[ask] == verdict for member in state)
    return votes >= world.quorum(world.reached(ask))


def contradicted(world: World, state: State) -> bool:
    """Whether two certificates say the opposite of each other."""
    if world.tightens:
        # The second ask began after the first was denied, see `moves`.
        both = [(ask, ask) for ask in ASKS] + [(1, 0)]
    else:
        both = [(one, other) for one in ASKS for other in ASKS]
    return any(
        certified(world, state, one, APPROVES) and certified(world, state, other, DENIES)
        for one, other in both
    )


def moves(world: World, state: State) -> Iterator[tuple[str, State]]:
    """What can happen next."""
    open_asks = [0, 1]
    if world.tightens and not certified(world, state, 0, DENIES):
        open_asks = [0]
    for at in range(len(state)):
        if at and state[at] == state[at - 1]:
            continue
        for what, after in turns(world, state[at], open_asks):
            yield what, tuple(sorted((*state[:at], after, *state[at + 1 :])))


def turns(world: World, member: Honest, open_asks: list[int]) -> Iterator[tuple[str, Honest]]:
    """What one honest member can do next."""
    for ask in open_asks:
        if member.said[ask] or not member.reach[ask]:
            continue
        for verdict in (APPROVES, DENIES):
            changes_mind = member.memory not in ("", verdict)
            if changes_mind and not (world.tightens and verdict == DENIES):
                continue
            said = (verdict, member.said[1]) if ask == 0 else (member.said[0], verdict)
            yield f"a member {verdict} ask {ask + 1}", replace(member, said=said, memory=verdict)
    if member.forgetful and member.memory:
        yield "a member loses its store", replace(member, memory="", forgetful=False)


def explore(world: World) -> tuple[list[str] | None, int]:
    """The shortest way to a contradiction, or None; and how many states there are."""
    first = start(world)
    came: dict[State, tuple[State, str] | None] = {first: None}
    todo = deque([first])
    while todo:
        state = todo.popleft()
        if contradicted(world, state):
            return trace(world, came, state), len(came)
        for what, after in moves(world, state):
            if after not in came:
                came[after] = (state, what)
                todo.append(after)
    return None, len(came)


def trace(world: World, came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    """How it came to ``state``, in words."""
    steps: list[str] = []
    at = state
    while (origin := came[at]) is not None:
        at, what = origin
        steps.append(what)
    steps.reverse()
    if world.liars:
        steps.append(f"{world.liars} that lie approve and deny both asks")
    for ask in ASKS:
        approvals, denials = (
            world.liars + sum(member.said[ask] == verdict for member in state)
            for verdict in (APPROVES, DENIES)
        )
        need = world.quorum(world.reached(ask))
        steps.append(f"ask {ask + 1}: {approvals} approvals, {denials} denials, {need} needed")
    return steps


WRONG = {
    "(5,3) strict with a liar": World(5, fixed(3), liars=1),
    "(4,3) with two liars": World(4, fixed(3), liars=2),
    "(4,3) with a liar and a lost store": World(4, fixed(3), liars=1, amnesiacs=1),
    "(6,4) with a liar and a lost store": World(6, fixed(4), liars=1, amnesiacs=1, tightens=True),
    "(6,4) with two liars": World(6, fixed(4), liars=2),
    "(7,5) with three liars": World(7, fixed(5), liars=3),
    "5 split as 2 and 3, q from live members": World(5, of_live_members, alone=(2, 3)),
    "6 split as 3 and 3, q from live members": World(6, of_live_members, alone=(3, 3)),
}
"""Configurations that must give a counterexample."""


def main() -> None:
    """Print a counterexample of each wrong configuration."""
    for name, world in WRONG.items():
        found, states = explore(world)
        sys.stdout.write(f"{name} ({states} states):\n")
        sys.stdout.write("".join(f"  {line}\n" for line in found or ["none"]))


if __name__ == "__main__":
    main()
