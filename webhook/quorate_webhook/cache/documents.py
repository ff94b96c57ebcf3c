"""Lists and watch events as bytes, decoded no further than needed.

Every function raises msgspec.MsgspecError or, for what is not UTF-8, ValueError.
"""

from typing import Any

import msgspec


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """One page of a list. ``metadata.continue_`` is empty on the last one."""

    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


class Event(msgspec.Struct):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class Named(msgspec.Struct):
    """An object as far as its identity."""

    metadata: _Metadata


class Failure(msgspec.Struct):
    """The Status object of an ERROR event."""

    code: int = 0
    message: str = ""


_PAGE = msgspec.json.Decoder(Page)
_EVENT = msgspec.json.Decoder(Event)
_NAMED = msgspec.json.Decoder(Named)
_FAILURE = msgspec.json.Decoder(Failure)
_ANY = msgspec.json.Decoder(dict[str, Any])


def page(data: bytes) -> Page:
    """Read one page of a list."""
    return _PAGE.decode(data)


def event(line: bytes) -> Event:
    """Read one line of a watch."""
    return _EVENT.decode(line)


def named(raw: msgspec.Raw) -> _Metadata:
    """Name, namespace and version of an object."""
    return _NAMED.decode(raw).metadata


def failure(raw: msgspec.Raw) -> Failure:
    """What an ERROR event says."""
    return _FAILURE.decode(raw)


def whole(raw: msgspec.Raw) -> dict[str, Any]:
    """The whole object."""
    return _ANY.decode(raw)
