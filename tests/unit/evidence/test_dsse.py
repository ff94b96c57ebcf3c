"""DSSE: what verifies, what counts, what is refused."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded, QuorateError, SignatureError
from quorate.evidence import dsse
from quorate.keys import LocalSigner, load_public_key

TYPE = "application/vnd.example+json"
PAYLOAD = b'{"a":1}'


def ed25519_signer() -> LocalSigner:
    return LocalSigner(ed25519.Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def signers() -> list[LocalSigner]:
    return [ed25519_signer() for _ in range(3)]


def rewritten(envelope: bytes, **fields: Any) -> bytes:
    """The envelope with some fields replaced."""
    return json.dumps({**json.loads(envelope), **fields}).encode()


def test_pae_is_the_protocol_s_example() -> None:
    """The signed bytes are the ones in the published DSSE protocol."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == expected


def test_pae_counts_bytes_not_characters() -> None:
    """Lengths are in bytes, so a non-ASCII type cannot shift the boundary."""
    assert dsse.pae("é", b"x") == b"DSSEv1 2 \xc3\xa9 1 x"


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 3072),
    ],
    ids=["ed25519", "p256", "p384", "rsa3072"],
)
def test_signed_envelope_verifies(key: Any) -> None:
    """Every accepted kind of key signs and verifies."""
    signer = LocalSigner(key)
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, [signer]))
    verified = dsse.verify(envelope, [signer.public_key], 1, TYPE)
    assert verified == dsse.Verified(PAYLOAD, frozenset({signer.public_key.key_id}))


def test_other_signatures_do_not_spoil(signers: list[LocalSigner]) -> None:
    """A signature by an unknown key neither counts nor harms."""
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, signers))
    known = [signer.public_key for signer in signers[1:]]
    assert dsse.verify(envelope, known, 2, TYPE).signers == {key.key_id for key in known}


@pytest.mark.requirement("the same key twice in a 2-of-n does not count twice")
def test_one_key_signing_twice_counts_once(signers: list[LocalSigner]) -> None:
    """Two signatures by one key are one signer, whatever keyid each carries."""
    message = dsse.pae(TYPE, PAYLOAD)
    twice = tuple(dsse.Signature(signers[0].sign(message), keyid) for keyid in ("a", "b"))
    envelope = dsse.Envelope(TYPE, PAYLOAD, twice)
    keys = [signer.public_key for signer in signers]
    with pytest.raises(SignatureError, match="1 of 3"):
        dsse.verify(envelope, keys, 2, TYPE)


@pytest.mark.requirement("the same key twice in a 2-of-n does not count twice")
def test_one_key_under_two_pem_spellings_counts_once() -> None:
    """A compressed and an uncompressed PEM of one key are one key: 2-of-n cannot be meant."""
    private = ec.generate_private_key(ec.SECP256R1())
    signer = LocalSigner(private)
    plain = signer.public_key.pem
    der = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    body = base64.b64encode(prefix + der).decode()
    compressed = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    keys = [load_public_key(plain), load_public_key(compressed)]
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, [signer]))
    with pytest.raises(InvalidInput, match="distinct keys, 1"):
        dsse.verify(envelope, keys, 2, TYPE)
    assert len(dsse.verify(envelope, keys, 1, TYPE).signers) == 1


def test_a_lying_keyid_changes_nothing(signers: list[LocalSigner]) -> None:
    """A keyid that names another accepted key, or none, still verifies by the true key."""
    message = dsse.pae(TYPE, PAYLOAD)
    keys = [signer.public_key for signer in signers]
    for keyid in (keys[1].key_id, "nobody", ""):
        signature = dsse.Signature(signers[0].sign(message), keyid)
        verified = dsse.verify(dsse.Envelope(TYPE, PAYLOAD, (signature,)), keys, 1, TYPE)
        assert verified.signers == {keys[0].key_id}


def test_missing_keyid_is_accepted(signers: list[LocalSigner]) -> None:
    """keyid is optional in DSSE."""
    value = json.loads(dsse.sign(PAYLOAD, TYPE, signers[:1]))
    del value["signatures"][0]["keyid"]
    envelope = dsse.parse(json.dumps(value).encode())
    assert dsse.verify(envelope, [signers[0].public_key], 1, TYPE).payload == PAYLOAD


@pytest.mark.requirement("wrong media types are refused")
def test_wrong_payload_type_is_refused(signers: list[LocalSigner]) -> None:
    """A true signature over another type of payload is not accepted for this one."""
    envelope = dsse.parse(dsse.sign(PAYLOAD, "application/other", signers[:1]))
    with pytest.raises(InvalidInput, match="payloadType"):
        dsse.verify(envelope, [signers[0].public_key], 1, TYPE)


def test_relabelled_payload_type_is_refused(signers: list[LocalSigner]) -> None:
    """The type is signed: writing another one over it breaks the signature."""
    signed = dsse.sign(PAYLOAD, "application/other", signers[:1])
    envelope = dsse.parse(rewritten(signed, payloadType=TYPE))
    with pytest.raises(SignatureError):
        dsse.verify(envelope, [signers[0].public_key], 1, TYPE)


