"""Thresholds: what each configuration promises, and the arithmetic of those that are refused."""

import itertools

import pytest

from quorate.consensus import thresholds
from quorate.consensus.thresholds import PRESETS, Faults, Thresholds, Tier, expected
from quorate.errors import InvalidInput

STANDARD, HA = PRESETS["standard"], PRESETS["ha"]
SEVEN = Thresholds(n=7, fast=4, strict=5, r=2)


@pytest.mark.parametrize(
    ("n", "fast", "strict", "r", "field", "arithmetic"),
    [
        (5, 3, 6, 1, "strict", "needs 6 approvals of 5 members"),
        (5, 6, 5, 0, "fast", "needs 6 approvals of 5 members"),
        (5, 3, 3, 1, "strict", r"2\*3-5 = 1 members, and 1 may lie"),
        (6, 4, 4, 2, "strict", r"2\*4-6 = 2 members, and 2 may lie"),
        (4, 3, 3, 2, "strict", r"2\*3-4 = 2 members, and 2 may lie"),
        (4, 2, 2, 0, "strict", r"2\*2-4 = 0 members, and 0 may lie"),
        (5, 2, 4, 1, "fast", r"2\*2 = 4 is not more than 5"),
        (4, 2, 3, 1, "fast", r"2\*2 = 4 is not more than 4"),
        (1, 1, 1, 1, "strict", r"2\*1-1 = 1 members, and 1 may lie"),
        (5, 4, 3, 0, "fast", "4 is more than strict's 3"),
        (5, 3, 5, 3, "fast", "3 liars could approve alone"),
        (5, 3, 5, 1, "strict", r"5-1 = 4 honest members"),
        (5, 3, 4, 2, "strict", r"5-2 = 3 honest members"),
    ],
)
def test_what_does_not_intersect_is_refused_with_its_arithmetic(
    n: int, fast: int, strict: int, r: int, field: str, arithmetic: str
) -> None:
    """Each rule refuses what breaks it, names the threshold, and shows the sum."""
    with pytest.raises(InvalidInput, match=arithmetic) as refused:
        thresholds.check(Thresholds(n=n, fast=fast, strict=strict, r=r))
    assert refused.value.field == f"thresholds.{field}"
    assert refused.value.fix


def every_choice(n_max: int) -> list[Thresholds]:
    """Every combination of numbers up to ``n_max`` members."""
    return [
        Thresholds(n=n, fast=fast, strict=strict, r=r)
        for n in range(1, n_max + 1)
        for fast, strict in itertools.product(range(1, n + 2), repeat=2)
        for r in range(n + 1)
    ]


def accepted(choice: Thresholds) -> bool:
    """Whether ``check`` lets it pass."""
    try:
        thresholds.check(choice)
    except InvalidInput:
        return False
    return True


def is_sound(choice: Thresholds) -> bool:
    """The promise, counted out over sets instead of by formula."""
    n, q, r = choice.n, choice.strict, choice.r
    if not choice.fast <= q <= n:
        return False
    first = set(range(q))
    overlaps = [len(first & set(second)) for second in itertools.combinations(range(n), q)]
    fast = set(range(choice.fast))
    split = any(not fast & set(other) for other in itertools.combinations(range(n), choice.fast))
    return min(overlaps) > r and not split and choice.fast > r and n - r >= q


@pytest.mark.requirement("committee: thresholds that break quorum intersection are refused")
def test_the_formula_is_the_count_over_all_sets() -> None:
    """Up to 6 members, exactly those pass whose quorums intersect when all sets are counted."""
    choices = every_choice(6)
    assert [c for c in choices if accepted(c) != is_sound(c)] == []
    assert sum(accepted(c) for c in choices) > 20


def test_a_refusals_fix_is_no_other_refusal_of_the_same_rule() -> None:
    """Setting strict to what the message says gets past the intersection rule."""
    with pytest.raises(InvalidInput) as refused:
        thresholds.check(Thresholds(n=5, fast=3, strict=3, r=1))
    assert refused.value.fix == "set strict to at least 4"
    thresholds.check(Thresholds(n=5, fast=3, strict=4, r=1))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_pass_their_own_check(name: str) -> None:
    """What the chart offers is sound."""
    thresholds.check(PRESETS[name])


def test_presets_are_the_documented_numbers() -> None:
    """5 with 3 and 4, 6 with 4 and 4, and one alone for development."""
    numbers = {name: (t.n, t.fast, t.strict, t.r) for name, t in PRESETS.items()}
    assert numbers == {"dev": (1, 1, 1, 0), "standard": (5, 3, 4, 1), "ha": (6, 4, 4, 1)}


FAULTS = [
    Faults(down=1, approving=1),
    Faults(down=1, denying=1),
    Faults(down=2),
    Faults(down=2, approving=1),
    Faults(down=2, denying=1),
]


@pytest.mark.requirement("committee: the table of (n, down, liar) is what the arithmetic says")
@pytest.mark.parametrize(
    ("committee", "tier", "decided"),
    [
        (STANDARD, Tier.FAST, [True, True, True, True, False]),
        (STANDARD, Tier.STRICT, [True, False, False, False, False]),
        (HA, Tier.STRICT, [True, True, True, True, False]),
        (HA, Tier.FAST, [True, True, True, True, False]),
        (SEVEN, Tier.STRICT, [True, True, True, True, False]),
    ],
    ids=["5/3", "5/4", "6/4 strict", "6/4 fast", "7/5"],
)
def test_table_of_members_down_and_liars(
    committee: Thresholds, tier: Tier, decided: list[bool]
) -> None:
    """What is harmless is approved in exactly these cases: with n=5 two down stop strict, not fast;
    with n=6 neither."""
    assert [expected(committee, tier, faults, harmless=True) for faults in FAULTS] == decided


@pytest.mark.requirement("committee: tolerated liars alone approve nothing harmful")
@pytest.mark.parametrize("committee", [STANDARD, HA, SEVEN], ids=["5", "6", "7"])
@pytest.mark.parametrize("tier", Tier)
def test_tolerated_liars_approve_nothing(committee: Thresholds, tier: Tier) -> None:
    """Up to r always-approving members, and any number down: what is harmful is denied."""
    for liars, down in itertools.product(range(committee.r + 1), range(committee.n)):
        faults = Faults(down=min(down, committee.n - liars), approving=liars)
        assert not expected(committee, tier, faults, harmless=False)


def test_needed_is_by_tier() -> None:
    """Fast and strict ask for their own number."""
    assert [STANDARD.needed(tier) for tier in (Tier.FAST, Tier.STRICT)] == [3, 4]
