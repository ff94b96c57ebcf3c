"""What the scripted server says: a command in the last message, or in the model's name, decides.

==============================================  ================================================
``echo:TEXT``                                   the text, a word a chunk
``leak:chunks=3,choice=0,field=content``        a made-up cloud key, spread over so many chunks;
                                                fields: content, refusal, reasoning_content,
                                                arguments (of a tool call)
``slow:chunks=5,seconds=1``                     so many chunks with a pause before each
``big:bytes=1000000``                           one letter so many times, 1 KiB a chunk
``choices:n=2``                                 so many answers side by side
``tools:``                                      a tool call whose arguments come in two chunks
``call:NAME/ARGUMENTS``                         a call of that tool; the arguments are JSON, in
                                                base64url without padding
``abort:after=2``                               so many chunks, then the connection is cut
``malformed:kind=json``                         an event that is no JSON; other kinds: utf8, object,
                                                duplicate, endless (a line that never ends), done
                                                (text after the end), open (no end mark at all)
``status:code=503``                             an error with that status code
``silent:seconds=60``                           nothing for so long, then a short answer
``seen:``                                       the body of the request as this server received it
==============================================  ================================================

Anything else gets DEFAULT_TEXT. A stream is a list of steps, which `server` carries out.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

DEFAULT_TEXT = "This is a scripted answer."
# The public form of a cloud key, in two parts so that no scanner takes it for a real one.
PLANTED = "AKIA" + "Q3EXAMPLE7PLANTD"

CHUNKS_MAX = 1000
SECONDS_MAX = 300.0
BYTES_MAX = 64 * 1024 * 1024
CHUNK_BYTES = 1024
ENDLESS_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Delta:
    """Sends a chunk: a change to one of the answers."""

    change: dict[str, Any]
    choice: int = 0


@dataclass(frozen=True)
class Raw:
    """Sends bytes as they are, in the middle of a stream."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Sends nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Status:
    """Answers with an error instead of a stream; always the only step."""

    code: int


@dataclass(frozen=True)
class Cut:
    """Ends the connection without an end of the answer; always the last step."""

    after_done: bytes = b""


Step = Delta | Raw | Pause | Status | Cut


@dataclass(frozen=True)
class Command:
    """A parsed command."""

    name: str
    text: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: float, most: float) -> float:
        """Returns an option as a number between 0 and ``most``."""
        return min(max(float(self.options.get(name, default)), 0.0), most)

    def count(self, name: str, default: int, most: int = CHUNKS_MAX) -> int:
        """Returns an option as a whole number between 1 and ``most``."""
        return min(max(int(self.options.get(name, default)), 1), most)


def parse_command(request: dict[str, Any]) -> Command:
    """Returns the command of a request; one that says nothing special gets ``default``."""
    for text in (_last_text(request), str(request.get("model", ""))):
        name, colon, rest = text.partition(":")
        if colon and name in _SCRIPTS:
            pairs = (part.partition("=") for part in rest.split(","))
            return Command(name, rest, {key.strip(): value for key, _, value in pairs})
    return Command("echo", DEFAULT_TEXT)


def _last_text(request: dict[str, Any]) -> str:
    messages = request.get("messages")
    if not messages:
        return str(request.get("prompt", ""))
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content)


def steps(command: Command, body: bytes) -> Iterator[Step]:
    """Yields the steps of an answer; ``body`` is the request as it came."""
    if command.name == "seen":
        return _echo(Command("echo", body.decode("utf-8", "replace")))
    return _SCRIPTS[command.name](command)


def _echo(command: Command) -> Iterator[Step]:
    for word in command.text.replace(" ", " \0").split("\0"):
        yield Delta({"content": word})


def _leak(command: Command) -> Iterator[Step]:
    choice = int(command.number("choice", 0, 9))
    field_name = command.options.get("field", "content")
    for part in ("The key is ", *_split(PLANTED, command.count("chunks", 1)), ", keep it."):
        yield Delta(_change(field_name, part), choice)


def _change(field_name: str, part: str) -> dict[str, Any]:
    return _tool_call(part) if field_name == "arguments" else {field_name: part}


def _split(text: str, parts: int) -> list[str]:
    """Returns the text in so many parts of nearly equal length, none of them empty."""
    parts = min(parts, len(text))
    ends = [len(text) * number // parts for number in range(parts + 1)]
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def _slow(command: Command) -> Iterator[Step]:
    for number in range(command.count("chunks", 5)):
        yield Pause(command.number("seconds", 1.0, SECONDS_MAX))
        yield Delta({"content": f"{number} "})


def _big(command: Command) -> Iterator[Step]:
    left = command.count("bytes", 1_000_000, BYTES_MAX)
    while left > 0:
        yield Delta({"content": "x" * min(left, CHUNK_BYTES)})
        left -= CHUNK_BYTES


def _choices(command: Command) -> Iterator[Step]:
    number = command.count("n", 2, 10)
    for word in ("one ", "two ", "three"):
        for choice in range(number):
            yield Delta({"content": word}, choice)


def _tools(_command: Command) -> Iterator[Step]:
    yield Delta(_tool_call('{"city": '))
    yield Delta(_tool_call('"Bern"}'))


def _call(command: Command) -> Iterator[Step]:
    name, _, coded = command.text.partition("/")
    arguments = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
    yield Delta(_tool_call(arguments, name))


def _tool_call(arguments: str, name: str = "look_up") -> dict[str, Any]:
    call = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}


def _abort(command: Command) -> Iterator[Step]:
    for number in range(command.count("after", 2)):
        yield Delta({"content": f"{number} "})
    yield Cut()


def _malformed(command: Command) -> Iterator[Step]:
    yield Delta({"content": "so far so good "})
    kind = command.options.get("kind", "json")
    if kind == "open":
        yield Cut(after_done=b"0\r\n\r\n")
        return
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": "twice"}}]})
    yield Raw(
        {
            "json": b"data: {not json\n\n",
            "utf8": b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n',
            "object": b"data: [1, 2, 3]\n\n",
            "duplicate": f'data: {{"choices": [], {chunk[1:]}\n\n'.encode(),
            "endless": b"data: " + b"x" * ENDLESS_BYTES,
            "done": f"data: [DONE]\n\ndata: {chunk}\n\n".encode(),
        }[kind]
    )


def _status(command: Command) -> Iterator[Step]:
    yield Status(int(command.number("code", 503, 599)))


def _silent(command: Command) -> Iterator[Step]:
    yield Pause(command.number("seconds", 60.0, SECONDS_MAX))
    yield Delta({"content": "at last"})


_SCRIPTS: dict[str, Callable[[Command], Iterator[Step]]] = {
    "echo": _echo,
    "leak": _leak,
    "slow": _slow,
    "big": _big,
    "choices": _choices,
    "tools": _tools,
    "call": _call,
    "abort": _abort,
    "malformed": _malformed,
    "status": _status,
    "silent": _silent,
    "seen": _echo,
}
