"""sign by certificate, verify by every method, and what explain says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.evidence.model_signing import read_manifest, sign_model, statement_of
from quorate.keys import PublicKey, accept
from quorate_io.clock import SystemClock
from tests.fakes.authorities import DAY, Authority, Usage, pem
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.unit.cli.conftest import Quorate

NOW = SystemClock().now().replace(microsecond=0)
ROOT = Authority("Root", not_before=NOW - 900 * DAY, not_after=NOW + 900 * DAY)
SAN = x509.RFC822Name("signer@example.com")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(pem(ROOT.certificate))
    return path


def certified(folder: Path, **details: Any) -> tuple[Path, Path]:
    """A key and its certificate as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    times = {"not_before": NOW - DAY, "not_after": NOW + DAY} | details
    (folder / "signer.pem").write_text(pem(ROOT.issue(key, SAN, **times)))
    (folder / "signer.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "signer.key", folder / "signer.pem"


@pytest.mark.requirement("quorate sign and verify by certificate")
def test_sign_and_verify_by_certificate(
    quorate: Quorate, model: Path, authority: Path, tmp_path: Path
) -> None:
    """What a certificate signed verifies by authority and name, and by no other name."""
    key, certificate = certified(tmp_path)
    out = tmp_path / "bundle.json"
    ran = quorate("sign", model, "--key", key, "--certificate", certificate, "--out", out)
    assert ran.code == 0, ran.err
    assert "certificate:" in ran.out
    line = ("verify", model, "--bundle", out, "--ca", authority, "--san")
    good = quorate(*line, SAN.value, "--output", "json")
    assert good.code == 0, good.out
    assert good.document["signatures"][0]["method"] == "certificate"
    assert quorate(*line, "other@example.com").code == 1
    (model / "added").write_text("x")
    assert quorate(*line, SAN.value).code == 1


def test_an_expired_certificate_is_denied(
    quorate: Quorate, model: Path, authority: Path, tmp_path: Path
) -> None:
    """verify judges by the time of day."""
    key, certificate = certified(tmp_path, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    out = tmp_path / "bundle.json"
    quorate("sign", model, "--key", key, "--certificate", certificate, "--out", out)
    ran = quorate("verify", model, "--bundle", out, "--ca", authority, "--san", SAN.value)
    assert ran.code == 1
    assert "vouches" in ran.out


def test_certificates_that_cannot_sign_are_refused_before_the_work(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path
) -> None:
    """Another key's certificate, a server's, or no certificate at all: exit code 2, no bundle."""
    (tmp_path / "other").mkdir()
    own, server = certified(tmp_path, usage=Usage(digital_signature=False))
    _, others = certified(tmp_path / "other")
    out = tmp_path / "bundle.json"
    for signing, certificate in ((own, server), (own, own), (key, others)):
        ran = quorate("sign", model, "--key", signing, "--certificate", certificate, "--out", out)
        assert ran.code == 2, ran.out
        assert not out.exists()


@pytest.mark.requirement("quorate verify with a keyless signature, offline")
def test_verify_keyless(quorate: Quorate, model: Path, bundle: Path, tmp_path: Path) -> None:
    """Identity, issuer and trusted root are given; each must match."""
    instance = Instance()
    instance.authority = Authority("Sigstore", not_before=NOW - 900 * DAY)
    payload = statement_of(read_manifest(bundle.read_bytes()), "demo").encode()
    signed = tmp_path / "keyless.json"
    signed.write_text(json.dumps(instance.sign(payload, at=NOW - 30 * DAY)))
    root = tmp_path / "root.json"
    root.write_text(instance.trusted_root)
    line = ("verify", model, "--bundle", signed, "--trusted-root", root, "--issuer", ISSUER)
    ran = quorate(*line, "--identity", IDENTITY)
    assert ran.code == 0, ran.out + ran.err
    assert f"keyless:     {IDENTITY}" in ran.out
    assert quorate(*line, "--identity", IDENTITY + "x").code == 1


INCOMPLETE = {
    "nobody": (),
    "name without authority": ("--san", "a@example.com"),
    "identity alone": ("--identity", "a@example.com"),
    "authority alone": ("--ca", "ca.pem", "--key", "x"),
}


@pytest.mark.parametrize("options", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_incomplete_options_are_wrong_usage(
    quorate: Quorate, model: Path, bundle: Path, options: tuple[str, ...]
) -> None:
    """Half of what names a signer is a mistake, not a denial."""
    assert quorate("verify", model, "--bundle", bundle, *options).code == 2


@pytest.mark.requirement("sharded digests only where they are accepted")
def test_shards_on_the_command_line(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path
) -> None:
    """sign hashes in shards; verify takes them only if told to."""
    out = tmp_path / "bundle.json"
    size = "65536"
    assert quorate("sign", model, "--key", key, "--shard-size", size, "--out", out).code == 0
    line = ("verify", model, "--bundle", out, "--key", key.with_suffix(".pub"))
    assert quorate(*line, "--shard-size", size).code == 0
    assert quorate(*line).code == 1
    small = quorate("sign", model, "--key", key, "--shard-size", "10", "--out", out)
    assert small.code == 2


class Remote:
    """A signer whose key is elsewhere, as a KMS's or a token's would be."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> PublicKey:
        return accept(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.requirement("keys behind one Signer port")
def test_any_signer_signs_a_model(
    quorate: Quorate, model: Path, bundle: Path, tmp_path: Path
) -> None:
    """A bundle needs a public key and a signature, not a private key's file."""
    remote = Remote()
    signed = tmp_path / "remote.json"
    signed.write_bytes(sign_model(read_manifest(bundle.read_bytes()), "demo", remote))
    public = tmp_path / "remote.pub"
    public.write_text(remote.public_key.pem)
    assert quorate("verify", model, "--bundle", signed, "--key", public).code == 0
