"""TLS contexts: what a client trusts, and a server's certificate that is replaced while it serves.

Replacing the certificate of a live context changes new handshakes only; connections that are open
keep theirs, so that a rotation fails no request.
"""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from quorate.errors import InvalidInput

PEM_FILE_BYTES = 65_536
RELOAD_SECONDS = 10.0
"""How often certificate files are compared. A kubelet takes up to a minute to renew them anyway."""
_PROTOCOLS = ["http/1.1"]

log = logging.getLogger(__name__)


def server_context() -> ssl.SSLContext:
    """A server's context without a certificate yet. TLS 1.3 only: both ends are current."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(_PROTOCOLS)
    return context


def client_context(authority_pems: Iterable[str]) -> ssl.SSLContext:
    """A client's context that trusts exactly these authorities and checks the server's name."""
    context = _client()
    context.load_verify_locations(cadata="\n".join(authority_pems))
    return context


def unverified_context() -> ssl.SSLContext:
    """A client's context that believes any server: only for what is public and checked itself."""
    context = _client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(_PROTOCOLS)
    return context


def use_certificate(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    """Serve with this certificate from now on. Raises InvalidInput if the two are not a pair.

    Call it from the thread of the event loop: a handshake must not begin between the two.
    """
    try:
        # The pair is tried first, because a failure half-way would leave the live context without.
        for target in (server_context(), context):
            with _in_memory(certificate_pem + b"\n" + key_pem) as path:
                target.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        raise InvalidInput(f"certificate and key cannot be used: {error}") from None


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path that reads ``data`` and never touches a disk: root file systems are read-only."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class ServingCertificate:
    """A server's certificate and key in two files, and the context that follows them.

    Raises InvalidInput at construction if they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = server_context()
        self._paths = (certificate, key)
        self._loaded: tuple[bytes, ...] = ()
        self.reload()

    def reload(self) -> bool:
        """Use the files if they changed; True if they did. On InvalidInput the old pair stays."""
        found = tuple(_read(path) for path in self._paths)
        if found == self._loaded:
            return False
        use_certificate(self.context, *found)
        self._loaded = found
        return True

    async def watch(self, period: float = RELOAD_SECONDS) -> None:
        """Reload for ever, every ``period`` seconds. What cannot be used is logged, and waits."""
        while True:
            await asyncio.sleep(period)
            try:
                if self.reload():
                    log.info("serving certificate replaced: %s", self._paths[0])
            except InvalidInput as error:
                log.error("serving certificate kept, its files cannot be used: %s", error)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(PEM_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    if len(data) > PEM_FILE_BYTES:
        raise InvalidInput(f"has more than {PEM_FILE_BYTES} bytes", field=str(path))
    return data
