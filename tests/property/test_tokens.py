"""Tokens and key sets under arbitrary input: an error of ours, or exactly what was signed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate_consensus.tokens import parse_key_set, verify
from tests.fakes.service_account import ISSUER, EcKey, claims, key_set, token
from tests.fakes.vouching import NOW

KEY = EcKey()
KEYS = parse_key_set(key_set(KEY))
GOOD = token(KEY, claims())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.text() | st.text(alphabet="aA0-_.=", max_size=40))
def test_any_text_is_refused(text: str) -> None:
    """Text that nobody signed names nobody."""
    with pytest.raises(QuorateError):
        verify(text, KEYS, ISSUER, NOW)


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_any_changed_character_is_refused(position: int, character: str) -> None:
    """No character of a token can be changed: it has one spelling, and it is signed."""
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(QuorateError):
            verify(changed, KEYS, ISSUER, NOW)


@given(st.sampled_from(sorted(claims())), JSON)
def test_any_signed_claim_is_read_or_refused(name: str, value: Any) -> None:
    """Whatever a claim holds, the caller is the pod of ``kubernetes.io``, or there is none."""
    payload = json.dumps(claims() | {name: value}).encode("utf-8", "surrogatepass")
    try:
        caller = verify(token(KEY, payload), KEYS, ISSUER, NOW)
    except QuorateError:
        return
    assert (caller.pod_uid, caller.user) == ("pod-uid-1", claims()["sub"])


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"keys": value}).encode()))
def test_any_key_set_is_read_or_refused(data: bytes) -> None:
    """A key set file never brings the member down with anything but an error of ours."""
    with pytest.raises(QuorateError):
        parse_key_set(data)


@given(st.sampled_from(sorted(KEY.jwk)), JSON)
def test_any_key_parameter_is_read_or_refused(name: str, value: Any) -> None:
    """A key with an odd parameter is refused, or is still a key of the allowed algorithms."""
    data = json.dumps({"keys": [KEY.jwk | {name: value}]}).encode("utf-8", "surrogatepass")
    try:
        keys = parse_key_set(data)
    except QuorateError:
        return
    assert all(key.algorithm == "ES256" for key in keys.values())
