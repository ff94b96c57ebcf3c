"""sign: the strict layer around the library."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.errors import SignatureError
from quorate.evidence import model_signing
from quorate.evidence.image_signing import ImageSignature, verify_image
from quorate.evidence.model_signing import Accepted
from quorate.evidence.signatures import SignerSet
from quorate.keys import load_public_key
from quorate_cli.commands import sign
from tests.unit.cli.conftest import Quorate


def test_bundle_lists_every_file(bundle: Path, key: Path) -> None:
    """The bundle verifies with the public key and lists the model's files, ignoring none."""
    public = load_public_key(key.with_suffix(".pub").read_text())
    signed = model_signing.verify_bundle(
        bundle.read_bytes(), SignerSet((public,)), accepted=Accepted(ignore_paths=())
    )
    assert sorted(signed.manifest.files) == ["config.json", "weights/model.safetensors"]


@pytest.mark.requirement("files under .git are signed like any other")
def test_git_files_are_signed(quorate: Quorate, model: Path, key: Path, tmp_path: Path) -> None:
    """What the library would leave out is part of the model here."""
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("x")
    ran = quorate("sign", model, "--key", key, "--out", tmp_path / "b", "--output", "json")
    assert ran.document["files"] == 3
    public = load_public_key(key.with_suffix(".pub").read_text())
    signed = model_signing.verify_bundle((tmp_path / "b").read_bytes(), SignerSet((public,)))
    assert ".git/config" in signed.manifest.files


def symlink(model: Path) -> None:
    (model / "link").symlink_to("config.json")


def pipe(model: Path) -> None:
    os.mkfifo(model / "pipe")


def twins(model: Path) -> None:
    (model / "Config.json").write_text("")


def control(model: Path) -> None:
    (model / "a\rb").write_text("")


def emptied(model: Path) -> None:
    (model / "config.json").unlink()
    (model / "weights" / "model.safetensors").unlink()


@pytest.mark.requirement("a model that cannot be read in one way only is not signed")
@pytest.mark.parametrize("spoil", [symlink, pipe, twins, control, emptied])
def test_ambiguous_models_are_not_signed(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Links, special files, bad or colliding names and empty models: exit code 2, no bundle."""
    spoil(model)
    ran = quorate("sign", model, "--key", key, "--out", tmp_path / "b")
    assert ran.code == 2
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("place", ["bundle.json", "weights/bundle.json"])
def test_bundle_inside_the_model_is_refused(
    quorate: Quorate, model: Path, key: Path, place: str
) -> None:
    """A bundle inside the directory would be an unsigned file of the model."""
    ran = quorate("sign", model, "--key", key, "--out", model / place)
    assert ran.code == 2
    assert "must be outside" in ran.err
    assert not (model / place).exists()


def test_bundle_inside_the_model_through_a_link_is_refused(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path
) -> None:
    """Another way to the same directory is still inside."""
    (tmp_path / "elsewhere").symlink_to(model)
    ran = quorate("sign", model, "--key", key, "--out", tmp_path / "elsewhere" / "b")
    assert ran.code == 2
    assert not (model / "b").exists()


def test_encrypted_key_signs_with_its_password(
    quorate: Quorate, model: Path, tmp_path: Path
) -> None:
    """The password file opens the key; without it, signing stops with bad input."""
    (tmp_path / "password").write_text("secret")
    password = ("--password-file", tmp_path / "password")
    quorate("keygen", "--out", tmp_path / "k", *password)
    line = ("sign", model, "--key", tmp_path / "k.key", "--out", tmp_path / "b")
    assert quorate(*line).code == 2
    assert quorate(*line, *password).code == 0


def test_ed25519_key_is_refused_before_hashing(
    quorate: Quorate, model: Path, tmp_path: Path
) -> None:
    """A kind of key that the library cannot sign with is named as such."""
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "k").write_bytes(pem)
    ran = quorate("sign", model, "--key", tmp_path / "k", "--out", tmp_path / "b")
    assert ran.code == 2
    assert "ECDSA" in ran.err


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 100, b"x" * 10_000])
def test_bad_key_file_is_named(
    quorate: Quorate, model: Path, tmp_path: Path, content: bytes
) -> None:
    """An unusable key file is bad input, and the error names the file."""
    (tmp_path / "k").write_bytes(content)
    ran = quorate("sign", model, "--key", tmp_path / "k", "--out", tmp_path / "b")
    assert ran.code == 2
    assert str(tmp_path / "k") in ran.err


@pytest.mark.parametrize("out", ["missing/b", "."])
def test_unwritable_target_is_refused_before_hashing(
    quorate: Quorate,
    model: Path,
    key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
) -> None:
    """Hours of hashing must not end in a missing directory."""

    def measured(*_: object, **__: object) -> None:
        raise AssertionError("hashed first")

    monkeypatch.setattr(sign, "measure_directory", measured)
    assert quorate("sign", model, "--key", key, "--out", tmp_path / out).code == 2


def test_a_bundle_for_other_files_is_not_written(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed is compared with what was hashed before anything is written."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    quorate("sign", other, "--key", key, "--out", tmp_path / "other.bundle")
    wrong = (tmp_path / "other.bundle").read_bytes()
    monkeypatch.setattr(sign, "sign_model", lambda *_: wrong)
    ran = quorate("sign", model, "--key", key, "--out", tmp_path / "b")
    assert ran.code == 2
    assert not (tmp_path / "b").exists()


def test_signing_again_replaces_the_bundle(
    quorate: Quorate, model: Path, key: Path, bundle: Path
) -> None:
    """A bundle is replaced whole, and no temporary file stays behind."""
    (model / "config.json").write_text("{}")
    before = json.loads(bundle.read_bytes())
    assert quorate("sign", model, "--key", key, "--out", bundle).code == 0
    assert json.loads(bundle.read_bytes()) != before
    assert [path for path in bundle.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
def test_an_image_is_signed_by_its_digest(quorate: Quorate, key: Path, tmp_path: Path) -> None:
    """What cosign writes, and what a policy that names the key finds signed."""
    digest, out = f"sha256:{'a' * 64}", tmp_path / "image.json"
    image = f"registry.example.com/serving/vllm@{digest}"
    ran = quorate("sign", "--image", image, "--key", key, "--out", out, "--output", "json")
    assert ran.document["image"] == digest
    signers = SignerSet((load_public_key(key.with_suffix(".pub").read_text()),))
    found = [ImageSignature(bundle=out.read_bytes())]
    assert verify_image(found, digest, signers).problems == ()
    with pytest.raises(SignatureError):
        verify_image(found, f"sha256:{'b' * 64}", signers)


@pytest.mark.parametrize("image", ["vllm:latest", "registry.example.com/vllm", "sha256:abc"])
def test_a_tag_is_no_image(quorate: Quorate, key: Path, tmp_path: Path, image: str) -> None:
    """Only what cannot change under its name is signed."""
    ran = quorate("sign", "--image", image, "--key", key, "--out", tmp_path / "b")
    assert ran.code == 2
    assert not (tmp_path / "b").exists()


def test_shards_are_no_matter_of_an_image(quorate: Quorate, key: Path, tmp_path: Path) -> None:
    """An option that would do nothing is refused; so are a model and an image at once."""
    common = ["--image", f"sha256:{'a' * 64}", "--key", key, "--out", tmp_path / "b"]
    ran = quorate("sign", *common, "--shard-size", "65536")
    assert (ran.code, "--shard-size" in ran.err) == (2, True)
    assert quorate("sign", tmp_path, *common).code == 2
