"""Ports of the members, forwarded by kubectl for as long as a command runs.

What comes over them is believed as little as what comes over any other way: each member proves by
its key who it is.
"""

import contextlib
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from quorate import names
from quorate.errors import InvalidInput, Unavailable

SECONDS: Final = 8.0
"""Until kubectl says that it listens."""
_LISTENS = re.compile(rb"Forwarding from 127\.0\.0\.1:([0-9]{1,5}) -> ", re.ASCII)
_SEAT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)
_SAID_BYTES: Final = 4_096


@contextlib.contextmanager
def forwarded(members: Iterable[str], flags: Sequence[str]) -> Iterator[dict[str, str]]:
    """URLs of these members. A member whose port cannot be forwarded is where nobody answers.

    ``flags`` go to kubectl as they are. Raises Unavailable if there is no kubectl.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise Unavailable(
            "kubectl is not on the path, which would forward the members' ports",
            fix="say where the members are: --member-url",
        )
    with contextlib.ExitStack() as stack:
        running = {}
        for name in dict.fromkeys(members):
            if not _SEAT.match(name):
                raise InvalidInput(f"is no member's name: {name}", field="member")
            running[name] = stack.enter_context(_running(program, name, flags))
        end = time.monotonic() + SECONDS
        yield {name: _url(process, end) for name, process in running.items()}


@contextlib.contextmanager
def _running(program: str, name: str, flags: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    service = f"service/{names.member_object(name)}"
    command = [program, *flags, "port-forward", "-n", names.NAMESPACE, service]
    process = subprocess.Popen(  # noqa: S603 - kubectl, with words of ours
        [*command, f":{names.MEMBER_PORT}", "--address", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _url(process: "subprocess.Popen[bytes]", end: float) -> str:
    """Where it listens; a port on which nobody does if it ended, or says nothing in time."""
    said = b""
    stream = process.stdout
    assert stream is not None  # noqa: S101 - it is a pipe
    while (left := end - time.monotonic()) > 0 and len(said) < _SAID_BYTES:
        if not select.select([stream], [], [], left)[0]:
            break
        # A read of the descriptor itself returns what there is.
        chunk = stream.read1(_SAID_BYTES)  # type: ignore[attr-defined]
        if not chunk:
            break
        said += chunk
        found = _LISTENS.search(said)
        if found:
            return f"https://127.0.0.1:{int(found[1])}"
    return "https://127.0.0.1:1"
