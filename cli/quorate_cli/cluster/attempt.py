"""Reading that may be refused: what was read, or why not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from quorate_cli.cluster.reader import NotInstalled, NotPermitted, NotServed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why something could not be read, and what to do about it."""

    message: str
    fix: str
    absent: bool
    """It is not there, or of no use: nobody could read it. Otherwise this user may not."""


def attempt(read: Callable[[], T]) -> T | Unreadable:
    """The result of ``read``, or why this user or this cluster has none to show.

    An API server that does not answer is another matter: Unavailable passes.
    """
    try:
        return read()
    except (NotInstalled, NotServed) as error:
        return Unreadable(error.message, error.fix, absent=True)
    except NotPermitted as error:
        return Unreadable(error.message, error.fix, absent=False)