def test_wrong_key_is_refused(signers: list[LocalSigner]) -> None:
    """A signature by a key that is not listed proves nothing."""
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, signers[:1]))
    with pytest.raises(SignatureError, match="0 of 2"):
        dsse.verify(envelope, [signer.public_key for signer in signers[1:]], 1, TYPE)


@pytest.mark.parametrize("threshold", [-1, 0, 4])
def test_impossible_threshold_is_refused(signers: list[LocalSigner], threshold: int) -> None:
    """Zero signers can never be enough, and more than there are keys is a mistake to report."""
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, signers))
    with pytest.raises(InvalidInput, match="threshold"):
        dsse.verify(envelope, [signer.public_key for signer in signers], threshold, TYPE)


def test_no_keys_is_refused(signers: list[LocalSigner]) -> None:
    """An empty key list is never vacuously met."""
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, signers))
    with pytest.raises(InvalidInput):
        dsse.verify(envelope, [], 0, TYPE)


def test_too_many_keys_are_refused() -> None:
    """Work is bounded: signatures times keys."""
    many = [ed25519_signer() for _ in range(dsse.KEYS_MAX + 1)]
    envelope = dsse.parse(dsse.sign(PAYLOAD, TYPE, many[:1]))
    with pytest.raises(LimitExceeded):
        dsse.verify(envelope, [signer.public_key for signer in many], 1, TYPE)


GOOD: dict[str, Any] = {
    "payloadType": TYPE,
    "payload": "e30=",
    "signatures": [{"sig": "AAAA", "keyid": "k"}],
}
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "truncated": json.dumps(GOOD).encode()[:-3],
    "not utf-8": json.dumps(GOOD).encode().replace(b"e30=", b"e3\xff="),
    "array": b"[]",
    "null": b"null",
    "duplicate key": json.dumps(GOOD).encode()[:-1] + b',"payload":"e30="}',
    "case variant": json.dumps(GOOD).encode()[:-1] + b',"Payload":"e30="}',
    "unknown field": json.dumps({**GOOD, "extra": 1}).encode(),
    "unknown signature field": json.dumps(
        {**GOOD, "signatures": [{"sig": "", "alg": ""}]}
    ).encode(),
    "no signatures": json.dumps({**GOOD, "signatures": []}).encode(),
    "signatures null": json.dumps({**GOOD, "signatures": None}).encode(),
    "signature string": json.dumps({**GOOD, "signatures": ["AAAA"]}).encode(),
    "keyid number": json.dumps({**GOOD, "signatures": [{"sig": "AAAA", "keyid": 1}]}).encode(),
    "sig missing": json.dumps({**GOOD, "signatures": [{"keyid": "k"}]}).encode(),
    "payload object": json.dumps({**GOOD, "payload": {}}).encode(),
    "payload missing": json.dumps({"payloadType": TYPE, "signatures": GOOD["signatures"]}).encode(),
    "payload not base64": json.dumps({**GOOD, "payload": "e30"}).encode(),
    "payload url-safe": json.dumps({**GOOD, "payload": "_-8="}).encode(),
    "payload with line break": json.dumps({**GOOD, "payload": "e3\n0="}).encode(),
    "payload with stray bits": json.dumps({**GOOD, "payload": "e31="}).encode(),
    "payload not ascii": json.dumps({**GOOD, "payload": "é30="}).encode(),
    "type empty": json.dumps({**GOOD, "payloadType": ""}).encode(),
    "type number": json.dumps({**GOOD, "payloadType": 1}).encode(),
    "NaN": json.dumps({**GOOD, "payloadType": float("nan")}).encode(),
    "deep": b'{"payload":' + b"[" * 100_000,
}


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_envelope_is_refused(data: bytes) -> None:
    """Anything but an exact envelope is InvalidInput, never another exception."""
    with pytest.raises(InvalidInput):
        dsse.parse(data)


def test_well_formed_control() -> None:
    """The document the malformed ones are made from does parse."""
    envelope = dsse.parse(json.dumps(GOOD).encode())
    assert envelope == dsse.Envelope(TYPE, b"{}", (dsse.Signature(b"\0\0\0", "k"),))


def test_huge_envelope_is_refused() -> None:
    """The size bound holds before anything is parsed."""
    with pytest.raises(LimitExceeded):
        dsse.parse(b"x" * (limits.EVIDENCE_BYTES + 1))


def test_too_many_signatures_are_refused() -> None:
    """Signatures are bounded: verifying is the expensive part."""
    many = GOOD["signatures"] * (limits.SIGNATURES + 1)
    with pytest.raises(LimitExceeded):
        dsse.parse(json.dumps({**GOOD, "signatures": many}).encode())


@pytest.mark.parametrize("count", [0, limits.SIGNATURES + 1])
def test_sign_refuses_what_nobody_could_verify(count: int) -> None:
    """No signer, or more than an envelope may hold, is an error of the caller."""
    with pytest.raises(QuorateError):
        dsse.sign(PAYLOAD, TYPE, [ed25519_signer() for _ in range(count)])


def test_sign_refuses_one_key_twice(signers: list[LocalSigner]) -> None:
    """A second signature by the same key would only look like more."""
    with pytest.raises(InvalidInput):
        dsse.sign(PAYLOAD, TYPE, [signers[0], signers[0]])
