"""The options that say whose signatures count: keys, certificates, keyless identities."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from quorate.errors import InvalidInput
from quorate.evidence.signatures import CertificateSigner, KeylessSigner, SignerSet
from quorate.evidence.signatures.certificate import load_authorities, load_certificates
from quorate_cli.files import read_certificates, read_file, read_public_key


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options. At least one signer is needed; :func:`read` sees to it."""
    parser.add_argument(
        "--key", type=Path, action="append", default=[], help="accepted key; repeatable"
    )
    parser.add_argument("--ca", type=Path, help="authorities (PEM) of accepted certificates")
    parser.add_argument(
        "--san",
        metavar="NAME",
        action="append",
        default=[],
        help="accepted certificate: its only alternative name, exactly; repeatable",
    )
    parser.add_argument(
        "--common-name",
        metavar="NAME",
        action="append",
        default=[],
        help="accepted certificate: its only common name, exactly; repeatable",
    )
    parser.add_argument(
        "--timestamp-authority",
        metavar="FILE",
        type=Path,
        help="chain (PEM) of the authority whose timestamps count for certificates",
    )
    parser.add_argument(
        "--identity",
        metavar="NAME",
        action="append",
        default=[],
        help="accepted keyless identity, exactly; repeatable",
    )
    parser.add_argument("--issuer", metavar="URL", help="issuer of the keyless identities, exactly")
    parser.add_argument(
        "--trusted-root", metavar="FILE", type=Path, help="Sigstore trusted root (JSON)"
    )


def read(arguments: Namespace) -> SignerSet:
    """Read the options and ``threshold``. Raises InvalidInput naming option or file."""
    if not (arguments.key or arguments.san or arguments.common_name or arguments.identity):
        raise InvalidInput("name whose signatures count", field="--key, --san or --identity")
    root = arguments.trusted_root
    signers = SignerSet(
        keys=tuple(read_public_key(path) for path in arguments.key),
        certificates=_certificates(arguments),
        keyless=_keyless(arguments),
        trusted_root=read_file(root).decode("utf-8", "replace") if root else "",
        threshold=arguments.threshold,
    )
    signers.check()
    return signers


def _certificates(arguments: Namespace) -> tuple[CertificateSigner, ...]:
    named = bool(arguments.san or arguments.common_name)
    if named != (arguments.ca is not None):
        raise InvalidInput("must be given together", field="--ca and --san or --common-name")
    if not named:
        return ()
    stamps = arguments.timestamp_authority
    make = partial(
        CertificateSigner,
        authorities=read_certificates(arguments.ca, load_authorities),
        timestamp_authority=read_certificates(stamps, load_certificates) if stamps else (),
    )
    return (
        *(make(name=name, subject_alternative_name=name) for name in arguments.san),
        *(make(name=f"CN={name}", common_name=name) for name in arguments.common_name),
    )


def _keyless(arguments: Namespace) -> tuple[KeylessSigner, ...]:
    given = (arguments.identity, arguments.issuer, arguments.trusted_root)
    if any(given) and not all(given):
        raise InvalidInput("must be given together", field="--identity, --issuer, --trusted-root")
    return tuple(KeylessSigner(name, name, arguments.issuer) for name in arguments.identity)
