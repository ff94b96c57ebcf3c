"""What flows where, by the table. See the package for the findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from quorate.consensus.excerpt import Origin, Piece, pieces, values
from quorate.consensus.request import Request
from quorate.consensus.wire import Verdict
from quorate.text import normal, squash, views
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_consensus.judges.tools.destinations import destinations, is_target
from quorate_consensus.judges.tools.flows import WINDOW, Source, flowed, in_pieces, windows
from quorate_consensus.judges.tools.secrets import SECRETS_MAX, Credentials, secrets_of
from quorate_consensus.judges.tools.table import Row, Table

NAME: Final = "tools"
VERSION: Final = 1
DENIED_SCORE: Final = 950
UNSURE_SCORE: Final = 700
NOTED_SCORE: Final = 400
PASSAGE: Final = 48
"""Letters and digits in a row of the instructions that are no coincidence."""
TOOL_CHARS: Final = 6
"""A shorter tool's name is a word that anybody may use."""


class Finding(StrEnum):
    """Stable words; see the package."""

    ARGUMENTS = "UntrustedArguments"
    DESTINATION = "UntrustedDestination"
    NAMED = "NamedByResult"
    SECRET = "SecretFlowsOut"
    INSTRUCTIONS = "InstructionsFlowOut"
    OMITTED = "OriginsOmitted"
    CONTENT = "UntrustedContent"


@dataclass(frozen=True, slots=True)
class _Found:
    finding: Finding
    denies: bool
    hard: bool
    score: int


class ToolsJudge:
    """Follows values through the conversation; a Reader (see the module of that name)."""

    def __init__(self, table: Table, artefact: str) -> None:
        self._table = table
        self._credentials = Credentials()
        self.identity = Identity(NAME, VERSION, artefact)

    def read(self, request: Request) -> Opinion:
        """What flows where."""
        row = self._table.row(request.action_class)
        flows = _Flows(request, self._table)
        found = [*_integrity(flows, row), *self._confidentiality(flows, row)]
        if request.omitted and row.untrusted in ("any", "destination"):
            found.append(_Found(Finding.OMITTED, True, False, UNSURE_SCORE))
        denying = [one for one in found if one.denies]
        ranked = sorted(found, key=lambda one: (not one.denies, not one.hard, -one.score))
        return Opinion(
            verdict=Verdict.DENY if denying else Verdict.APPROVE,
            score=max((one.score for one in found), default=0),
            reasons=tuple(dict.fromkeys(one.finding.value for one in ranked)),
            hard=any(one.hard for one in denying),
        )

    def _confidentiality(self, flows: "_Flows", row: Row) -> Iterator[_Found]:
        if row.secrets == "none" or self._table.takes_secrets(flows.request.tool):
            return
        denies = row.secrets == "deny"
        score = DENIED_SCORE if denies else NOTED_SCORE
        secrets = secrets_of(flows.pieces, self._table, self._credentials)
        outgoing = flows.outgoing
        if secrets and (
            len(secrets) > SECRETS_MAX or any(_leaves(secret, outgoing) for secret in secrets)
        ):
            yield _Found(Finding.SECRET, denies, row.hard and denies, score)
        if flows.passages & windows(outgoing.now, PASSAGE):
            yield _Found(Finding.INSTRUCTIONS, denies, False, score)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """What leaves with this action, squashed and decoded; and with all calls so far, as it is."""

    now: str
    windows: frozenset[str]
    so_far: str


def _leaves(secret: str, outgoing: _Outgoing) -> bool:
    if len(secret) < WINDOW:
        return secret in outgoing.now or secret in outgoing.so_far
    if not outgoing.windows.isdisjoint(windows(secret)):
        return True
    return in_pieces(secret, outgoing.so_far)


