"""Where the members are, and which genesis pins them: as the command line says, or the cluster."""

import contextlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quorate.consensus.epoch import Epoch
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate.manifest import check_digest
from quorate.names import MEMBER_MARK
from quorate_cli.cluster import connection
from quorate_cli.cluster.installation import read_genesis
from quorate_cli.committee import forwarding
from quorate_cli.files import read_file
from quorate_io.member_channel import member_url

NOTES = (
    "Members are reached directly, not through the operator: without --member-url kubectl\n"
    "forwards a port of each, and with it you say where they are: NAME=https://127.0.0.1:9000 for\n"
    "a port of your own, or inside the cluster 'https://quorate-{member}.quorate-system.svc:8443'.\n"
    "What they answer is believed as far as it follows from the genesis. Without --genesis or\n"
    "--genesis-digest that is what the API server says it is: pin it to trust neither."
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """``digest`` of the genesis; URLs by member, and the template for those without."""

    digest: str
    genesis: Epoch | None
    urls: Mapping[str, str]
    template: str | None
    names: tuple[str, ...]

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """URLs of those members whose place is known."""
        found = {name: self.urls[name] for name in names if name in self.urls}
        if self.template is not None:
            for name in names:
                found.setdefault(name, self.template.replace(MEMBER_MARK, name))
        return found

    def first(self) -> dict[str, str]:
        """URLs of the members that are known before any answered."""
        return self.of(dict.fromkeys((*self.urls, *self.names)))

    def is_forwarded(self, name: str) -> bool:
        """Whether the URL's host says nothing about who is there."""
        return name in self.urls


def add_genesis(parser: ArgumentParser) -> None:
    """The flags that pin the genesis: its digest, the document, or a cluster that has it."""
    pin = parser.add_mutually_exclusive_group()
    pin.add_argument("--genesis-digest", metavar="DIGEST", help="the pinned genesis, sha256:…")
    pin.add_argument("--genesis", metavar="FILE", type=Path, help="the pinned genesis itself")
    connection.add_arguments(parser, namespace=False)


def add_arguments(parser: ArgumentParser) -> None:
    """The flags that say where the members are, and those of :func:`add_genesis`."""
    parser.add_argument(
        "--member-url",
        metavar="URL",
        action="append",
        default=[],
        help="NAME=https://HOST:PORT, repeatable; or one with {member} in HOST for all (default: "
        "ports that kubectl forwards)",
    )
    parser.add_argument(
        "--ask",
        metavar="NAME",
        action="append",
        default=[],
        help="a member to begin with, repeatable (default: those of the genesis)",
    )
    add_genesis(parser)


def pinned(arguments: Namespace) -> tuple[str, Epoch | None]:
    """The genesis's digest, and the genesis if it is at hand. Raises QuorateError."""
    if arguments.genesis_digest is not None:
        return check_digest(arguments.genesis_digest, "--genesis-digest"), None
    if arguments.genesis is not None:
        try:
            genesis = parse_genesis(read_file(arguments.genesis, GENESIS_BYTES_MAX))
        except InvalidInput as error:
            raise InvalidInput(str(error), field=str(arguments.genesis)) from None
    else:
        genesis = read_genesis(connection.connect(arguments).reader)
    return genesis.digest_text, genesis


@contextlib.contextmanager
def found(arguments: Namespace) -> Iterator[Whereabouts]:
    """Where the members are, while the block runs. Raises QuorateError."""
    urls, template = _given(arguments.member_url)
    digest, genesis = pinned(arguments)
    names = tuple(arguments.ask)
    if not names and not urls:
        if genesis is None:
            raise InvalidInput(
                "must name a member to begin with", field="--ask", fix="or give --genesis"
            )
        names = tuple(seat.name for seat in genesis.record.seats)
    if urls or template is not None:
        yield Whereabouts(digest, genesis, urls, template, names)
        return
    with forwarding.forwarded(names, _kubectl_flags(arguments)) as forwarded:
        yield Whereabouts(digest, genesis, forwarded, None, names)


@contextlib.contextmanager
def of_spare(arguments: Namespace, name: str) -> Iterator[tuple[str, bool]]:
    """URL of somebody without a seat, while the block runs, and whether its host says nothing.

    Raises QuorateError.
    """
    urls, template = _given(arguments.member_url)
    if name in urls:
        yield urls[name], True
    elif template is not None:
        yield template.replace(MEMBER_MARK, name), False
    elif urls:
        raise InvalidInput(f"must say where {name} is as well", field="--member-url")
    else:
        with forwarding.forwarded([name], _kubectl_flags(arguments)) as forwarded:
            yield forwarded[name], True


def _given(flags: Sequence[str]) -> tuple[dict[str, str], str | None]:
    """URLs by member, and the template, as ``--member-url`` says them. Raises InvalidInput."""
    urls: dict[str, str] = {}
    template = None
    for given in flags:
        name, equals, url = given.partition("=")
        if equals and not name.startswith("https:"):
            if not name or name in urls:
                raise InvalidInput("must name each member once", field="--member-url")
            member_url(url)
            urls[name] = url
        elif template is None and MEMBER_MARK in given:
            member_url(given.replace(MEMBER_MARK, "member"))
            template = given
        else:
            raise InvalidInput(
                f"must be NAME=https://HOST:PORT, or one URL with {MEMBER_MARK}",
                field="--member-url",
            )
    return urls, template


def _kubectl_flags(arguments: Namespace) -> list[str]:
    given = (("--kubeconfig", arguments.kubeconfig), ("--context", arguments.context))
    return [f"{flag}={value}" for flag, value in given if value]
