"""Where the members are, and which genesis pins them: as the command line says, or the cluster."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from quorate.consensus.epoch import Epoch
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate.manifest import check_digest
from quorate.names import MEMBER_MARK
from quorate_cli.cluster import connection
from quorate_cli.cluster.installation import read_genesis
from quorate_cli.files import read_file
from quorate_io.member_channel import member_url

NOTES = (
    "Members are reached directly, not through the operator: forward a port of each\n"
    "(kubectl port-forward -n quorate-system svc/quorate-member-0 9000:8443) and name it, as\n"
    "--member-url member-0=https://127.0.0.1:9000; inside the cluster\n"
    "--member-url 'https://quorate-{member}.quorate-system.svc:8443' names all of them.\n"
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
        help="NAME=https://HOST:PORT, repeatable; or one with {member} in HOST for all",
    )
    parser.add_argument(
        "--ask",
        metavar="NAME",
        action="append",
        default=[],
        help="with {member}: a member to begin with, repeatable (default: those of the genesis)",
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


def read(arguments: Namespace) -> Whereabouts:
    """Where the members are. Raises QuorateError."""
    urls: dict[str, str] = {}
    template = None
    for given in arguments.member_url:
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
    if not urls and template is None:
        raise InvalidInput(
            "must be given",
            field="--member-url",
            fix="forward a port of each member: kubectl port-forward -n quorate-system "
            "svc/quorate-member-0 9000:8443, then --member-url member-0=https://127.0.0.1:9000",
        )
    digest, genesis = pinned(arguments)
    names = tuple(arguments.ask)
    if template is not None and not names:
        if genesis is None:
            raise InvalidInput(
                "must name a member to begin with", field="--ask", fix="or give --genesis"
            )
        names = tuple(seat.name for seat in genesis.record.seats)
    return Whereabouts(digest, genesis, urls, template, names)
