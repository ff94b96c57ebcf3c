"""Keyless signatures: a short-lived certificate, a log's proof, and one signature.

The library checks chain, certificate timestamp, log entry and signature; here the issuer is
compared in both places it may stand, the authority's time in the trusted root is held to, and every
timestamp must be good.
"""

import base64
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.trustroot import v1 as trustroot

from quorate.errors import InvalidInput, SignatureError
from quorate_sigstore import timestamp

_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


class _Exactly:
    """The one identity, from the one issuer."""

    def __init__(self, identity: str, issuer: str) -> None:
        self._identity = policy.Identity(identity=identity)
        self._issuers = {
            _ISSUER_V1: policy.OIDCIssuer(issuer),
            _ISSUER_V2: policy.OIDCIssuerV2(issuer),
        }

    def verify(self, cert: x509.Certificate) -> None:
        """Raise the library's VerificationError unless all of it holds."""
        self._identity.verify(cert)
        present = {extension.oid for extension in cert.extensions} & set(self._issuers)
        if not present:
            raise SignatureError("the certificate names no issuer", field="certificate")
        for oid in present:
            self._issuers[oid].verify(cert)


def verify(
    bundle: bytes, message: bytes | None, trusted_root: str, identity: str, issuer: str
) -> datetime:
    """Verify a bundle; returns when the log or a timestamp authority saw it. Raises on failure."""
    root = _root(trusted_root)
    parsed = Bundle.from_json(bundle)
    if message is None:
        root.verifier.verify_dsse(parsed, _Exactly(identity, issuer))
    else:
        root.verifier.verify_artifact(message, parsed, _Exactly(identity, issuer))
    times = _times(bundle, root)
    root.check_authority(parsed.signing_certificate, times)
    return max(times)


class _Root:
    """A trusted root, read once."""

    def __init__(self, text: str) -> None:
        self._inner = trustroot.TrustedRoot.from_json(text)
        self.root = TrustedRoot(self._inner)
        self.verifier = Verifier(trusted_root=self.root)

    def timestamp_authorities(self) -> list[list[bytes]]:
        """The chains of timestamp authorities, in DER."""
        return [_chain(authority) for authority in self._inner.timestamp_authorities]

    def check_authority(self, leaf: x509.Certificate, times: list[datetime]) -> None:
        """Raise SignatureError unless the leaf's authority was in use at each of the times.

        The library trusts every authority of the root at any time its own certificate allows.
        """
        for authority in self._inner.certificate_authorities:
            issuer = x509.load_der_x509_certificate(_chain(authority)[0])
            start, end = authority.valid_for.start, authority.valid_for.end
            if _issued(leaf, issuer) and all(
                (start is None or start <= time) and (end is None or time <= end) for time in times
            ):
                return
        raise SignatureError("the authority was not in use when it was signed", field="certificate")


def _issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    """By its key: an authority and the one that follows it may bear one name."""
    try:
        leaf.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _chain(authority: Any) -> list[bytes]:
    return [certificate.raw_bytes for certificate in authority.cert_chain.certificates]


@lru_cache(maxsize=16)
def _root(text: str) -> _Root:
    try:
        return _Root(text)
    except Exception as error:
        raise InvalidInput(f"is not a Sigstore trusted root: {error}"[:300]) from None


def _times(bundle: bytes, root: _Root) -> list[datetime]:
    """When it was seen, by what :func:`verify` has verified, and by every timestamp it holds."""
    document = json.loads(bundle)
    material = document["verificationMaterial"]
    entry = material["tlogEntries"][0]
    times = []
    if "inclusionPromise" in entry and "integratedTime" in entry:
        times.append(datetime.fromtimestamp(int(entry["integratedTime"]), tz=UTC))
    stamps = (material.get("timestampVerificationData") or {}).get("rfc3161Timestamps", [])
    if stamps:
        content = document.get("messageSignature") or document["dsseEnvelope"]["signatures"][0]
        signature = base64.b64decode(content.get("signature") or content["sig"])
        times += [
            _timestamp(base64.b64decode(s["signedTimestamp"]), signature, root) for s in stamps
        ]
    if not times:
        raise SignatureError("nobody trusted says when it was signed", field="tlogEntries")
    return times


def _timestamp(response: bytes, signature: bytes, root: _Root) -> datetime:
    failure: Exception = SignatureError("the trusted root has no timestamp authority")
    for authority in root.timestamp_authorities():
        try:
            return timestamp.verify(response, signature, authority)
        except Exception as error:
            failure = error
    raise failure
