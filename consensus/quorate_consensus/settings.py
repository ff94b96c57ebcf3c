"""What a member is started with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quorate import limits, names
from quorate.errors import InvalidInput
from quorate_consensus import store_init, voting_settings
from quorate_consensus.voting_settings import VotingSettings

CERTIFICATE_LIFE_MIN = 20
STATE_LIFE_MIN = 10
RECEIPT_LIFE_MIN = 10
"""Below these a sidecar could not renew in time at its poll of ten seconds, or in tests of one."""
LEAF_LIFE = 24 * 3600
LEAF_LIFE_MIN = 3
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. ``host`` None is every address, IPv4 and IPv6."""

    host: str | None
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; lives in seconds."""

    genesis: Path
    key: Path
    token_keys: Path
    issuer: str
    listen: Address
    health: Address
    tls_names: tuple[str, ...]
    certificate_life: int
    state_life: int
    receipt_life: int
    leaf_life: int
    workers: int
    failed_gates: Path | None
    """Directory in which failed gates are remembered; None forgets them when the process ends."""
    epochs: Path | None = None
    """Directory in which the epochs after number 0 are kept; None forgets them likewise."""
    voting: VotingSettings | None = None
    """None for a member that does not vote."""
    members_url: str = ""
    """Where the other members are, by name; empty if there is none to pass freezes on to."""
    spare: str = ""
    """Its name, of one that waits until a record gives it a seat."""


def parse_address(text: str) -> Address:
    """Read ``:PORT`` or ``HOST:PORT`` (an IPv6 host in brackets). Raises InvalidInput."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise InvalidInput("must be [HOST]:PORT", field=text[:100])
    return Address(host.strip("[]") or None, int(port))


def parse_arguments(arguments: Sequence[str]) -> Settings:
    """Read the command line. Raises InvalidInput for values; argparse exits for its own errors."""
    found = _parser().parse_args(arguments)
    settings = Settings(
        genesis=found.genesis,
        key=found.key,
        token_keys=found.token_keys,
        issuer=found.issuer,
        listen=parse_address(found.listen),
        health=parse_address(found.health),
        tls_names=tuple(found.tls_name),
        certificate_life=found.certificate_life,
        state_life=found.state_life,
        receipt_life=found.receipt_life,
        leaf_life=found.leaf_life,
        workers=found.workers,
        epochs=found.epochs,
        failed_gates=found.failed_gates,
        voting=voting_settings.read(found),
        members_url=voting_settings.members_url(found),
        spare=found.spare,
    )
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    for option, value, least, most in (
        (
            "--certificate-life",
            settings.certificate_life,
            CERTIFICATE_LIFE_MIN,
            limits.CERTIFICATE_LIFE,
        ),
        ("--state-life", settings.state_life, STATE_LIFE_MIN, limits.STATE_LIFE),
        ("--receipt-life", settings.receipt_life, RECEIPT_LIFE_MIN, limits.RECEIPT_LIFE),
        ("--leaf-life", settings.leaf_life, LEAF_LIFE_MIN, 90 * 24 * 3600),
        ("--workers", settings.workers, 1, 32),
    ):
        if not least <= value <= most:
            raise InvalidInput(f"must be {least} to {most}", field=option)
    if settings.spare and not settings.members_url:
        raise InvalidInput("must be given with --spare: it waits for them", field="--member-url")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m quorate_consensus",
        description="A member of the committee.",
        epilog=f"{store_init.COMMAND} makes the vote store of a new member: see its --help.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve until SIGTERM")
    for option, text in (
        ("--genesis", "genesis document"),
        ("--key", "vote key: PEM, Ed25519"),
        ("--token-keys", "JWKS of the keys that sign the cluster's tokens"),
    ):
        serve.add_argument(option, help=text, type=Path, required=True, metavar="FILE")
    serve.add_argument("--issuer", required=True, help="issuer of the cluster's tokens")
    serve.add_argument("--listen", default=f":{names.MEMBER_PORT}", metavar="[HOST]:PORT")
    serve.add_argument(
        "--health", default=":9902", metavar="[HOST]:PORT", help="health and metrics"
    )
    serve.add_argument(
        "--tls-name",
        action="append",
        required=True,
        metavar="NAME",
        help="DNS name or IP address clients use; may be repeated",
    )
    for option, default, text in (
        (
            "--certificate-life",
            limits.CERTIFICATE_LIFE,
            "life of a certificate; the same at all members",
        ),
        ("--state-life", limits.STATE_LIFE, "life of a signed state"),
        ("--receipt-life", limits.RECEIPT_LIFE, "life of a pod's receipt; the same at all members"),
        ("--leaf-life", LEAF_LIFE, "life of the TLS certificate"),
    ):
        serve.add_argument(option, default=default, help=text, type=int, metavar="SECONDS")
    serve.add_argument("--workers", type=int, default=WORKERS, help="threads that verify evidence")
    serve.add_argument(
        "--epochs",
        type=Path,
        metavar="DIR",
        help="directory in which the certified epochs are kept across restarts",
    )
    serve.add_argument(
        "--failed-gates",
        type=Path,
        metavar="DIR",
        help="directory in which failed gates are remembered across restarts",
    )
    serve.add_argument(
        "--spare",
        metavar="NAME",
        default="",
        help="without a seat, wait until a record gives one to this member",
    )
    voting_settings.add_arguments(serve)
    return parser
