"""The history checker: independent of the protocol, and it sees what it is for."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim import checker
from tests.sim.history import (
    Acted,
    Began,
    Ended,
    Endorsed,
    Fact,
    FreezeKnown,
    Heard,
    History,
    Opened,
    Voted,
)
from tests.sim.plan import draw
from tests.sim.simulation import Simulation

HERE = Path(__file__).parent
SEED = 3


@pytest.mark.requirement("committee: the history checker shares no code with the core")
@pytest.mark.parametrize("file", ["checker.py", "history.py"])
def test_the_checker_uses_nothing_of_the_protocol(file: str) -> None:
    """Nor anything of the simulator but the history itself."""
    tree = ast.parse((HERE / file).read_text("utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not {name for name in modules if name and name.startswith("quorate")}
    assert {name for name in modules if name and name.startswith("tests")} <= {
        "tests.sim",
        "tests.sim.history",
    }


def a_history(wanted: Callable[[History], bool]) -> History:
    """The first run's history that has what is wanted in it, and nothing wrong."""
    for seed in range(SEED, SEED + 400):
        simulation = Simulation(draw(seed))
        simulation.scene.world.run()
        history = simulation.scene.history
        if wanted(history):
            assert checker.check(history) == []
            return history
    raise AssertionError("no run has it")


def has(*kinds: type) -> Callable[[History], bool]:
    """Whether a history has facts of all ``kinds``."""
    return lambda history: set(kinds) <= {type(fact) for fact in history.facts}


def tampered(history: History, change: Callable[[Fact], Fact | None]) -> list[str]:
    """Names of the rules that are broken once the first fact that ``change`` knows is changed."""
    for place, fact in enumerate(history.facts):
        changed = change(fact)
        if changed is not None:
            history.facts[place] = changed
            return sorted({line.split(":")[0] for line in checker.check(history)})
    raise AssertionError("nothing to change")


def on(kind: type, **changes: object) -> Callable[[Fact], Fact | None]:
    """Change fields of the first fact of a kind."""
    return lambda fact: fact._replace(**changes) if isinstance(fact, kind) else None  # type: ignore[arg-type]


CASES: dict[str, tuple[tuple[type, ...], Callable[[Fact], Fact | None], str]] = {
    "another nonce": ((Acted,), on(Acted, nonce=bytes(16)), "approvals_have_certificates"),
    "too few": ((Acted,), lambda f: _short(f), "approvals_have_certificates"),
    "another request": ((Acted, Began), lambda f: _renamed(f), "approvals_have_certificates"),
    "late": ((Ended,), on(Ended, at=1e9), "asks_end_in_time"),
    "rubbish": ((Voted,), on(Voted, data=b"\x90"), "honest_members_tell_one_story"),
    "unsigned record": ((Opened,), on(Opened, members=(), admins=()), "epochs_form_one_chain"),
    "unsigned freeze": ((FreezeKnown,), on(FreezeKnown, signers=()), "freezes_hold"),
}


def _short(fact: Fact) -> Fact | None:
    if not isinstance(fact, Acted):
        return None
    return fact._replace(certificate=b"\x92\x01\x90")


def _renamed(fact: Fact) -> Fact | None:
    return fact._replace(request=b"another") if isinstance(fact, Began) else None


@pytest.mark.parametrize("case", CASES)
def test_a_changed_fact_breaks_its_rule(case: str) -> None:
    """Of a good history one fact is changed, and the rule about it says so."""
    kinds, change, rule = CASES[case]
    broken = tampered(a_history(lambda h: has(*kinds)(h) and not h.faulty), change)
    assert rule in broken


def test_acting_twice_is_seen() -> None:
    """One nonce authorises one act."""
    history = a_history(has(Acted))
    history.facts += [fact for fact in history.facts if isinstance(fact, Acted)]
    assert any(line.startswith("nonces_are_used_once") for line in checker.check(history))


def test_an_honest_member_with_two_choices_is_seen() -> None:
    """A second record signed under one number."""
    history = a_history(has(Endorsed))
    first = next(fact for fact in history.facts if isinstance(fact, Endorsed))
    history.facts.append(first._replace(record=first.record.replace(b'"reason":"', b'"reason":"x')))
    assert any(line.startswith("honest_members_choose_once") for line in checker.check(history))


def test_a_framed_member_is_seen() -> None:
    """A member under quarantine that the world says is honest."""
    history = a_history(
        lambda h: any(isinstance(f, Opened) and b'"quarantined":true' in f.record for f in h.facts)
    )
    history.faulty = frozenset()
    assert any(line.startswith("quarantine_takes_only_liars") for line in checker.check(history))


def test_a_hard_denial_that_was_passed_over_is_seen() -> None:
    """A hard denial heard before an approval that was acted on."""
    history = a_history(_has_hard_denial)
    heard = [fact for fact in history.facts if isinstance(fact, Heard)]
    held = {f.nonce for f in history.facts if isinstance(f, Ended) and f.decision == "Hold"}
    one = next(fact for fact in heard if fact.nonce in held)
    history.facts.append(Acted(one.at, one.asker, one.nonce, b"\x92\x01\x90"))
    assert any(line.startswith("hard_denials_hold") for line in checker.check(history))


def _has_hard_denial(history: History) -> bool:
    return any(isinstance(fact, Ended) and fact.decision == "Hold" for fact in history.facts)
