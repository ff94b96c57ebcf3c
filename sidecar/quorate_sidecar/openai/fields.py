"""Types that several bodies share."""

from typing import Annotated, Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from quorate_sidecar.openai.strict import FreeForm

T = TypeVar("T")
Maybe: TypeAlias = T | UnsetType | None
"""A field that may be absent, and may be null: two things that stay apart on the way through."""

Name = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:/@+-]{0,256}$")]
"""An identifier that a model server or a client chooses."""
Word = Annotated[str, Meta(pattern=r"^[a-z_]{1,64}$")]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Tokens = Annotated[int, Meta(ge=0, le=2**31)]
Choices = Annotated[int, Meta(ge=1, le=16)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Stop = str | Annotated[list[str], Meta(max_length=16)]
LogitBias = Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=1024)]
Metadata = Annotated[dict[str, str], Meta(max_length=16)]
Usage = dict[Word, int | float | dict[Word, int | float | None] | None]
"""Counts only: no text fits in."""


class Closed(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The base of every body: an unknown field is refused, an absent one stays absent.

    In requests, fields that may be absent default to UNSET and to nothing else: what a client
    wrote is written again, even if it is null, so that a lost key can only be a duplicate.
    """


class Visitor(Protocol):
    """Sees every text of a body on its way."""

    def prose(self, where: str, text: str) -> str:
        """Return ``text``, masked if need be. Raises Refusal if it is denied."""

    def joined(self, where: str, texts: list[str]) -> None:
        """Texts that a model reads as one. Raises Refusal if only together they are a finding."""

    def fixed(self, where: str, text: str) -> None:
        """A text that cannot be masked, such as a name. Raises Refusal on any finding."""


class StreamOptions(Closed):
    """What a client wants to see in a stream besides text."""

    include_usage: Maybe[bool] = UNSET
    continuous_usage_stats: Maybe[bool] = UNSET


class Function(Closed):
    """The name of a function and the arguments a model wrote for it, as JSON in a string."""

    name: Name
    arguments: str


class ToolCall(Closed):
    """A call that a model wants made."""

    id: Name
    type: Literal["function"]
    function: Function

    def visit(self, visitor: Visitor, where: str) -> None:
        """Show the visitor the texts of this call."""
        visitor.fixed(f"{where}.id", self.id)
        visitor.fixed(f"{where}.function.name", self.function.name)
        self.function.arguments = visitor.prose(
            f"{where}.function.arguments", self.function.arguments
        )


def visit_texts(visitor: Visitor, where: str, texts: list[str]) -> list[str]:
    """Show the visitor a list of prose texts; returns what they become."""
    return [visitor.prose(f"{where}[{index}]", text) for index, text in enumerate(texts)]


def visit_fixed(visitor: Visitor, where: str, value: Any) -> None:
    """Show the visitor every text in ``value``, of any type, none of which can be masked."""
    if value is not UNSET and value is not None:
        FreeForm(where, visitor.fixed).walk(value)
