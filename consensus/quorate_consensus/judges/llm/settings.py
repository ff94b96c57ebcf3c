"""What the release says of the judge: its model, its instructions, its words."""

from typing import Annotated, Any

import msgspec

from quorate.consensus.wire import REQUEST_BYTES
from quorate.statements import Identifier, convert

_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z0-9]{1,39}\Z")]


class JudgeModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that judges: nobody asks it about itself."""

    namespace: Identifier
    model: Identifier


class LlmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``characters_max``: a longer request is denied unread."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    model: Identifier
    max_tokens: Annotated[int, msgspec.Meta(ge=32, le=4_096)]
    characters_max: Annotated[int, msgspec.Meta(ge=1_024, le=REQUEST_BYTES)]
    reasons: Annotated[tuple[_Word, ...], msgspec.Meta(min_length=1, max_length=32)]
    judge_models: Annotated[tuple[JudgeModel, ...], msgspec.Meta(max_length=64)]
    instructions: Annotated[str, msgspec.Meta(min_length=1, max_length=8_192)]


def read_settings(document: dict[str, Any]) -> LlmSettings:
    """Read the settings. Raises InvalidInput."""
    return convert(document, LlmSettings, "llm")
