"""Genesis, certificates and signed states under arbitrary and mutated input."""

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import certificate, names, signed_state
from quorate.certificate import PolicyRef
from quorate.consensus.epoch import Epoch
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.genesis import encode as encode_genesis
from quorate.genesis import parse_genesis
from quorate.keys import LocalSigner
from quorate.policy.runtime import CheckRule, RuntimeRules
from quorate.signed_state import PodState, PodSubject, PolicyState, StateStatement
from quorate.statements import encode
from tests.fakes.states import state_of
from tests.fakes.vouching import NOW, Committee, model_files

MEMBER = LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
STRANGER = LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
COMMITTEE = Committee(keys=[MEMBER])
GENESIS, HISTORY = COMMITTEE.genesis, COMMITTEE.history
POLICY = PolicyRef("ClusterSafetyPolicy", None, "floor")
DIGEST = f"sha256:{'d' * 64}"
CERTIFICATE = COMMITTEE.certify(model_files(), POLICY, DIGEST)
RULES = RuntimeRules(8000, ("/health",), None, 1000, 1000, 60, (CheckRule("secrets", "deny"),))
UID = "0b5d0d7c-8c5c-4c0e-8f0d-1d9f5f0f0a01"
STATE = signed_state.issue(
    StateStatement(
        cluster_id=GENESIS.cluster_id,
        epoch=GENESIS.digest_text,
        pod=PodSubject(UID, "team-a", "demo-1", "demo"),
        manifest_digest=model_files().digest,
        rules=RULES,
        policies=(PolicyState(POLICY, DIGEST, CERTIFICATE.decode()),),
        revoked=(),
        denial=None,
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    ),
    [MEMBER],
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pod", "rules", "policy", "name", "uid"]), inner)
    ),
    max_leaves=8,
)
foreign = st.lists(st.tuples(st.integers(0, 60), json_values), min_size=1, max_size=3)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON document, outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def changed(document: Any, changes: list[tuple[int, Any]]) -> Any:
    """The document with foreign values put into some places."""
    for index, value in changes:
        found = list(places(document))
        holder, key = found[index % len(found)]
        holder[key] = copy.deepcopy(value)
    return document


def genesis_of(data: bytes) -> Epoch | None:
    """The genesis, or None if it is refused in an orderly way."""
    try:
        return parse_genesis(data)
    except QuorateError:
        return None


def certified(envelope: bytes) -> certificate.Certificate | None:
    """The certificate, or None if it is refused in an orderly way."""
    try:
        return certificate.verify(envelope, HISTORY, NOW)
    except QuorateError:
        return None


def read_state(envelope: bytes) -> PodState | None:
    """The pod's state, or None if it is refused in an orderly way."""
    try:
        return state_of(envelope, HISTORY, UID, NOW)
    except QuorateError:
        return None


@pytest.mark.requirement("bad input: property tests for every parser")
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Neither as a document, nor as what a member signed."""
    assert genesis_of(data) is None
    assert certified(data) is None
    assert read_state(data) is None
    assert certified(dsse.sign(data, names.CERTIFICATE_TYPE, [MEMBER])) is None
    assert read_state(dsse.sign(data, names.STATE_TYPE, [MEMBER])) is None


@pytest.mark.requirement("bad input: property tests for every parser")
@given(foreign)
def test_a_genesis_with_foreign_values_is_another_or_none(changes: list[tuple[int, Any]]) -> None:
    """What is read is what is written there: a genesis that differs has another digest."""
    document = changed(json.loads(encode_genesis(GENESIS)), changes)
    found = genesis_of(json.dumps(document).encode())
    if found is not None:
        assert json.loads(encode_genesis(found)) == document
        assert (found.digest_text == GENESIS.digest_text) is (found == GENESIS)


@pytest.mark.requirement("bad input: property tests for every parser")
@given(foreign)
@settings(max_examples=200)
def test_signed_rubbish_is_what_it_says_or_refused(changes: list[tuple[int, Any]]) -> None:
    """A member that signs odd certificates and states crashes nobody, and is never misread."""
    document = changed(json.loads(dsse.parse(CERTIFICATE).payload), changes)
    payload = json.dumps(document).encode()
    found = certified(dsse.sign(payload, names.CERTIFICATE_TYPE, [MEMBER]))
    if found is not None:
        assert json.loads(encode(found.statement)) == document
    document = changed(json.loads(dsse.parse(STATE).payload), changes)
    payload = json.dumps(document).encode()
    state = read_state(dsse.sign(payload, names.STATE_TYPE, [MEMBER]))
    if state is not None:
        assert (document["pod"]["uid"], document["denial"]) == (UID, None)
        assert state.manifest_digest == document["manifestDigest"]
        assert state.expires_at <= NOW + timedelta(minutes=10)


@pytest.mark.requirement("bad input: property tests for every parser")
@given(st.integers(0, len(STATE)), st.integers(0, 40), st.binary(max_size=20))
def test_spliced_states_and_certificates_say_the_same_or_nothing(
    start: int, length: int, insert: bytes
) -> None:
    """No cut or insertion changes what a signed document says."""
    state = read_state(STATE[:start] + insert + STATE[start + length :])
    assert state in (None, read_state(STATE))
    found = certified(CERTIFICATE[:start] + insert + CERTIFICATE[start + length :])
    original = certified(CERTIFICATE)
    assert original is not None
    assert found is None or found.statement == original.statement


@given(st.sampled_from([names.CERTIFICATE_TYPE, names.STATE_TYPE]), st.booleans())
def test_strangers_and_other_types_are_refused(payload_type: str, other_type: bool) -> None:
    """The same payload by a key that is no member's, or signed as another type, is nothing."""
    verify = read_state if payload_type == names.STATE_TYPE else certified
    payload = dsse.parse(STATE if payload_type == names.STATE_TYPE else CERTIFICATE).payload
    signed_as = names.INTOTO_TYPE if other_type else payload_type
    key = MEMBER if other_type else STRANGER
    assert verify(dsse.sign(payload, payload_type, [MEMBER])) is not None
    assert verify(dsse.sign(payload, signed_as, [key])) is None
