"""Gates under arbitrary and mutated input."""

import json
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import names
from quorate.errors import QuorateError
from quorate.evidence import dsse, intoto
from quorate.evidence.intoto.test_result import FINISHED_AT, METRICS, STARTED_AT
from quorate.evidence.signatures import SignerSet
from quorate.keys import LocalSigner

SIGNER = LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
MANIFEST = f"sha256:{'ab' * 32}"
RUN = intoto.GateRun(
    result=intoto.Outcome.PASSED,
    suite=f"sha256:{'01' * 32}",
    dataset=f"sha256:{'02' * 32}",
    harness=f"sha256:{'03' * 32}",
    finished_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    passed_tests=("toxicity",),
)
SIGNED = dsse.sign(intoto.gate_statement(RUN, MANIFEST), names.INTOTO_TYPE, [SIGNER])
EXPECTED = intoto.verify_gate(SIGNED, SignerSet((SIGNER.public_key,)))

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
field_names = st.sampled_from(
    [
        *("_type", "subject", "predicateType", "predicate", "name", "digest", "sha256", "result"),
        *("configuration", "passedTests", "warnedTests", "failedTests", "url"),
        *(FINISHED_AT, STARTED_AT, METRICS),
    ]
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=12,
)


def outcome(envelope: bytes) -> intoto.GateResult | None:
    """The result, or None if it is refused in an orderly way."""
    try:
        return intoto.verify_gate(envelope, SignerSet((SIGNER.public_key,)))
    except QuorateError:
        return None


@given(st.binary(max_size=300))
def test_arbitrary_signed_payloads_never_crash(payload: bytes) -> None:
    """A trusted key that signs rubbish is refused in an orderly way."""
    assert outcome(dsse.sign(payload, names.INTOTO_TYPE, [SIGNER])) is None


@given(st.lists(st.tuples(st.integers(0, 30), json_values), min_size=1, max_size=3))
@settings(max_examples=200)
def test_signed_statements_with_foreign_values_never_crash(
    changes: list[tuple[int, Any]],
) -> None:
    """Any JSON value in any place of a signed statement is what is read, or is refused."""
    document = json.loads(intoto.gate_statement(RUN, MANIFEST))
    for index, value in changes:
        places = list(containers(document))
        holder, key = places[index % len(places)]
        holder[key] = value
    payload = json.dumps(document).encode()
    result = outcome(dsse.sign(payload, names.INTOTO_TYPE, [SIGNER]))
    if result is not None:
        assert result.result.value == document["predicate"]["result"]
        named = {f"sha256:{subject['digest']['sha256']}" for subject in document["subject"]}
        assert result.subjects <= named


def containers(value: Any) -> Any:
    """Every (container, key) of a JSON document, outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from containers(inner)


def test_every_single_byte_mutation_is_refused_or_harmless() -> None:
    """No change of one byte makes a gate say something else."""
    for index in range(len(SIGNED)):
        for flip in (0x01, 0x20, 0x80):
            data = bytearray(SIGNED)
            data[index] ^= flip
            assert outcome(bytes(data)) in (None, EXPECTED)


digests = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
times = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(
    digests,
    times,
    st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5, unique=True),
    st.dictionaries(st.text(min_size=1, max_size=20), st.floats(-1e15, 1e15)),
)
def test_round_trip(
    digest: str, finished: datetime, tests: list[str], metrics: dict[str, float]
) -> None:
    """Whatever run can be signed is read back as it was, or was refused before signing."""
    run = intoto.GateRun(
        result=intoto.Outcome.PASSED,
        suite=digest,
        dataset=digest,
        harness=digest,
        finished_at=finished,
        passed_tests=tuple(tests),
        metrics=metrics,
    )
    try:
        payload = intoto.gate_statement(run, digest)
    except QuorateError:
        return
    result = outcome(dsse.sign(payload, names.INTOTO_TYPE, [SIGNER]))
    if len({name.casefold() for name in metrics}) == len(metrics):
        assert result is not None
        assert (result.finished_at, result.passed_tests) == (finished, tuple(tests))
        assert dict(result.metrics) == metrics
