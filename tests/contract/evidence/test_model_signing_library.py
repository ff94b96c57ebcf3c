"""The reference library and this project, on the same models.

What the library signs with its defaults verifies here, and what is signed here verifies there. Then
the cases in which this project is stricter: each first shows that the library accepts it.
"""

import base64
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying

from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.model_signing import SignedModel, verify_bundle
from quorate.evidence.signatures import SignerSet
from quorate.keys import accept
from quorate.manifest import Manifest
from quorate_cli.__main__ import main
from quorate_io.measuring import measure_directory

CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}


class Keys:
    """A key pair on disk."""

    def __init__(self, folder: Path, curve: ec.EllipticCurve) -> None:
        self.private = folder / "owner.key"
        self.public = folder / "owner.pub"
        key = ec.generate_private_key(curve)
        self.private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        self.raw = key

    @property
    def accepted(self) -> SignerSet:
        return SignerSet((accept(self.raw.public_key()),))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path, ec.SECP256R1())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with folders whose names sort differently by path and by string."""
    root = tmp_path / "demo"
    for name, data in {
        "config.json": b"{}",
        "a/x": b"1",
        "a-b/x": b"2",
        "a.txt": b"3",
        "weights/model.safetensors": bytes(range(256)) * 50,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def library_signs(model: Path, keys: Keys, config: hashing.Config | None = None) -> bytes:
    """Sign with the library, by default with its defaults."""
    out = keys.private.with_name("library.sig")
    signer = signing.Config()  # type: ignore[no-untyped-call]
    if config is not None:
        signer.set_hashing_config(config)
    signer.use_elliptic_key_signer(private_key=keys.private).sign(model, out)
    return out.read_bytes()


def library_accepts(model: Path, bundle: bytes, keys: Keys) -> bool:
    """Whether the library verifies the model as its own documentation shows."""
    path = keys.private.with_name("to-verify.sig")
    path.write_bytes(bundle)
    verifier = verifying.Config()  # type: ignore[no-untyped-call]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            verifier.use_elliptic_key_verifier(public_key=keys.public).verify(model, path)
    except Exception:  # the library raises whatever its parts raise
        return False
    return True


def measured(model: Path) -> Manifest:
    return measure_directory(model, workers=2, progress=lambda done, total: None)


def verifies(model: Path, bundle: bytes, keys: Keys) -> bool:
    """Whether this project takes the directory for what was signed."""
    try:
        signed = verify_bundle(bundle, keys.accepted)
        return measured(model).digest == signed.manifest.digest
    except QuorateError:
        return False


@pytest.mark.requirement("bundles by the model-signing library verify")
@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_library_s_bundle_verifies_here(model: Path, tmp_path: Path, curve: str) -> None:
    """A bundle written with the library's defaults outside the directory is accepted."""
    keys = Keys(tmp_path, CURVES[curve])
    bundle = library_signs(model, keys)
    assert library_accepts(model, bundle, keys)
    signed: SignedModel = verify_bundle(bundle, keys.accepted)
    assert signed.manifest.digest == measured(model).digest
    subject = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))["subject"]
    assert subject[0]["digest"]["sha256"] == signed.manifest.oms_root


@pytest.mark.requirement("`quorate sign` writes OMS bundles that the library verifies")
@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_our_bundle_verifies_in_the_library(model: Path, tmp_path: Path, curve: str) -> None:
    """What `quorate sign` writes is an OMS bundle for everyone else too."""
    keys = Keys(tmp_path, CURVES[curve])
    out = tmp_path / "ours.bundle"
    assert main(["sign", str(model), "--key", str(keys.private), "--out", str(out)]) == 0
    assert library_accepts(model, out.read_bytes(), keys)
    assert verifies(model, out.read_bytes(), keys)


def test_library_s_cli_and_ours_sign_the_same_files(model: Path, keys: Keys) -> None:
    """Both lists of files are one manifest, although the bundles differ."""
    out = keys.private.with_name("ours.bundle")
    main(["sign", str(model), "--key", str(keys.private), "--out", str(out)])
    ours = verify_bundle(out.read_bytes(), keys.accepted)
    theirs = verify_bundle(library_signs(model, keys), keys.accepted)
    assert ours.manifest.digest == theirs.manifest.digest


@pytest.mark.parametrize("spoil", ["byte", "added", "removed"])
def test_both_refuse_plain_tampering(model: Path, keys: Keys, spoil: str) -> None:
    """The control: what the library notices is noticed here."""
    bundle = library_signs(model, keys)
    if spoil == "byte":
        (model / "config.json").write_bytes(b"[]")
    elif spoil == "added":
        (model / "x.py").write_bytes(b"")
    else:
        (model / "a.txt").unlink()
    assert not library_accepts(model, bundle, keys)
    assert not verifies(model, bundle, keys)


GIT_FILES: dict[str, Callable[[Path], Path]] = {
    ".git/hooks/run": lambda root: root / ".git" / "hooks" / "run",
    ".github/x": lambda root: root / ".github" / "x",
    ".gitignore": lambda root: root / ".gitignore",
    ".gitattributes": lambda root: root / ".gitattributes",
}


@pytest.mark.requirement("files added under .git after signing are refused")
@pytest.mark.parametrize("place", GIT_FILES.values(), ids=GIT_FILES.keys())
def test_git_files_added_later_are_refused_here(
    model: Path, keys: Keys, place: Callable[[Path], Path]
) -> None:
    """The library accepts files added under git's names; here every unlisted file fails."""
    bundle = library_signs(model, keys)
    place(model).parent.mkdir(parents=True, exist_ok=True)
    place(model).write_bytes(b"payload")
    assert library_accepts(model, bundle, keys)
    assert not verifies(model, bundle, keys)


