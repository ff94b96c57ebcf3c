"""Valid evidence of every type, changed in any byte or field: no longer enough."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.intoto import TYPES
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.evaluate import evaluate
from quorate.predicates import PredicateUri as Uri
from tests.fakes.predicates import CONDITIONS, predicate
from tests.fakes.vouching import (
    NOW,
    SUITE,
    attested_model,
    evidence,
    model_files,
    policy,
    signer,
    signers,
)

LAB, STRANGER = signer(), signer()
FILES = model_files()


def _compiled(kind: Uri) -> CompiledPolicy:
    gate: dict[str, Any] = {
        "name": "release",
        "predicateType": str(kind),
        "producers": signers(LAB),
        "maxAgeSeconds": 86_400,
        "condition": CONDITIONS.get(kind, ""),
        "acceptDraft": TYPES[kind].draft,
        "suites": [SUITE] if kind is Uri.TEST_RESULT else [],
    }
    return compile_policy(read(ClusterSafetyPolicy, policy({"model": {"gates": [gate]}})))


POLICIES = {kind: _compiled(kind) for kind in Uri}
SIGNED = {kind: evidence(FILES, kind, predicate(kind), LAB) for kind in Uri}


def allowed(kind: Uri, envelope: str, digest: str = FILES.digest) -> bool:
    document = attested_model(FILES, gates=(envelope,))
    document["spec"]["manifestDigest"] = digest
    return evaluate(POLICIES[kind], read(AttestedModel, document), NOW).verdict.allowed


def signed_parts(envelope: bytes) -> Any:
    """What a signature is over, and the signatures; None for what is no envelope."""
    try:
        parsed = dsse.parse(envelope)
    except QuorateError:
        return None
    return parsed.payload_type, parsed.payload, [item.sig for item in parsed.signatures]


@pytest.mark.parametrize("kind", list(Uri))
def test_unchanged_evidence_is_enough(kind: Uri) -> None:
    """What is changed below is enough as it is."""
    assert allowed(kind, SIGNED[kind])


@pytest.mark.requirement("mutate any byte of valid evidence: DENY")
@pytest.mark.parametrize("kind", list(Uri))
@given(st.data())
@settings(max_examples=60)
def test_any_byte_changed_denies(kind: Uri, data: st.DataObject) -> None:
    """Only a change that leaves payload, type and signatures as they are may stay allowed."""
    whole = SIGNED[kind].encode()
    index = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[index] = data.draw(st.integers(0, 127).filter(lambda byte: byte != whole[index]))
    if signed_parts(bytes(changed)) != signed_parts(whole):
        assert not allowed(kind, changed.decode() or "{}")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.requirement("mutate any field of valid evidence: DENY")
@pytest.mark.parametrize("kind", list(Uri))
@pytest.mark.parametrize("change", ["replace", "remove"])
def test_any_field_changed_denies(kind: Uri, change: str) -> None:
    """A payload with any field replaced or removed denies: unsigned, and signed by a stranger."""
    envelope = json.loads(SIGNED[kind])
    statement = json.loads(base64.b64decode(envelope["payload"]))
    for index in range(len(list(places(statement)))):
        changed = json.loads(json.dumps(statement))
        holder, key = list(places(changed))[index]
        if change == "remove":
            del holder[key]
        else:
            holder[key] = "x" if holder[key] != "x" else "y"
        payload = json.dumps(changed).encode()
        forged = dict(envelope, payload=base64.b64encode(payload).decode())
        assert not allowed(kind, json.dumps(forged))
        resigned = dsse.sign(payload, envelope["payloadType"], [STRANGER]).decode()
        assert not allowed(kind, resigned)


@pytest.mark.requirement("evidence for model X never admits Y")
@pytest.mark.parametrize("kind", list(Uri))
@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=20)
def test_evidence_admits_its_own_model_only(kind: Uri, other: bytes) -> None:
    """With any other manifest digest the same evidence is about another model."""
    digest = f"sha256:{other.hex()}"
    assert allowed(kind, SIGNED[kind], digest) == (digest == FILES.digest)


@pytest.mark.parametrize("kind", list(Uri))
@given(st.data())
@settings(max_examples=40)
def test_what_a_producer_signs_is_judged_not_crashed_on(kind: Uri, data: st.DataObject) -> None:
    """An accepted key that signs anything at all gets a verdict, never an exception."""
    value = predicate(kind)
    holder, key = data.draw(st.sampled_from(list(places(value))))
    holder[key] = data.draw(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9))
    assert allowed(kind, evidence(FILES, kind, value, LAB)) in (True, False)
