"""The signers a policy accepts, read from what people wrote."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from cryptography import x509

from quorate.api.v1alpha1.signers import CertificateIdentity, Signers
from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.evidence.signatures import CertificateSigner, KeylessSigner, SignerSet
from quorate.evidence.signatures.certificate import load_authorities, load_certificates
from quorate.keys import PublicKey, load_public_key

T = TypeVar("T")


def signer_set(signers: Signers, where: str) -> SignerSet:
    """Read keys, certificates and roots. Raises InvalidInput naming the field below ``where``."""
    keys: dict[PublicKey, None] = {}
    for named in signers.keys:
        keys[_at(f"{where}.keys[{named.name}]", partial(load_public_key, named.public_key))] = None
    if signers.trusted_root is not None:
        root = signers.trusted_root.encode("utf-8")
        _at(f"{where}.trustedRoot", lambda: parse_object(root, what="trusted root"))
    found = SignerSet(
        keys=tuple(keys),
        certificates=tuple(
            _certificate(identity, f"{where}.certificates[{identity.name}]")
            for identity in signers.certificates
        ),
        keyless=tuple(KeylessSigner(k.name, k.identity, k.issuer) for k in signers.keyless),
        trusted_root=signers.trusted_root or "",
        threshold=signers.threshold,
    )
    if found.keyless and not found.trusted_root:
        raise InvalidInput("must be set for keyless signers", field=f"{where}.trustedRoot")
    if signers.threshold > found.size:
        raise InvalidInput(
            f"must not exceed the number of different signers ({found.size})",
            field=f"{where}.threshold",
        )
    _at(where, found.check)
    return found


def _certificate(identity: CertificateIdentity, where: str) -> CertificateSigner:
    names = (identity.subject_alternative_name, identity.common_name)
    if (names[0] is None) == (names[1] is None):
        raise InvalidInput(
            "must name exactly one of subjectAlternativeName and commonName", field=where
        )
    stamps: tuple[x509.Certificate, ...] = ()
    if identity.timestamp_authority is not None:
        pem = identity.timestamp_authority
        stamps = _at(f"{where}.timestampAuthority", lambda: load_certificates(pem))
    return CertificateSigner(
        name=identity.name,
        authorities=_at(f"{where}.ca", lambda: load_authorities(identity.ca)),
        subject_alternative_name=names[0] or "",
        common_name=names[1] or "",
        timestamp_authority=stamps,
    )


def _at(where: str, read: Callable[[], T]) -> T:
    """What ``read`` gives; its InvalidInput with the place in the policy."""
    try:
        return read()
    except InvalidInput as error:
        raise InvalidInput(error.message, field=where) from None
