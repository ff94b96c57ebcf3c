"""Other members and thresholds, as flags say them."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import judge_sets, successors
from quorate.consensus.epoch import Epoch, Seat
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate_cli.files import read_public_key


def add_new_member(parser: ArgumentParser) -> None:
    """``--new-key``, ``--failure-domain`` and ``--judges`` of one seat."""
    add_new_key(parser)
    parser.add_argument("--failure-domain", metavar="TEXT", help="where it runs, as a zone")
    parser.add_argument("--judges", metavar="SET", help="name of its judge set, or sha256:…")


def add_new_key(parser: ArgumentParser) -> None:
    """``--new-key`` of one seat."""
    parser.add_argument(
        "--new-key",
        metavar="PUB",
        type=Path,
        required=True,
        help="public key, PEM, of `quorate keygen --member`",
    )


def member_key(path: Path) -> str:
    """A member's public key (PEM). Raises InvalidInput, also for one of a kind that no member
    starts with."""
    found = read_public_key(path)
    if not isinstance(found.key, ed25519.Ed25519PublicKey):
        raise InvalidInput(
            "is no Ed25519 key, and members have those",
            field=str(path),
            fix="quorate keygen --member --out NAME",
        )
    return found.pem


def add_many(parser: ArgumentParser) -> None:
    """Changes of several seats and of the thresholds."""
    parser.add_argument(
        "--rekey",
        metavar="NAME=PUB",
        action="append",
        default=[],
        help="another key for a member; repeatable",
    )
    parser.add_argument(
        "--remove", metavar="NAME", action="append", default=[], help="a member leaves; repeatable"
    )
    parser.add_argument(
        "--add",
        metavar="NAME=PUB,DOMAIN,SET",
        action="append",
        default=[],
        help="a member joins: public key, failure domain, judge set or sha256:…; repeatable",
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), help="thresholds of a preset")
    for name, meaning in (
        ("fast", "approvals needed by the fast tier"),
        ("strict", "approvals needed by the strict tier"),
        ("r", "members that may lie"),
    ):
        parser.add_argument(f"--{name}", metavar="N", type=int, help=meaning)


def seats(head: Epoch, arguments: Namespace) -> tuple[Seat, ...]:
    """The seats as :func:`add_many`'s flags change them. Raises InvalidInput."""
    found = head.record.seats
    for name in arguments.remove:
        found = successors.without(found, name)
    for given in arguments.rekey:
        name, path = _pair(given, "--rekey")
        found = successors.with_key(found, name, member_key(Path(path)))
    return (*found, *(_joining(given) for given in arguments.add))


def thresholds(head: Epoch, arguments: Namespace, count: int) -> Thresholds:
    """The thresholds for ``count`` members. Raises InvalidInput if a flag says what they cannot
    be; that they intersect is for the record to check."""
    old = head.record.thresholds if arguments.preset is None else PRESETS[arguments.preset]
    given = {name: getattr(arguments, name) for name in ("fast", "strict", "r")}
    changed = {name: value for name, value in given.items() if value is not None}
    if arguments.preset is not None and old.n != count:
        raise InvalidInput(f"is for {old.n} members; there are {count}", field="--preset")
    wanted = msgspec.structs.replace(old, n=count, **changed)
    try:
        return msgspec.convert(msgspec.to_builtins(wanted), Thresholds)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), field="thresholds") from None


def judges(given: str) -> str:
    """The digest of a judge set, by its name or as it is. Raises InvalidInput."""
    if given.startswith("sha256:"):
        return check_digest(given, "--judges")
    known = judge_sets.shipped().sets
    if given not in known:
        raise InvalidInput(f"must be one of {', '.join(sorted(known))}", field="--judges")
    return judge_sets.digest_of_set(given)


def _joining(given: str) -> Seat:
    name, rest = _pair(given, "--add")
    parts = rest.split(",")
    if len(parts) != 3 or not all(parts):
        raise InvalidInput("must be NAME=PUB,DOMAIN,SET", field="--add")
    path, domain, judge_set = parts
    return Seat(name, member_key(Path(path)), domain, judges(judge_set))


def _pair(given: str, flag: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals and value):
        raise InvalidInput(f"must be NAME=…, not {given}", field=flag)
    return name, value
