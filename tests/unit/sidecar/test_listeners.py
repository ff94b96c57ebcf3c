"""Who listens: reading the kernel's tables, and telling ours from others'."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_sidecar.listener_watch import ListenerWatch, own_inodes
from quorate_sidecar.listeners import (
    Listener,
    foreign,
    is_loopback,
    parse_address,
    parse_listeners,
)

HEADER = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  inode\n"
)


def row(address: str, state: str = "0A", inode: int = 7) -> str:
    """A line of the table as the kernel writes it."""
    rest = "00000000:00000000 00:00000000 00000000  1000        0"
    return f"   0: {address} 00000000:0000 {state} {rest} {inode} 1 0000000000000000 100 0 0 10 0\n"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),  # noqa: S104
        ("0500F40A", "10.244.0.5"),
        ("00000000000000000000000001000000", "::1"),
        ("00000000000000000000000000000000", "::"),
        ("0000000000000000FFFF00000100007F", "::ffff:127.0.0.1"),
        ("B80D01200000000000000000010000AB", "2001:db8::ab00:1"),
    ],
)
def test_addresses_are_words_in_host_order(text: str, address: str) -> None:
    """The kernel prints each 32-bit word as a little-endian machine reads it."""
    assert parse_address(text, byteorder="little") == ipaddress.ip_address(address)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_ipv4_address_is_read(number: int) -> None:
    """Written as the kernel does, every address comes back."""
    address = ipaddress.IPv4Address(number)
    assert parse_address(address.packed[::-1].hex().upper(), byteorder="little") == address
    assert parse_address(address.packed.hex(), byteorder="big") == address


def test_only_listening_sockets_count() -> None:
    """Connections, also those that wait to die, are no listeners."""
    table = HEADER + row("0500F40A:1F40", inode=11) + row("0500F40A:9999", "01") + row("0:0", "06")
    (found,) = parse_listeners(table, byteorder="little")
    assert (str(found), found.inode) == ("10.244.0.5:8000", 11)


@pytest.mark.parametrize(
    "table",
    ["", "hello\n", HEADER + "   0: 0A 0A \n", HEADER + row("XYZ:1F40"), HEADER + row("0100007F:"),
     HEADER + row("0100007F:1F40").replace(" 7 1 ", " x 1 ")],
)  # fmt: skip
def test_tables_that_are_none_are_errors(table: str) -> None:
    """What cannot be read is not an empty table."""
    with pytest.raises(ValueError):
        parse_listeners(table, byteorder="little")


@pytest.mark.requirement("sidecar: a foreign listener beyond loopback is found")
def test_foreign_listeners_are_others_beyond_loopback() -> None:
    """Loopback and our own sockets are fine; the wildcard and any other address are not."""
    listeners = [
        Listener(ipaddress.ip_address(address), 8000, inode)
        for inode, address in enumerate(
            ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.5", "0.0.0.0", "::", "10.0.0.6"]  # noqa: S104
        )
    ]
    found = foreign(listeners, frozenset({3}))
    assert [str(listener.address) for listener in found] == ["0.0.0.0", "::", "10.0.0.6"]  # noqa: S104
    assert is_loopback(ipaddress.ip_address("127.9.9.9"))
    assert not is_loopback(ipaddress.ip_address("::ffff:10.0.0.1"))


def watch(folder: Path) -> ListenerWatch:
    return ListenerWatch(lambda found: None, folder)


def test_watch_names_what_it_finds(tmp_path: Path) -> None:
    """Both tables are read; IPv6 may be absent."""
    (tmp_path / "tcp").write_text(HEADER + row("0100007F:1F40") + row("00000000:1F90"))
    (found,) = watch(tmp_path).look()
    assert found.endswith(":8080")
    (tmp_path / "tcp6").write_text(HEADER + row("0" * 32 + ":1F91"))
    assert len(watch(tmp_path).look()) == 2


@pytest.mark.requirement("sidecar: what cannot be looked at is not trusted")
@pytest.mark.parametrize("content", [None, "", "garbage", "\xff"])
def test_watch_that_cannot_see_says_so(tmp_path: Path, content: str | None) -> None:
    """A missing or unreadable table is a finding."""
    if content is not None:
        (tmp_path / "tcp").write_text(content, encoding="latin-1")
    (found,) = watch(tmp_path).look()
    assert "cannot be read" in found


def test_own_sockets_are_recognised(tmp_path: Path) -> None:
    """A socket of this process is ours by its inode, wherever it is bound."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        inode = os.fstat(server.fileno()).st_ino
        assert inode in own_inodes()
        (tmp_path / "tcp").write_text(HEADER + row("00000000:1F40", inode=inode))
        assert watch(tmp_path).look() == []
    assert len(watch(tmp_path).look()) == 1


def test_real_table_shows_a_real_listener() -> None:
    """This machine's own table is one the parser reads."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        found = parse_listeners(Path("/proc/net/tcp").read_text("ascii"))
    assert any(listener.port == port and is_loopback(listener.address) for listener in found)
