"""Looks for foreign listeners, again and again."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

from quorate_sidecar.listeners import Listener, foreign, parse_listeners

PERIOD = 1.0
"""Seconds between two looks: how long a foreign listener can go unseen."""

_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")


def own_inodes() -> frozenset[int]:
    """Inodes of all sockets this process holds."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if match := _SOCKET.match(target):
            found.add(int(match[1]))
    return frozenset(found)


class ListenerWatch:
    """Tells ``report`` what it finds: addresses of foreign listeners, or why it cannot look."""

    def __init__(self, report: Callable[[list[str]], None], proc_net: Path) -> None:
        self._report = report
        self._tables = (proc_net / "tcp", proc_net / "tcp6")
        self._own: frozenset[int] = frozenset()

    def look(self) -> list[str]:
        """One look. What cannot be read is a finding too: not seeing is not knowing."""
        try:
            listeners = self._listeners()
        except (OSError, ValueError) as error:
            return [f"the list of listening sockets cannot be read: {error}"]
        strangers = foreign(listeners, self._own)
        if strangers:
            # Ours may be new; reading all our descriptors is the dearer part.
            self._own = own_inodes()
            strangers = foreign(strangers, self._own)
        return [f"a foreign listener on {listener}" for listener in strangers]

    async def run(self, period: float = PERIOD) -> None:
        """Look for ever."""
        while True:
            self._report(self.look())
            await asyncio.sleep(period)

    def _listeners(self) -> list[Listener]:
        v4, v6 = self._tables
        found = parse_listeners(v4.read_text("ascii"))
        # A kernel without IPv6 has no such table.
        return found + (parse_listeners(v6.read_text("ascii")) if v6.exists() else [])
