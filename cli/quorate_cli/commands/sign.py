"""``sign``: sign every file of a model's directory, or a server's image."""

import os
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from quorate import names
from quorate.errors import InvalidInput, SignatureError
from quorate.evidence import dsse
from quorate.evidence.image_signing import sign_image, statement_digest
from quorate.evidence.model_signing import parse_envelope, read_manifest, sign_model
from quorate.evidence.signatures.bundle import CHAIN_MAX, parse_bundle
from quorate.evidence.signatures.certificate import check_use, load_certificates
from quorate.manifest import Manifest, check_digest, check_shard_size
from quorate.ports import Signer
from quorate_cli.command import Command, Result
from quorate_cli.files import (
    check_target,
    read_certificates,
    read_password,
    read_signer,
    write_file,
)
from quorate_cli.progress import Progress
from quorate_io.measuring import measure_directory


def _arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "directory", metavar="DIR", type=Path, nargs="?", help="the model's directory"
    )
    what.add_argument(
        "--image", metavar="IMAGE", help="a server's image: sha256:… or repository@sha256:…"
    )
    parser.add_argument(
        "--key", type=Path, required=True, help="private key: PEM, ECDSA P-256 or P-384"
    )
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        type=Path,
        help="sign by certificate: PEM, the key's own first, then intermediates, no root",
    )
    parser.add_argument(
        "--shard-size",
        metavar="BYTES",
        type=int,
        help="hash in shards of this size, which a policy must accept (default: whole files)",
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
    if arguments.image is not None:
        return _sign_image(arguments)
    _check_outside(out, directory)
    if arguments.shard_size is not None:
        check_shard_size(arguments.shard_size)
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    if not isinstance(signer.public_key.key, ec.EllipticCurvePublicKey):
        raise InvalidInput("must be an ECDSA key to sign a model", field=str(arguments.key))
    certificates = _certificates(arguments.certificate)
    manifest = measure_directory(
        directory,
        workers=os.cpu_count() or 1,
        progress=progress,
        shard_size=arguments.shard_size,
    )
    bundle = sign_model(manifest, directory.resolve().name or "model", signer, certificates)
    _check_written(bundle, manifest, signer)
    write_file(out, bundle)
    by = [f"signed by:       {signer.public_key.key_id}"]
    if certificates:
        subject = certificates[0].subject.rfc4514_string() or "(by its alternative name)"
        by.append(f"certificate:     {subject}, valid until {certificates[0].not_valid_after_utc}")
    return Result(
        [
            f"signed {manifest.file_count} files of {directory} into {out}",
            f"manifest digest: {manifest.digest}",
            *by,
        ],
        {
            "bundle": str(out),
            "files": manifest.file_count,
            "manifestDigest": manifest.digest,
            "signer": signer.public_key.key_id,
            "method": "certificate" if certificates else "key",
        },
    )


def _sign_image(arguments: Namespace) -> Result:
    if arguments.shard_size is not None:
        raise InvalidInput("is for a model's files, not for an image", field="--shard-size")
    repository, _, digest = arguments.image.rpartition("@")
    check_digest(digest, "--image")
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    certificates = _certificates(arguments.certificate)
    bundle = sign_image(digest, signer, certificates, repository)
    envelope = parse_bundle(bundle).envelope
    if envelope is None or statement_digest(envelope.payload) != digest:
        raise InvalidInput("the bundle is not about the image")
    message = dsse.pae(names.INTOTO_TYPE, envelope.payload)
    signer.public_key.verify(envelope.signatures[0].sig, message)
    write_file(arguments.out, bundle)
    key_id = signer.public_key.key_id
    return Result(
        [f"signed image {digest} into {arguments.out}", f"signed by:       {key_id}"],
        {
            "bundle": str(arguments.out),
            "image": digest,
            "signer": key_id,
            "method": "certificate" if certificates else "key",
        },
    )


def _certificates(path: Path | None) -> tuple[x509.Certificate, ...]:
    if path is None:
        return ()
    found = read_certificates(path, partial(load_certificates, most=CHAIN_MAX))
    try:
        check_use(found[0])
    except SignatureError as error:
        raise InvalidInput(error.message, field=str(path), fix=error.fix) from None
    return found


def _check_written(bundle: bytes, manifest: Manifest, signer: Signer) -> None:
    """What cannot be verified must not leave, wherever the signature was made."""
    envelope = parse_envelope(bundle)
    message = dsse.pae(names.INTOTO_TYPE, envelope.payload)
    signer.public_key.verify(envelope.signatures[0].sig, message)
    if read_manifest(bundle).digest != manifest.digest:
        raise InvalidInput("the bundle does not list the files that were hashed")


def _check_outside(out: Path, directory: Path) -> None:
    if out.resolve().is_relative_to(directory.resolve()):
        raise InvalidInput(
            f"must be outside {directory}",
            field="--out",
            fix="a file inside the model's directory would be part of the model",
        )


COMMAND = Command(
    words=("sign",),
    summary="sign a model's directory, or a server's image",
    description=(
        "Hash every file under DIR, hidden ones too, and sign the list as an OpenSSF model\n"
        "signing (OMS) bundle. Links, special files and names that two systems could read\n"
        "differently are refused. The bundle is verified before it is written. With\n"
        "--certificate, whoever verifies needs the authority's certificate and your name in it\n"
        "instead of your key.\n"
        "\n"
        "With --image, sign a server's image by its digest instead, as `cosign sign` does: for\n"
        "model.servers[].signatures of a policy, or to be attached to the image by `push`."
    ),
    examples=(
        "sign ./model --key model-owner.key --out model.bundle.json",
        "sign ./model --key signer.key --certificate signer-chain.pem --out model.bundle.json",
        "sign --image registry.example.com/serving/vllm@sha256:… --key release.key \\\n"
        "      --out image.bundle.json",
    ),
    arguments=_arguments,
    run=_run,
)
