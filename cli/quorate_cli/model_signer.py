"""An OMS bundle from a manifest that was measured already, by the reference library.

The library hashes by itself, leaves out git's files and follows its own idea of a model; so it is
handed the finished list instead. It is imported late: it takes a second to load.
"""

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from quorate.errors import InvalidInput, SignatureError, Unavailable
from quorate.manifest import Manifest
from quorate_cli.files import read_file


def sign_manifest(manifest: Manifest, name: str, key: Path, password: bytes | None) -> bytes:
    """The bundle over ``manifest`` for a model called ``name``, signed with the PEM file ``key``.

    Raises SignatureError if the library refuses, Unavailable if it is not installed.
    """
    try:
        from model_signing import signing
    except ImportError as error:
        raise Unavailable(
            f"model-signing cannot be imported: {error}", fix="pip install 'quorate[cli]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="quorate-sign-") as directory:
        out = Path(directory) / "bundle.json"
        try:
            config = signing.Config()  # type: ignore[no-untyped-call]
            config.set_hashing_config(_measured(manifest, name))
            # Annotated as text, but handed on to a function that takes bytes only.
            config.use_elliptic_key_signer(private_key=key, password=password)  # type: ignore[arg-type]
            config.sign(Path(name), out)
        except (ValueError, TypeError, AttributeError, OSError) as error:
            raise SignatureError(f"the model-signing library refused: {error}") from None
        return read_file(out)


def _measured(manifest: Manifest, name: str) -> Any:
    """A hashing configuration of the library whose result is known."""
    from model_signing import hashing
    from model_signing import manifest as oms
    from model_signing._hashing.hashing import Digest

    items = [
        oms.FileManifestItem(
            path=PurePosixPath(file), digest=Digest("sha256", bytes.fromhex(digest))
        )
        for file, digest in manifest.files.items()
    ]
    kind = oms.SerializationType.from_args(
        {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    )

    class Measured(hashing.Config):
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            if files_to_hash is not None:
                raise InvalidInput("a part of a model cannot be signed")
            return oms.Manifest(name, items, kind)

    return Measured()  # type: ignore[no-untyped-call]
