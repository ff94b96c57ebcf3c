"""Which certificates are out, and which no longer count."""

from datetime import timedelta

import pytest

from quorate.certificate import PolicyRef
from quorate_consensus.issuing import Issued
from quorate_consensus.ledger import PER_SUBJECT_MAX, Ledger, Subject
from tests.fakes.vouching import NOW

FLOOR: Subject = ("team-a", "demo", PolicyRef("ClusterSafetyPolicy", None, "floor"))
OTHER: Subject = ("team-a", "other", FLOOR[2])
SECOND = timedelta(seconds=1)


def certificate(name: str, life: int = 60) -> Issued:
    """A certificate that ends ``life`` seconds after NOW."""
    return Issued("{}", name, NOW, NOW + life * SECOND)


@pytest.mark.requirement("a FAILED gate or a revoked key is a revocation in the signed state")
def test_revoking_covers_all_that_is_out_for_the_subject() -> None:
    """Every unexpired certificate of this model and policy, none of another."""
    ledger = Ledger()
    for name in ("a", "b"):
        ledger.issued(FLOOR, certificate(name), NOW)
    ledger.issued(OTHER, certificate("c"), NOW)
    assert ledger.revoke(FLOOR, NOW) == 2
    assert ledger.revoked([FLOOR, OTHER], NOW) == ("a", "b")
    assert ledger.revoke(FLOOR, NOW) == 0
    assert ledger.revoked([FLOOR], NOW) == ("a", "b")


def test_what_expired_is_not_listed() -> None:
    """A certificate counts as revoked until it would have expired, to the instant."""
    ledger = Ledger()
    ledger.issued(FLOOR, certificate("a", 60), NOW)
    ledger.revoke(FLOOR, NOW)
    assert ledger.revoked([FLOOR], NOW + 59 * SECOND) == ("a",)
    assert ledger.revoked([FLOOR], NOW + 60 * SECOND) == ()


def test_a_certificate_after_a_revocation_counts() -> None:
    """Revocations are of what was out then, not of what comes."""
    ledger = Ledger()
    ledger.issued(FLOOR, certificate("a"), NOW)
    ledger.revoke(FLOOR, NOW)
    ledger.issued(FLOOR, certificate("b"), NOW)
    assert ledger.revoked([FLOOR], NOW) == ("a",)


def test_memory_is_bounded_and_swept() -> None:
    """Per subject only so many are kept, the longest living; and none once all have expired."""
    ledger = Ledger()
    for life in range(1, PER_SUBJECT_MAX + 11):
        ledger.issued(FLOOR, certificate(f"{life:03}", life), NOW)
    ledger.revoke(FLOOR, NOW)
    kept = ledger.revoked([FLOOR], NOW)
    assert (len(kept), kept[0]) == (PER_SUBJECT_MAX, "011")
    ledger.issued(OTHER, certificate("x", 1000), NOW)
    ledger.sweep(NOW + 100 * SECOND)
    assert len(ledger) == 1


def test_revoking_nothing() -> None:
    """A subject without certificates leaves no trace."""
    ledger = Ledger()
    assert ledger.revoke(FLOOR, NOW) == 0
    ledger.issued(FLOOR, certificate("a", 1), NOW)
    assert ledger.revoke(FLOOR, NOW + 2 * SECOND) == 0
    assert len(ledger) == 0
