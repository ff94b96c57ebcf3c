"""Which certificates are out, and which no longer count."""

from datetime import timedelta

import pytest

from quorate.certificate import Certificate, PolicyRef, Statement
from quorate_consensus.ledger import PER_SUBJECT_MAX, Ledger, Subject
from tests.fakes.vouching import NOW

FLOOR: Subject = ("team-a", "demo", PolicyRef("ClusterSafetyPolicy", None, "floor"))
OTHER: Subject = ("team-a", "other", FLOOR[2])
SECOND = timedelta(seconds=1)
DIGEST = f"sha256:{'0' * 64}"


def certificate(name: str, life: int = 60, subject: Subject = FLOOR) -> Certificate:
    """A verified certificate that ends ``life`` seconds after NOW."""
    statement = Statement(
        cluster_id="cluster-1",
        epoch=DIGEST,
        namespace=subject[0],
        model=subject[1],
        manifest_digest=DIGEST,
        policy=subject[2],
        policy_digest=DIGEST,
        evidence=(),
        issued_at=NOW,
        expires_at=NOW + life * SECOND,
    )
    return Certificate(statement, name, frozenset())


@pytest.mark.requirement("a FAILED gate or a revoked key is a revocation in the signed state")
def test_a_denial_revokes_all_that_is_out_for_the_subject() -> None:
    """Every unexpired certificate of this model and policy, once, and none of another."""
    ledger = Ledger()
    for name in ("a", "b", "a"):
        assert ledger.noted(certificate(name), NOW) == 0
    ledger.noted(certificate("c", subject=OTHER), NOW)
    assert ledger.judged(FLOOR, NOW, allowed=False) == 2
    assert ledger.judged(FLOOR, NOW, allowed=False) == 0
    assert ledger.out([FLOOR], NOW) == ("a", "b")
    assert ledger.out([FLOOR, OTHER], NOW) == ("a", "b", "c")


def test_a_certificate_that_comes_after_the_denial_is_revoked_too() -> None:
    """Others may have signed it before they knew; it is counted once, however often it comes."""
    ledger = Ledger()
    assert ledger.judged(FLOOR, NOW, allowed=False) == 0
    assert [ledger.noted(certificate("a"), NOW) for _ in range(2)] == [1, 0]
    assert ledger.out([FLOOR], NOW) == ("a",)


def test_a_judgement_that_allows_supports_what_is_out() -> None:
    """A denial that was taken back is none of what comes next; a second one counts again."""
    ledger = Ledger()
    ledger.noted(certificate("a"), NOW)
    ledger.judged(FLOOR, NOW, allowed=False)
    assert ledger.judged(FLOOR, NOW, allowed=True) == 0
    assert ledger.noted(certificate("b"), NOW) == 0
    assert ledger.judged(FLOOR, NOW, allowed=False) == 2


def test_what_expired_is_not_listed() -> None:
    """A certificate counts as revoked until it would have expired, to the instant."""
    ledger = Ledger()
    ledger.noted(certificate("a", 60), NOW)
    ledger.judged(FLOOR, NOW, allowed=False)
    assert ledger.out([FLOOR], NOW + 59 * SECOND) == ("a",)
    assert ledger.out([FLOOR], NOW + 60 * SECOND) == ()
    assert ledger.noted(certificate("late", 1), NOW + 2 * SECOND) == 0


def test_memory_is_bounded_and_swept() -> None:
    """Per subject only so many are kept, the longest living; and none once all have expired."""
    ledger = Ledger()
    for life in range(1, PER_SUBJECT_MAX + 11):
        ledger.noted(certificate(f"{life:03}", life), NOW)
    ledger.judged(FLOOR, NOW, allowed=False)
    kept = ledger.out([FLOOR], NOW)
    assert (len(kept), kept[0]) == (PER_SUBJECT_MAX, "011")
    ledger.noted(certificate("x", 1000, OTHER), NOW)
    ledger.sweep(NOW + 100 * SECOND)
    assert len(ledger) == 1


def test_a_subject_without_certificates() -> None:
    """One that is allowed leaves no trace; one that is denied, none that a sweep does not take."""
    ledger = Ledger()
    assert ledger.judged(FLOOR, NOW, allowed=True) == 0
    assert len(ledger) == 0
    assert ledger.judged(FLOOR, NOW, allowed=False) == 0
    ledger.sweep(NOW)
    assert len(ledger) == 0
