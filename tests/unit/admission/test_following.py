"""What admission holds after it heard that a member had lied."""

from datetime import timedelta

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


@pytest.mark.requirement("admission certificates of a later epoch count once it is known")
def test_a_certificate_of_a_later_epoch_counts_as_soon_as_that_is_known() -> None:
    """The model is not written again: what was refused for its epoch is looked at once more."""
    made = world()
    (policy,) = made.policies.values()
    later = made.committee.without(4)
    made.put_model([made.certificate(policy, epoch=later.head.digest_text)])
    assert verdict(made) == (False, Reason.CERTIFICATE_INVALID)
    made.store.follow(later)
    assert verdict(made) == (True, None)
    (known,) = made.snapshot.models.values()
    assert not known.strangers
    assert not known.refused


def test_what_no_epoch_explains_stays_refused() -> None:
    """Knowing more epochs helps no certificate of one that there is not, nor one that too few of
    the later epoch's members signed."""
    made = world()
    (policy,) = made.policies.values()
    later = made.committee.without(0)
    nowhere = f"sha256:{'7' * 64}"
    for epoch in (nowhere, later.head.digest_text):
        made.put_model([made.certificate(policy, epoch=epoch)])
        made.store.follow(later)
        assert verdict(made) == (False, Reason.CERTIFICATE_INVALID)


def test_a_stranger_that_expired_meanwhile_admits_nothing() -> None:
    """Its time is compared when it is used."""
    made = world()
    (policy,) = made.policies.values()
    later = made.committee.without(4)
    made.put_model([made.certificate(policy, epoch=later.head.digest_text)])
    made.store.follow(later)
    (known,) = made.snapshot.models.values()
    assert not certified(known, policy, NOW + timedelta(hours=1)).allowed
