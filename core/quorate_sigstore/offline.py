"""The port's implementation: late loading, and every failure a refusal."""

from collections.abc import Sequence
from datetime import datetime

from quorate.errors import QuorateError, SignatureError, Unavailable


class OfflineSigstore:
    """Verifies with the Sigstore client library and what it is handed; opens no connection."""

    def verify_keyless(
        self, bundle: bytes, message: bytes | None, trusted_root: str, identity: str, issuer: str
    ) -> datetime:
        """See :meth:`quorate.ports.Sigstore.verify_keyless`."""
        try:
            from quorate_sigstore import keyless

            return keyless.verify(bundle, message, trusted_root, identity, issuer)
        except QuorateError:
            raise
        except ImportError as error:
            raise _not_installed(error) from None
        except Exception as error:
            raise _refused(error) from None

    def verify_timestamp(
        self, response: bytes, signature: bytes, authority: Sequence[bytes]
    ) -> datetime:
        """See :meth:`quorate.ports.Sigstore.verify_timestamp`."""
        try:
            from quorate_sigstore import timestamp

            return timestamp.verify(response, signature, authority)
        except QuorateError:
            raise
        except ImportError as error:
            raise _not_installed(error) from None
        except Exception as error:
            raise _refused(error) from None


def _not_installed(error: ImportError) -> Unavailable:
    return Unavailable(f"the Sigstore client cannot be loaded: {error}")


def _refused(error: Exception) -> SignatureError:
    """Whatever goes wrong inside the library is a signature that does not count."""
    text = str(error) or type(error).__name__
    return SignatureError(f"Sigstore: {text[:300]}", field="bundle")
