"""Serving certificates from files: replaced while serving, kept when the files are bad."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.errors import InvalidInput
from quorate_io import tls
from quorate_io.authority import issue_leaf, make_authority
from quorate_io.tls import ServingCertificate, client_context

KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = make_authority("root", KEY, not_before=datetime(2020, 1, 1, tzinfo=UTC))
ROOT_PEM = ROOT.public_bytes(serialization.Encoding.PEM).decode()
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = make_authority("other", OTHER_KEY, not_before=datetime(2020, 1, 1, tzinfo=UTC))


class Files:
    """A certificate and a key file, replaced as a kubelet would."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.renew()

    def renew(self, *names: str) -> None:
        """Write a new pair."""
        life = timedelta(hours=1)
        leaf = issue_leaf(ROOT, KEY, names or ("localhost",), now=datetime.now(UTC), life=life)
        self.certificate.write_bytes(leaf.certificate_pem)
        self.key.write_bytes(leaf.key_pem)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A good pair."""
    return Files(tmp_path)


async def served(context: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Serial number of the certificate a client sees; raises what its handshake raises."""
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="localhost"
        )
        serial = str(writer.get_extra_info("peercert")["serialNumber"])
        writer.close()
        return serial


async def another(context: ssl.SSLContext, client: ssl.SSLContext, first: str) -> bool:
    """Whether another certificate than ``first`` is served within five seconds."""
    for _ in range(500):
        if await served(context, client) != first:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_replaced_certificate_is_served(files: Files) -> None:
    """New connections see the new one as soon as it is reloaded, not before."""
    serving, client = ServingCertificate(files.certificate, files.key), client_context([ROOT_PEM])
    first = await served(serving.context, client)
    assert not serving.reload()
    files.renew()
    assert await served(serving.context, client) == first
    assert serving.reload()
    assert await served(serving.context, client) != first


async def test_the_watch_reloads(files: Files) -> None:
    """Without anybody asking."""
    serving, client = ServingCertificate(files.certificate, files.key), client_context([ROOT_PEM])
    first = await served(serving.context, client)
    watch = asyncio.create_task(serving.watch(0.01))
    files.renew()
    assert await another(serving.context, client, first)
    watch.cancel()


async def test_a_bad_pair_keeps_the_good_one(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    """A key of another certificate, an empty or missing file: logged, and the old one serves."""
    serving, client = ServingCertificate(files.certificate, files.key), client_context([ROOT_PEM])
    first = await served(serving.context, client)
    good_key = files.key.read_bytes()
    files.renew()
    new_key = files.key.read_bytes()
    for key in (good_key, b"", b"x" * 70_000):
        files.key.write_bytes(key)
        with pytest.raises(InvalidInput):
            serving.reload()
    files.key.unlink()
    watch = asyncio.create_task(serving.watch(0.01))
    await asyncio.sleep(0.05)
    assert await served(serving.context, client) == first
    assert "kept" in caplog.text
    files.key.write_bytes(new_key)
    assert await another(serving.context, client, first)
    watch.cancel()


def test_a_server_without_a_certificate_does_not_start(tmp_path: Path) -> None:
    """Missing files are an error at the start."""
    with pytest.raises(InvalidInput, match="cannot be read"):
        ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")


async def test_a_client_trusts_exactly_its_authorities(files: Files) -> None:
    """Another authority, another name or an old protocol: no connection."""
    serving = ServingCertificate(files.certificate, files.key)
    other = OTHER.public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(ssl.SSLCertVerificationError):
        await served(serving.context, client_context([other]))
    files.renew("elsewhere")
    serving.reload()
    with pytest.raises(ssl.SSLCertVerificationError):
        await served(serving.context, client_context([ROOT_PEM]))
    old = tls.unverified_context()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await served(serving.context, old)


def test_the_key_touches_no_disk(files: Files, tmp_path: Path) -> None:
    """Using a pair leaves no file behind and no descriptor open."""
    before = set(tmp_path.iterdir()), len(list(Path("/proc/self/fd").iterdir()))
    context = tls.server_context()
    tls.use_certificate(context, files.certificate.read_bytes(), files.key.read_bytes())
    after = set(tmp_path.iterdir()), len(list(Path("/proc/self/fd").iterdir()))
    assert before == after
