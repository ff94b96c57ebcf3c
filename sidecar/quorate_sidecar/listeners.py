"""Who listens in this pod: reads what the kernel says in /proc/net/tcp and tcp6.

A pod's containers share one network. A model server, or anything beside it, that listens beyond
loopback can be reached around the sidecar, so such a socket must be the sidecar's own.
"""

import ipaddress
import sys
from dataclasses import dataclass

_LISTEN = "0A"
LINES_MAX = 200_000
"""Sockets read from one table. More than a pod can have; an endless file is not one."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket; ``inode`` tells whose it is."""

    address: Address
    port: int
    inode: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


def parse_address(text: str, *, byteorder: str = sys.byteorder) -> Address:
    """The address that the kernel writes as 8 or 32 hex digits: 32-bit words in host order.

    Raises ValueError for anything else.
    """
    if len(text) not in (8, 32):
        raise ValueError(f"address of {len(text)} hex digits")
    raw = bytes.fromhex(text)
    if byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return ipaddress.ip_address(raw)


def parse_listeners(table: str, *, byteorder: str = sys.byteorder) -> list[Listener]:
    """The listening sockets of one table. Raises ValueError if it is not one."""
    header, *lines = table.splitlines()[:LINES_MAX]
    if "local_address" not in header:
        raise ValueError("not a table of sockets")
    found = []
    for line in lines:
        # Most lines of a busy pod are connections; splitting those would cost a millisecond.
        if f" {_LISTEN} " not in line:
            continue
        fields = line.split()
        if len(fields) < 10:
            raise ValueError(f"a line of {len(fields)} fields")
        if fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            where = parse_address(address, byteorder=byteorder)
            found.append(Listener(where, int(port, 16), int(fields[9])))
    return found


def is_loopback(address: Address) -> bool:
    """True if only this pod can reach the address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def foreign(listeners: list[Listener], own_inodes: frozenset[int]) -> list[Listener]:
    """Listeners that others can reach and that are not ours."""
    return [
        listener
        for listener in listeners
        if not is_loopback(listener.address) and listener.inode not in own_inodes
    ]
