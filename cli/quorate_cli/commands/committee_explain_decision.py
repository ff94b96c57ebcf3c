"""``committee explain-decision``: who voted what and why, and whether that is proven."""

import base64
import binascii
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quorate.audit.records import Action, HoldDecided
from quorate.consensus.approval import CERTIFICATE_BYTES
from quorate.errors import InvalidInput
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.committee import known_chain, whereabouts
from quorate_cli.decision import telling
from quorate_cli.decision.audit_log import AuditLog
from quorate_cli.decision.proof import weigh
from quorate_cli.decision.votes import of_certificate
from quorate_cli.files import read_file
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress

SHOWN_MAX: Final = 64
"""Twice as many as an answer makes calls."""

_Found = tuple[list[tuple[str, Action]], list[HoldDecided], str]


def _arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "files", metavar="FILE", type=Path, nargs="*", default=[], help="audit log; oldest first"
    )
    what.add_argument(
        "--certificate",
        metavar="FILE",
        type=Path,
        help="a certificate, or votes, instead: MessagePack, or the same in base64",
    )
    parser.add_argument(
        "--id", help="of an exchange (req_…), request or hold (default: the log's last decision)"
    )
    known_chain.add_argument(parser)
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.certificate is not None:
        action = of_certificate(_certificate(arguments.certificate))
        found: _Found = [("", action)], [], ""
    else:
        found = _logged(arguments.files, arguments.id)
    actions, people, broken = found
    if not actions:
        what = f"no decision about {arguments.id}" if arguments.id else "no decision"
        raise InvalidInput(f"{what} is in there", field="FILE", fix="quorate audit decisions FILE")
    chain = known_chain.find(arguments).epochs()
    documents = []
    for at, action in actions:
        decided = [one for one in people if one.hold == action.hold]
        documents.append(telling.document(at, weigh(action, chain), decided))
    lines = [f"DENIED: the log is not whole: {broken}"] if broken else []
    for number, document in enumerate(documents):
        lines += [""] * bool(number) + telling.lines(document, terminal_width())
    proven = not broken and all(document["proven"] for document in documents)
    result = {"problem": broken, "proven": proven, "decisions": documents}
    return Result(lines, result, exit_codes.OK if proven else exit_codes.DENIED)


def _logged(files: Sequence[Path], wanted: str | None) -> _Found:
    """The decisions of a log that are wanted, what people decided, and where its chain breaks."""
    log = AuditLog(files)
    actions: deque[tuple[str, Action]] = deque(maxlen=SHOWN_MAX if wanted else 1)
    people: deque[HoldDecided] = deque(maxlen=SHOWN_MAX)
    for record in log.records():
        body = record.body
        if isinstance(body, Action) and wanted in (None, body.id, body.request, body.hold):
            actions.append((record.at, body))
        elif isinstance(body, HoldDecided) and any(body.hold == one.hold for _, one in actions):
            people.append(body)
    return list(actions), list(people), log.problem


def _certificate(path: Path) -> bytes:
    data = read_file(path, 2 * CERTIFICATE_BYTES)
    try:
        return base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        return data


COMMAND = Command(
    words=("committee", "explain-decision"),
    summary="say who voted what about an action, whether it is proven, and what to do next",
    description=(
        "Explain a decision about a model's action: its risk, the tier and its thresholds, each\n"
        "member's vote and reasons, who gave none and why, whether every signature verifies by\n"
        "the chain from the pinned genesis, what would have changed it, and what to do next."
    ),
    examples=(
        "committee explain-decision --id req_0f3b2c1d00000001 audit-00000001.jsonl \\\n"
        "    --chain chain.json --genesis-digest sha256:…",
        "committee explain-decision --id sha256:… audit-*.jsonl --genesis genesis.json",
        "committee explain-decision --certificate votes.b64 --chain chain.json",
    ),
    notes=(
        "The id is in the refusal that the client got. With --chain nothing is asked: it is what\n"
        "committee verify --out wrote, or the genesis itself. Why a member gave no vote is the\n"
        "sidecar's word; votes are the members'. Exit code 1: the record does not prove what it\n"
        "says, or the log is not whole.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
