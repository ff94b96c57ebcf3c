"""``keygen``: make a key pair for signing models and gates, or for a member."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from quorate.errors import InvalidInput
from quorate.keys import accept
from quorate_cli.command import Command, Result
from quorate_cli.files import create_file, read_password
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        metavar="PREFIX",
        type=Path,
        required=True,
        help="writes PREFIX.key (private, mode 0600) and PREFIX.pub",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--member", action="store_true", help="of a committee member: Ed25519, not encrypted"
    )
    choice.add_argument(
        "--password-file", metavar="FILE", type=Path, help="encrypt the private key with it"
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    prefix: Path = arguments.out
    private, public = (prefix.with_name(prefix.name + end) for end in (".key", ".pub"))
    for path in (private, public):
        if path.exists():
            raise InvalidInput("exists already", field=str(path), fix="choose another --out")
    password = read_password(arguments.password_file)
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if arguments.member
        else ec.generate_private_key(ec.SECP256R1())
    )
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    accepted = accept(key.public_key())
    create_file(private, pem, 0o600)
    create_file(public, accepted.pem.encode("ascii"), 0o644)
    return Result(
        [
            f"private key: {private} (keep it secret{', encrypted' if password else ''})",
            f"public key:  {public} ({_USE[arguments.member]})",
            f"key id:      {accepted.key_id}",
        ],
        {
            "privateKey": str(private),
            "publicKey": str(public),
            "keyId": accepted.key_id,
            "pem": accepted.pem,
            "encrypted": bool(password),
        },
    )


_USE = {
    False: "policies name it under signers or producers",
    True: "committee rotate, replace, readmit and resize take it",
}

COMMAND = Command(
    words=("keygen",),
    summary="make a key pair",
    description=(
        "Make an ECDSA P-256 key pair as PEM files, or an Ed25519 one for a committee member.\n"
        "Existing files are never overwritten.\n"
        "The key id is the SHA-256 of the public key itself, so it is the same in every spelling."
    ),
    examples=("keygen --out model-owner", "keygen --member --out member-5"),
    arguments=_arguments,
    run=_run,
)