@pytest.mark.requirement("an ignore list never excludes a file from measuring")
def test_ignored_paths_are_refused_here(model: Path, keys: Keys) -> None:
    """A signer that leaves out a file of the model is refused at the bundle already."""
    config = hashing.Config().set_ignored_paths(paths=["a.txt"])  # type: ignore[no-untyped-call]
    bundle = library_signs(model, keys, config)
    (model / "a.txt").write_bytes(b"other")
    assert library_accepts(model, bundle, keys)
    with pytest.raises(InvalidInput, match="ignore"):
        verify_bundle(bundle, keys.accepted)


def test_signature_inside_the_model_is_refused_here(model: Path, keys: Keys) -> None:
    """The library signs into the directory and ignores its own file; here it is one too many."""
    config = hashing.Config().set_ignored_paths(  # type: ignore[no-untyped-call]
        paths=[model / "model.sig"]
    )
    bundle = library_signs(model, keys, config)
    (model / "model.sig").write_bytes(bundle)
    assert library_accepts(model, bundle, keys)
    assert not verifies(model, bundle, keys)


@pytest.mark.requirement("the manifest digest binds file names")
def test_renamed_file_keeps_the_root_but_not_the_manifest(model: Path, keys: Keys) -> None:
    """Renaming within the order leaves the OMS subject digest the same: a statement about it could
    be carried over. The manifest digest changes, and measuring refuses."""
    bundle = library_signs(model, keys)
    before = measured(model)
    (model / "a.txt").rename(model / "a.txu")
    after = measured(model)
    value = json.loads(bundle)["dsseEnvelope"]["payload"]
    assert json.loads(base64.b64decode(value))["subject"][0]["digest"]["sha256"] == after.oms_root
    assert after.oms_root == before.oms_root
    assert after.digest != before.digest
    assert not verifies(model, bundle, keys)


@pytest.mark.requirement("P-521 and short RSA keys are refused")
def test_p521_is_refused_here(model: Path, tmp_path: Path) -> None:
    """The library signs with P-521; such a key does not count here."""
    keys = Keys(tmp_path, CURVES["P-521"])
    bundle = library_signs(model, keys)
    assert library_accepts(model, bundle, keys)
    with pytest.raises(InvalidInput, match="P-256 or P-384"):
        accept(keys.raw.public_key())


@pytest.mark.parametrize(
    "config",
    [
        hashing.Config().use_file_serialization(hashing_algorithm="blake3"),  # type: ignore[no-untyped-call]
        hashing.Config().use_file_serialization(hashing_algorithm="blake2"),  # type: ignore[no-untyped-call]
        hashing.Config().use_shard_serialization(shard_size=1000),  # type: ignore[no-untyped-call]
        hashing.Config().set_allow_symlinks(True),  # type: ignore[no-untyped-call]
    ],
    ids=["blake3", "blake2", "shards", "symlinks"],
)
def test_other_serializations_are_refused_here(
    model: Path, keys: Keys, config: hashing.Config
) -> None:
    """Other hashes, shards and followed links are true OMS, and not what is measured here."""
    bundle = library_signs(model, keys, config)
    with pytest.raises(InvalidInput):
        verify_bundle(bundle, keys.accepted)


def test_wrong_key_is_refused_by_both(model: Path, keys: Keys, tmp_path: Path) -> None:
    """Somebody else's signature verifies nowhere."""
    (tmp_path / "other").mkdir()
    other = Keys(tmp_path / "other", ec.SECP256R1())
    bundle = library_signs(model, other)
    assert not library_accepts(model, bundle, keys)
    with pytest.raises(SignatureError):
        verify_bundle(bundle, keys.accepted)


def resigned(bundle: bytes, keys: Keys, change: Callable[[dict[str, object]], object]) -> bytes:
    """The bundle with its statement changed and signed again by the same key."""
    value = json.loads(bundle)
    statement = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    message = dsse.pae("application/vnd.in-toto+json", payload)
    signature = keys.raw.sign(message, ec.ECDSA(hashes.SHA256()))
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    value["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(value).encode()


@pytest.mark.requirement("bad input: unknown fields in evidence are refused")
def test_unknown_fields_are_refused_here(model: Path, keys: Keys) -> None:
    """The library ignores what it does not know; here it may qualify what the rest says."""
    bundle = resigned(
        library_signs(model, keys), keys, lambda statement: statement.update(notBefore="2099")
    )
    assert library_accepts(model, bundle, keys)
    with pytest.raises(InvalidInput, match="unknown field"):
        verify_bundle(bundle, keys.accepted)


@pytest.mark.requirement("right signature, wrong type: another predicate never counts")
def test_older_predicate_is_refused_here(model: Path, keys: Keys) -> None:
    """The library still reads its experimental format, which lists files as subjects."""
    files = measured(model).files

    def older(statement: dict[str, object]) -> None:
        statement["predicateType"] = "https://model_signing/Digests/v0.1"
        statement["subject"] = [
            {"name": name, "digest": {"sha256": digest}} for name, digest in files.items()
        ]

    bundle = resigned(library_signs(model, keys), keys, older)
    assert library_accepts(model, bundle, keys)
    with pytest.raises(SubjectMismatch, match="predicateType"):
        verify_bundle(bundle, keys.accepted)
