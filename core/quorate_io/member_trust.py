"""From a pinned digest to a channel that can be trusted. Pure: no I/O.

A member serves its genesis, the epochs after it and the authority of its TLS certificate to anybody
over a channel nobody verified. The genesis is believed because it hashes to the pinned digest, each
epoch because the one before certified it, and an authority because it is signed by the identity
key of a member of the newest one whose word still stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.canonical import canonical
from quorate.consensus import history as histories
from quorate.consensus.epoch import material_of
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.errors import EvidenceError, Expired, InvalidInput, SignatureError, SubjectMismatch
from quorate.genesis import parse_genesis
from quorate.keys import PublicKey, accept
from quorate_io import member_api
from quorate_io.member_api import GenesisAnswer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trust:
    """The epochs, and the authorities (PEM) whose leafs a client may believe.

    ``members``: the seats whose authorities these are, in the newest epoch.
    """

    history: History
    authorities: tuple[str, ...]
    members: tuple[str, ...]


class Followed:
    """The epochs that a client knows. Only ever longer: nobody can lead it back."""

    def __init__(self, genesis_digest: str) -> None:
        self._genesis_digest = genesis_digest
        self._history: History | None = None

    @property
    def history(self) -> History | None:
        """None until a member served the genesis."""
        return self._history

    @property
    def number(self) -> int:
        """Of the newest epoch that is known; 0 before any."""
        return 0 if self._history is None else self._history.head.record.number

    def follow(self, answer: GenesisAnswer) -> History:
        """Take in what a member answered.

        Raises SubjectMismatch for another genesis or a record that does not follow, SignatureError
        for one that is not certified, InvalidInput for anything malformed: then nothing of this
        answer has been taken in.
        """
        known = self._history
        if known is None:
            genesis = parse_genesis(canonical(answer.genesis), self._genesis_digest)
            known = histories.begin(genesis)
        self._history = histories.follow(known, answer.chain, KeySignatures())
        return self._history


def read(answer: bytes) -> GenesisAnswer:
    """Read the answer of ``GET /v1/genesis``. Raises InvalidInput; nothing in it is believed."""
    return member_api.decode(
        answer, GenesisAnswer, bytes_max=member_api.GENESIS_BYTES, what="genesis answer"
    )


def establish(
    answer: GenesisAnswer, history: History, now: datetime, seat: str | None = None
) -> Trust:
    """Check the authorities in ``answer`` by the newest epoch: of ``seat``, if it is said.

    Raises SubjectMismatch for one that is no member's or another's, or of one that was found lying;
    SignatureError for one that its key did not sign, Expired, InvalidInput.
    """
    whose = partial(_whose, history)
    checked = [_authority(pem, now, whose) for pem in answer.ca_certificates]
    members = {member for _, member in checked}
    if seat is not None and members != {seat}:
        raise SubjectMismatch(f"where {seat} is expected, {', '.join(sorted(members))} answered")
    return Trust(history, tuple(pem for pem, _ in checked), tuple(sorted(members)))


def stranger(answer: GenesisAnswer, now: datetime) -> tuple[str, PublicKey]:
    """The one authority of somebody who may have no seat, and the key that signed it.

    That whoever answers holds that key, a connection says that is verified with the authority.
    Raises SignatureError, Expired, InvalidInput.
    """
    if len(answer.ca_certificates) != 1:
        raise InvalidInput("must be one", field="caCertificates")
    return _authority(answer.ca_certificates[0], now, _identity)


def _authority(pem: str, now: datetime, told: Callable[[PublicKey], T]) -> tuple[str, T]:
    """The certificate in canonical PEM, so that nothing beside it reaches the TLS library; and what
    ``told`` says of its key."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
        if len(certificates) != 1 or pem.count("-----BEGIN") != 1:
            raise InvalidInput("must hold exactly one certificate", field="caCertificates[]")
        certificate = certificates[0]
        found = told(accept(certificate.public_key()))
        _check_authority(certificate, now)
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType) as error:
        raise InvalidInput(f"is not a certificate: {error}", field="caCertificates[]") from None
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), found


def _identity(key: PublicKey) -> PublicKey:
    if not isinstance(key.key, ed25519.Ed25519PublicKey):
        raise InvalidInput("must be of an Ed25519 key", field="caCertificates[]")
    return key


def _whose(history: History, key: PublicKey) -> str:
    standing = history.standing(history.head).items()
    member = next((name for name, held in standing if material_of(held) == key.key_id), None)
    if member is None:
        raise SubjectMismatch(f"authority has key {key.key_id}, which is no member's")
    return member


def _check_authority(certificate: x509.Certificate, now: datetime) -> None:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError, ValueError):
        raise SignatureError("authority is not signed by its own key") from None
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Expired("authority is outside the time in which it counts")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise EvidenceError("authority may not sign certificates") from None
    if not constraints.ca:
        raise EvidenceError("authority may not sign certificates")
