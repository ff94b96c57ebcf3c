"""From a parsed JSON document to a struct, strictly, with errors that name the field."""

from typing import Any, TypeVar

import msgspec

from quorate.errors import InvalidInput

_MESSAGE_CHARS = 300
_Kind = TypeVar("_Kind")


def convert(document: Any, kind: type[_Kind], what: str) -> _Kind:
    """Read ``document`` as ``kind``; InvalidInput names ``what`` and the field within it."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)[:_MESSAGE_CHARS], field=what) from None
