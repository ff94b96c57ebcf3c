"""The secrets check on generated credentials: the second look may not lose what the form found."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.content.secrets.randomness import entropy
from quorate.policy.runtime import CheckRule
from quorate_sidecar.checks.lane import ContentDenied, decide
from quorate_sidecar.checks.scanner import scanner_for
from tests.unit.sidecar import samples

DENY = scanner_for((CheckRule("secrets", "deny"),))
words = st.text(alphabet=string.ascii_lowercase + " .,äß\n", max_size=60)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(samples.secrets())), words, words)
@pytest.mark.requirement("sidecar: a planted credential in the prompt is found")
def test_random_credentials_are_found_anywhere(
    seed: int, rule: str, before: str, after: str
) -> None:
    """Whatever the random part and wherever it stands, a credential is denied."""
    text = f"{before} {samples.secrets(seed)[rule]} {after}"
    with pytest.raises(ContentDenied) as denied:
        decide(DENY, text, {})
    assert denied.value.finding.check == "secrets"


@settings(deadline=None)
@given(words)
def test_prose_is_never_a_secret(text: str) -> None:
    """Words without digits are not credentials."""
    assert decide(DENY, text, {}) == text


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_decided(text: str) -> None:
    """Arbitrary text is released whole or up to what denied it."""
    try:
        released = decide(DENY, text, {})
    except ContentDenied as denied:
        released = denied.released
    assert text.startswith(released)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=100))
def test_entropy_is_bounded(data: bytes) -> None:
    """Entropy lies between nothing and eight bits, and is nothing for one byte repeated."""
    assert 0 <= entropy(data) <= 8
    assert entropy(data[:1] * 9) == 0
