"""What a member that votes is started with, beside what every member is."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yarl

from quorate.consensus import judge_sets
from quorate.errors import InvalidInput
from quorate.names import MEMBER_MARK
from quorate_io.member_channel import member_url

OF_SEAT: Final = "seat"
"""Instead of a set of judges: that of the seat, which a spare does not know beforehand."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class VotingSettings:
    """Where votes are kept, and what the judges are and go by."""

    store: Path
    judges: str = judge_sets.ALL
    release: Path | None = None
    """Directory of the judges' release; None is the one that comes with the program."""
    release_digest: str = ""
    make_store: bool = False
    """Whether to make a store where there is none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="directory of the vote store; without it no votes"
    )
    parser.add_argument(
        "--make-store",
        action="store_true",
        help="make the store if there is none, as init does: a member that lost its own forgets "
        "what it said, and may contradict it",
    )
    parser.add_argument(
        "--judges",
        metavar="SET",
        default=judge_sets.ALL,
        help=f"set of judges, as in the seat; {OF_SEAT}: whichever that names",
    )
    parser.add_argument(
        "--judges-release", type=Path, metavar="DIR", help="instead of the built-in one"
    )
    parser.add_argument(
        "--judges-release-digest", default="", metavar="DIGEST", help="sha256:… of its list"
    )
    add_members_url(parser)


def add_members_url(parser: argparse.ArgumentParser) -> None:
    """The option that says where the other members are."""
    parser.add_argument(
        "--member-url",
        default="",
        metavar="URL",
        help="https://HOST:PORT of the other members, with {member} for a seat's name in HOST",
    )


def read(found: argparse.Namespace) -> VotingSettings | None:
    """The settings, or None for a member that does not vote. Raises InvalidInput."""
    if (found.judges_release is None) != (not found.judges_release_digest):
        raise InvalidInput("a release is pinned by its digest: give both", field="--judges-release")
    if found.judges != OF_SEAT:
        judge_sets.digest_of_set(found.judges)
    if found.store is None:
        return None
    if found.epochs is None:
        raise InvalidInput(
            "must be given with --store: a member that forgets the later epochs would vote again "
            "in one whose votes it forgot",
            field="--epochs",
        )
    return VotingSettings(
        found.store,
        found.judges,
        found.judges_release,
        found.judges_release_digest,
        found.make_store,
    )


def members_url(found: argparse.Namespace) -> str:
    """The template of the other members' URLs; empty if there is none. Raises InvalidInput."""
    template: str = found.member_url
    if template:
        url_of(template, "member-0")
        if MEMBER_MARK not in template:
            raise InvalidInput(f"must hold {MEMBER_MARK}", field="--member-url")
    return template


def url_of(template: str, member: str) -> yarl.URL:
    """The URL of ``member``. Raises InvalidInput if its name is no part of a host's."""
    if not _NAME.match(member):
        raise InvalidInput("must be a DNS label", field=f"member {member!r}")
    return member_url(template.replace(MEMBER_MARK, member))
