"""A simple signing document and a signature over its bytes, kept apart from each other."""

from dataclasses import dataclass

from quorate.errors import SignatureError
from quorate.evidence import signatures
from quorate.evidence.signatures import Bundle, Context, Method, SignedBy, SignerSet


@dataclass(frozen=True, slots=True)
class Detached:
    """``chain`` is the signer's certificate first (DER), or empty for a signature by key."""

    payload: bytes
    signature: bytes
    chain: tuple[bytes, ...] = ()

    def verify(self, signers: SignerSet, context: Context | None) -> SignedBy:
        """Which of ``signers`` signed the payload. Raises SignatureError, InvalidInput."""
        if not self.signature:
            raise SignatureError("has neither a bundle nor a signature", field="signature")
        if not self.chain:
            return signatures.by_key(self.signature, self.payload, signers.keys)
        bundle = Bundle(Method.CERTIFICATE, None, self.signature, b"", self.chain, (), b"")
        return signatures.verify_message(bundle, self.payload, signers, context)
