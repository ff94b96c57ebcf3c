"""keygen: what it writes, and that it never overwrites."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.errors import InvalidInput
from quorate.keys import load_public_key, load_signer
from tests.unit.cli.conftest import Quorate


def test_keys_are_a_pair_and_the_private_one_is_secret(quorate: Quorate, tmp_path: Path) -> None:
    """The private key is readable by its owner only, and belongs to the public key."""
    ran = quorate("keygen", "--out", tmp_path / "a.b", "--output", "json")
    private, public = tmp_path / "a.b.key", tmp_path / "a.b.pub"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    signer = load_signer(private.read_bytes())
    assert signer.public_key == load_public_key(public.read_text())
    assert ran.document["keyId"] == signer.public_key.key_id
    assert "PRIVATE" not in ran.out


@pytest.mark.parametrize("end", [".key", ".pub"])
def test_existing_files_are_never_overwritten(quorate: Quorate, tmp_path: Path, end: str) -> None:
    """If either file exists, nothing is written at all."""
    (tmp_path / f"k{end}").write_text("mine")
    ran = quorate("keygen", "--out", tmp_path / "k")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_password_encrypts_the_private_key(quorate: Quorate, tmp_path: Path) -> None:
    """With a password file the key opens with that password only; the line's end is no part."""
    (tmp_path / "password").write_text("correct horse\n")
    ran = quorate("keygen", "--out", tmp_path / "k", "--password-file", tmp_path / "password")
    assert ran.code == 0
    pem = (tmp_path / "k.key").read_bytes()
    load_signer(pem, b"correct horse")
    for password in (None, b"wrong"):
        with pytest.raises(InvalidInput):
            load_signer(pem, password)


def test_empty_password_is_refused(quorate: Quorate, tmp_path: Path) -> None:
    """An empty password file must not quietly mean an unencrypted key."""
    (tmp_path / "password").write_text("\n")
    ran = quorate("keygen", "--out", tmp_path / "k", "--password-file", tmp_path / "password")
    assert ran.code == 2
    assert not (tmp_path / "k.key").exists()


def test_a_members_key_is_of_the_kind_that_members_start_with(
    quorate: Quorate, tmp_path: Path
) -> None:
    """Ed25519, and never encrypted: a member has nobody to ask for a password."""
    assert quorate("keygen", "--member", "--out", tmp_path / "m").code == 0
    signer = load_signer((tmp_path / "m.key").read_bytes())
    assert isinstance(signer.public_key.key, ed25519.Ed25519PublicKey)
    (tmp_path / "password").write_text("x")
    both = ("--member", "--password-file", tmp_path / "password")
    assert quorate("keygen", "--out", tmp_path / "n", *both).code == 2
