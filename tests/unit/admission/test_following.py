"""What admission holds after it heard that a member had lied."""

import pytest

from quorate.admission.model import certified
from quorate.consensus.thresholds import PRESETS
from quorate.verdict import Reason
from tests.fakes import vouching
from tests.fakes.vouching import NOW, Committee
from tests.unit.admission.world import World


def world() -> World:
    """A model that four of five members certified."""
    made = World(Committee(n=5, thresholds=PRESETS["standard"], signing=4))
    made.put_policy(vouching.policy())
    made.put_model()
    return made


def verdict(made: World) -> tuple[bool, Reason | None]:
    """Whether the model's certificate counts, and why not."""
    (known,) = made.snapshot.models.values()
    (policy,) = made.policies.values()
    found = certified(known, policy, NOW)
    return found.allowed, None if found.allowed else found.denials[0].reason


@pytest.mark.requirement("admission certificates count while q of their signers are unrevoked")
def test_a_certificate_that_is_held_loses_its_quorum_with_a_signer() -> None:
    """Nothing was written or listed since: what is in memory is judged again."""
    made = world()
    assert verdict(made) == (True, None)
    made.store.follow(made.committee.without(0))
    assert verdict(made) == (False, Reason.CERTIFICATE_INVALID)
    made.put_model()
    assert verdict(made) == (False, Reason.CERTIFICATE_INVALID)


def test_a_liar_that_did_not_sign_takes_nothing_with_it() -> None:
    """The certificate has its quorum without it."""
    made = world()
    made.store.follow(made.committee.without(4))
    assert verdict(made) == (True, None)
