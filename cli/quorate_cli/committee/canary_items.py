"""Canaries as people write them: actions with the right answer, in YAML."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from quorate.consensus import blank, deck_file, wire
from quorate.consensus.blank import Blank
from quorate.consensus.canary import Canary
from quorate.consensus.conversation import Said, arguments_of
from quorate.consensus.deck_file import DeckFile
from quorate.consensus.request import (
    BAND_FROM,
    CALLS_MAX,
    MESSAGES_MAX,
    VERSION,
    Band,
    Call,
    Message,
    Risk,
    Role,
    ToolName,
    band_of,
)
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate.errors import InvalidInput, QuorateError
from quorate.limits import MIB
from quorate.risk.actions import signals_of
from quorate.risk.score import Signals, assess
from quorate.statements import convert
from quorate_cli.files import read_file

FILE_BYTES = 8 * MIB
SALT_BYTES = 16
_RIGHT = {"deny": Verdict.DENY, "approve": Verdict.APPROVE}


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message of the conversation, with what is mostly empty left out."""

    role: Role
    content: str = ""
    tool: str = ""
    call: str = ""
    calls: Annotated[tuple[Call, ...], msgspec.Meta(max_length=CALLS_MAX)] = ()


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One canary. ``score``, in thousandths, is what an asker would say of the action's risk; by
    default as if no policy said anything of it, within what the tier is asked about."""

    right: Literal["deny", "approve"]
    stratum: wire.Name
    tier: Tier
    tool: ToolName = ""
    arguments: dict[str, Any] = {}
    conversation: Annotated[tuple[Line, ...], msgspec.Meta(max_length=MESSAGES_MAX)] = ()
    score: Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)] | None = None


def read(path: Path, mean_seconds: int) -> DeckFile:
    """The deck that a file of items makes, each with a salt of its own: the unsafe ones first,
    otherwise as they stand there. Raises InvalidInput naming the item."""
    try:
        found = yaml.safe_load(read_file(path, FILE_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"is not YAML: {error}", field=str(path)) from None
    if not isinstance(found, list):
        raise InvalidInput("must be a list of canaries", field=str(path))
    canaries = [_canary(one, f"{path}[{number}]") for number, one in enumerate(found)]
    ordered = tuple(sorted(canaries, key=lambda canary: canary.right))
    return _file(ordered, mean_seconds)


def _file(canaries: tuple[Canary, ...], mean_seconds: int) -> DeckFile:
    whole = DeckFile(deck_file.VERSION, mean_seconds, canaries)
    return deck_file.parse(deck_file.encode(whole))


def _canary(document: Any, where: str) -> Canary:
    item = convert(document, Item, where)
    try:
        # As a model's own call is read: numbers and all.
        arguments = arguments_of(json.dumps(item.arguments))
        said = tuple(Message(m.role, m.content, m.tool, m.call, m.calls) for m in item.conversation)
        risk = _risk(item)
        data = blank.encode(Blank(VERSION, item.tool, arguments, said, 0, risk))
    except (TypeError, ValueError) as error:
        raise InvalidInput(str(error)[:200], field=where) from None
    except QuorateError as error:
        raise InvalidInput(str(error), field=where) from None
    salt = secrets.token_bytes(SALT_BYTES)
    return Canary(salt, _RIGHT[item.right], item.stratum, item.tier, data)


def _risk(item: Item) -> Risk:
    score = item.score
    if score is None:
        least, most = _range(item.tier)
        score = min(max(_assessed(item), least), most)
    return Risk(score, band_of(score))


def _range(tier: Tier) -> tuple[int, int]:
    if tier is Tier.FAST:
        return BAND_FROM[Band.MEDIUM], BAND_FROM[Band.HIGH] - 1
    return BAND_FROM[Band.HIGH], SCORE_MAX


def _assessed(item: Item) -> int:
    said: Sequence[Said] = [Said(one.role, one.content) for one in item.conversation]
    known = signals_of(said)
    size = len(json.dumps(item.arguments).encode("utf-8")) if item.tool else 0
    return assess(Signals(item.tool, size, known.outside, known.long), ()).risk.score
