"""What a webhook is started with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quorate import limits, names
from quorate.admission.injection import InjectionConfig, parse_config
from quorate.canonical import parse_object
from quorate.consensus.epoch import Epoch
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate_webhook.cache.cache import STALE_SECONDS

INJECTION_BYTES_MAX = 65_536
STALE_SECONDS_MIN = 70.0
"""A watch may be silent for a minute although all is well."""
PREVIOUS = "previous.json"
"""Beside the injection's file: what the release before injected."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. ``host`` None is every address, IPv4 and IPv6."""

    host: str | None
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; times in seconds."""

    listen: Address
    health: Address
    tls_dir: Path
    injection: Path
    genesis_dir: Path
    member_url: str
    kubeconfig: Path | None
    stale_seconds: float
    drain_seconds: float


def parse_address(text: str) -> Address:
    """Read ``:PORT`` or ``HOST:PORT`` (an IPv6 host in brackets). Raises InvalidInput."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise InvalidInput("must be [HOST]:PORT", field=text[:100])
    return Address(host.strip("[]") or None, int(port))


def parse_arguments(arguments: Sequence[str]) -> Settings:
    """Read the command line. Raises InvalidInput for values; argparse exits for its own errors."""
    found = _parser().parse_args(arguments)
    if found.stale_seconds < STALE_SECONDS_MIN:
        raise InvalidInput(f"must be at least {STALE_SECONDS_MIN:g}", field="--stale-seconds")
    if not 0 <= found.drain_seconds <= 300:
        raise InvalidInput("must be 0 to 300", field="--drain-seconds")
    return Settings(
        listen=parse_address(found.listen),
        health=parse_address(found.health),
        tls_dir=found.tls_dir,
        injection=found.injection,
        genesis_dir=found.genesis_dir,
        member_url=found.member_url,
        kubeconfig=found.kubeconfig,
        stale_seconds=found.stale_seconds,
        drain_seconds=found.drain_seconds,
    )


def read_genesis(directory: Path) -> Epoch:
    """The mounted genesis, pinned by the digest beside it. Raises QuorateError."""
    data = _read(directory / "genesis.json", GENESIS_BYTES_MAX)
    digest = _read(directory / "digest", 200).decode("ascii", "replace").strip()
    return parse_genesis(data, digest)


def read_injections(path: Path, genesis: Epoch) -> tuple[InjectionConfig, ...]:
    """What is injected, and what the release before injected if that is known.

    The genesis digest is not in the files: it is the installation's. Raises QuorateError.
    """
    previous = path.with_name(PREVIOUS)
    paths = [path, previous] if previous.exists() else [path]
    return tuple(_read_injection(each, genesis) for each in paths)


def _read_injection(path: Path, genesis: Epoch) -> InjectionConfig:
    document = parse_object(
        _read(path, INJECTION_BYTES_MAX), bytes_max=INJECTION_BYTES_MAX, what=path.name
    )
    return parse_config(document | {"genesisDigest": genesis.digest_text})


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    if len(data) > bytes_max:
        raise InvalidInput(f"has more than {bytes_max} bytes", field=str(path))
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m quorate_webhook",
        description="The admission webhook. Answers within "
        f"{limits.REVIEW_DEADLINE:g} s from what it watches; serves until SIGTERM.",
    )
    parser.add_argument("--listen", default=":8443", metavar="[HOST]:PORT")
    parser.add_argument(
        "--health", default=":9902", metavar="[HOST]:PORT", help="health and metrics"
    )
    for option, text in (
        ("--tls-dir", "directory with tls.crt and tls.key, followed as they change"),
        ("--genesis-dir", "directory with genesis.json and digest"),
    ):
        parser.add_argument(option, help=text, type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--injection", help="what is injected (JSON)", type=Path, required=True, metavar="FILE"
    )
    parser.add_argument(
        "--member-url",
        default=names.MEMBER_URL,
        metavar="URL",
        help=f"where members tell of epochs; {names.MEMBER_MARK} in HOST is a member's name",
    )
    parser.add_argument(
        "--kubeconfig",
        help="how to reach the API server; the pod's own account if not given",
        type=Path,
        metavar="FILE",
    )
    parser.add_argument(
        "--stale-seconds",
        help="deny after hearing nothing about a kind for this long",
        type=float,
        default=STALE_SECONDS,
    )
    parser.add_argument(
        "--drain-seconds",
        help="keep answering this long after SIGTERM, until Services have noticed",
        type=float,
        default=8.0,
    )
    return parser