def _integrity(flows: "_Flows", row: Row) -> Iterator[_Found]:
    if row.untrusted == "none" or not flows.untrusted.texts:
        return
    if row.untrusted == "any" and flows.has_untrusted_values():
        yield _Found(Finding.ARGUMENTS, True, row.hard, DENIED_SCORE)
    if row.untrusted in ("any", "destination") and flows.has_untrusted_destination(
        anywhere=row.untrusted == "any"
    ):
        yield _Found(Finding.DESTINATION, True, row.hard, DENIED_SCORE)
    if row.untrusted != "note" and flows.is_named_by_result():
        yield _Found(Finding.NAMED, True, False, UNSURE_SCORE)
    if row.untrusted in ("destination", "note") and flows.has_untrusted_values():
        yield _Found(Finding.CONTENT, False, False, NOTED_SCORE)


class _Flows:
    """One request's sources and sinks. Made when they are asked for: most requests need few."""

    def __init__(self, request: Request, table: Table) -> None:
        self.request = request
        self.pieces = pieces(request)
        self._table = table

    @cached_property
    def untrusted(self) -> Source:
        """What tools answered that are not to be believed, decoded too."""
        return Source.of(self._views(self._is_untrusted))

    @cached_property
    def trusted(self) -> Source:
        """What the user, the system, the developer and trusted tools said."""
        return Source.of(self._views(self._is_trusted))

    @cached_property
    def outgoing(self) -> _Outgoing:
        """What leaves."""
        now = "\n".join(squash(view) for view in self._arguments)
        earlier = [p.text for p in self.pieces if p.origin is Origin.EARLIER_CALL]
        so_far = squash("".join(earlier)) + squash("".join(values(self.request.arguments)))
        return _Outgoing(now, frozenset(windows(now) | windows(so_far)), so_far)

    @cached_property
    def passages(self) -> set[str]:
        """Long windows of the instructions."""
        told = [p.text for p in self.pieces if p.origin is Origin.INSTRUCTIONS]
        return {window for text in told for window in windows(squash(text), PASSAGE)}

    def has_untrusted_values(self) -> bool:
        """Whether a value of the arguments, or all of them together, came from a result."""
        given = [*values(self.request.arguments), *self._arguments]
        return any(
            flowed(plain, self.untrusted, self.trusted)
            for plain in dict.fromkeys(map(squash, given))
        )

    def has_untrusted_destination(self, *, anywhere: bool) -> bool:
        """Whether the action leads where only a result says, also if the address is cut up.

        ``anywhere``: in all that the arguments hold, else in the values that say where.
        """
        given = values(self.request.arguments)
        targets = [value for value in given if anywhere or is_target(normal(value))]
        together = "\n".join(squash(view) for view in views("\n".join(targets)))
        together += "\n" + squash("".join(targets))
        known = self._destinations(self._is_trusted)
        named = self._destinations(self._is_untrusted) - known
        return any(place in together and not self.trusted.holds(place) for place in named)

    def _destinations(self, wanted: Callable[[Piece], bool]) -> frozenset[str]:
        return frozenset(place for view in self._views(wanted) for place in destinations(view))

    def is_named_by_result(self) -> bool:
        """Whether a result names the tool that is called now."""
        tool = squash(self.request.tool)
        if len(tool) < TOOL_CHARS or self.trusted.holds(tool):
            return False
        return self.untrusted.holds(tool)

    @cached_property
    def _arguments(self) -> tuple[str, ...]:
        """The arguments' values as texts, in one, decoded too."""
        return views("\n".join(values(self.request.arguments)))

    def _views(self, wanted: Callable[[Piece], bool]) -> tuple[str, ...]:
        text = "\n".join(piece.text for piece in self.pieces if wanted(piece))
        return views(text) if text else ()

    def _is_untrusted(self, piece: Piece) -> bool:
        return piece.origin is Origin.TOOL_RESULT and not self._table.is_trusted(piece.tool)

    def _is_trusted(self, piece: Piece) -> bool:
        if piece.origin is Origin.TOOL_RESULT:
            return self._table.is_trusted(piece.tool)
        return piece.origin in (Origin.INSTRUCTIONS, Origin.USER)
