"""One line of the list: what was looked at, how it stands, and what would mend it."""

from typing import Final, Literal

import msgspec

UPGRADE: Final = "helm upgrade --install quorate CHART -n quorate-system --reuse-values"
"""Writes everything the chart owns again, and runs the install Job."""
State = Literal["ok", "failed", "notice", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``notice`` is worth a look and stops nothing; ``unknown`` could not be looked at."""

    check: str
    state: State
    message: str
    fix: str = ""
    commands: tuple[str, ...] = ()


def ok(check: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(check=check, state="ok", message=message)


def failed(check: str, message: str, fix: str, *commands: str) -> Finding:
    """It is not, and something does not work because of it."""
    return Finding(check=check, state="failed", message=message, fix=fix, commands=commands)


def notice(check: str, message: str, fix: str, *commands: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(check=check, state="notice", message=message, fix=fix, commands=commands)
