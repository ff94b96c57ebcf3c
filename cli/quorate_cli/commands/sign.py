"""``sign``: sign every file of a model's directory."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from quorate.errors import InvalidInput
from quorate.evidence.model_signing import verify_bundle
from quorate_cli.command import Command, Result
from quorate_cli.files import check_target, read_password, read_signer, write_file
from quorate_cli.model_signer import sign_manifest
from quorate_cli.progress import Progress
from quorate_io.measuring import measure_directory


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="the model's directory")
    parser.add_argument(
        "--key", type=Path, required=True, help="private key: PEM, ECDSA P-256 or P-384"
    )
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--out",
        metavar="BUNDLE",
        type=Path,
        required=True,
        help="where to write the signature; must be outside DIR",
    )


def _run(arguments: Namespace, progress: Progress) -> Result:
    directory, out = arguments.directory, arguments.out
    check_target(out)
    _check_outside(out, directory)
    password = read_password(arguments.password_file)
    public = read_signer(arguments.key, password).public_key
    if not isinstance(public.key, ec.EllipticCurvePublicKey):
        raise InvalidInput("must be an ECDSA key to sign a model", field=str(arguments.key))
    manifest = measure_directory(directory, workers=os.cpu_count() or 1, progress=progress)
    bundle = sign_manifest(manifest, directory.resolve().name or "model", arguments.key, password)
    # What cannot be verified must not leave: the library might write what no verifier accepts.
    written = verify_bundle(bundle, [public])
    if written.manifest.digest != manifest.digest:
        raise InvalidInput("the bundle does not list the files that were hashed", field=str(out))
    write_file(out, bundle)
    return Result(
        [
            f"signed {len(manifest.files)} files of {directory} into {out}",
            f"manifest digest: {manifest.digest}",
            f"signed by:       {public.key_id}",
        ],
        {
            "bundle": str(out),
            "files": len(manifest.files),
            "manifestDigest": manifest.digest,
            "signer": public.key_id,
        },
    )


def _check_outside(out: Path, directory: Path) -> None:
    if out.resolve().is_relative_to(directory.resolve()):
        raise InvalidInput(
            f"must be outside {directory}",
            field="--out",
            fix="a file inside the model's directory would be part of the model",
        )


COMMAND = Command(
    words=("sign",),
    summary="sign a model's directory",
    description=(
        "Hash every file under DIR, hidden ones too, and sign the list as an OpenSSF model\n"
        "signing (OMS) bundle. Links, special files and names that two systems could read\n"
        "differently are refused. The bundle is verified before it is written."
    ),
    examples=("sign ./model --key model-owner.key --out model.bundle.json",),
    arguments=_arguments,
    run=_run,
)
