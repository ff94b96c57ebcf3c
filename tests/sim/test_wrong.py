"""Wrong configurations produce counterexamples: the rules are needed, and the checker sees it."""

from collections.abc import Callable

import pytest

from quorate.consensus import thresholds as rules
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput
from tests.sim import wrong
from tests.sim.asker import Asker
from tests.sim.plan import Plan
from tests.sim.simulation import run

SEEDS = range(1, 60)
INTERSECTION = "committee: quorums intersect in an honest member"


def first_violation(
    plan: Callable[[int], Plan], rule: str, asker: type[Asker] = Asker
) -> str | None:
    """The first sentence of ``rule`` over the seeds."""
    for seed in SEEDS:
        for line in run(plan(seed), asker=asker).violations:
            if line.startswith(rule):
                return f"seed {seed}: {line}"
    return None


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds are taken as they come."""
    monkeypatch.setattr(rules, "check", lambda thresholds: None)


QUARRELS = {
    "5 of which 3, one liar": (Thresholds(n=5, fast=3, strict=3, r=1), 1),
    "4 of which 3, two liars": (Thresholds(n=4, fast=3, strict=3, r=1), 2),
}
ENOUGH = {
    "5 of which 4, one liar": (Thresholds(n=5, fast=3, strict=4, r=1), 1),
    "5 of which 4, two liars": (Thresholds(n=5, fast=3, strict=4, r=1), 2),
    "4 of which 3, one liar": (Thresholds(n=4, fast=3, strict=3, r=1), 1),
    "7 of which 5, two liars": (Thresholds(n=7, fast=5, strict=5, r=2), 2),
}


def quarrels(thresholds: Thresholds, liars: int) -> Callable[[int], Plan]:
    """Liars that say yes to one asker and no to the other."""
    strategies = {f"m{i}": "colluding" for i in range(liars)}
    return lambda seed: wrong.quarrel(seed, thresholds, strategies)


@pytest.mark.requirement(INTERSECTION)
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", QUARRELS)
def test_quorums_that_share_only_liars_contradict_each_other(case: str) -> None:
    """One request, certified as approved and as denied."""
    found = first_violation(quarrels(*QUARRELS[case]), "strict_certificates_agree")
    assert found is not None


@pytest.mark.requirement(INTERSECTION)
@pytest.mark.parametrize("case", ENOUGH)
def test_quorums_that_share_an_honest_member_do_not(case: str) -> None:
    """The same quarrels, with one member more in common: no contradiction in any run."""
    assert first_violation(quarrels(*ENOUGH[case]), "strict_certificates_agree") is None


@pytest.mark.requirement(INTERSECTION)
def test_the_wrong_thresholds_are_refused_with_the_arithmetic() -> None:
    """Five members with a strict quorum of three: outside these tests nobody gets that far."""
    with pytest.raises(InvalidInput, match=r"2\*3-5 = 1"):
        rules.check(Thresholds(n=5, fast=3, strict=3, r=1))


@pytest.mark.requirement("committee: lost state never speaks under the old key")
@pytest.mark.parametrize("rule", ["honest_members_tell_one_story", "quarantine_takes_only_liars"])
def test_a_member_that_forgets_and_keeps_its_key_is_a_liar(rule: str) -> None:
    """It takes back denials, and the others convict it although nobody meant harm."""
    assert first_violation(wrong.forgetful, rule) is not None


@pytest.mark.requirement("committee: q is configuration, never live membership")
def test_quorums_of_whoever_is_there_let_the_network_decide() -> None:
    """A minority with a liar in it acts on its own; with real quorums, in those runs, none does."""
    rule = "approvals_have_certificates"
    assert first_violation(wrong.divided, rule, wrong.FloatingAsker) is not None
    assert first_violation(wrong.divided, rule) is None


@pytest.mark.requirement("committee: epochs are one chain")
def test_a_recovery_past_a_server_that_lies_makes_a_second_chain() -> None:
    """What administrators alone sign may follow the same record as what members certified and the
    server held back. The protocol does not prevent it: docs and commands must."""
    assert first_violation(wrong.misled, "epochs_form_one_chain") is not None
