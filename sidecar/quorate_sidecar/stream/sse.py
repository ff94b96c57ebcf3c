"""Server-sent events, as far as OpenAI's API uses them: data lines and comments.

Other fields (``event``, ``id``, ``retry``) are refused: a client would act on what nobody checked.
"""

from quorate import limits
from quorate_sidecar.openai.answer import not_understood

EVENT_BYTES = 1 * limits.MIB
"""The longest event, unfinished or not."""

DONE = b"[DONE]"


class EventReader:
    """Takes bytes as they arrive; returns the data of each complete event."""

    __slots__ = ("_data", "_rest", "_rest_size", "_size")

    def __init__(self) -> None:
        # Parts of an unfinished line; joined once, so that a line of many parts costs its length.
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events that ``chunk`` completes. Raises Refusal for anything else."""
        self._rest.append(chunk)
        self._rest_size += len(chunk)
        if b"\n" not in chunk:
            self._bound()
            return []
        *lines, rest = b"".join(self._rest).split(b"\n")
        self._rest, self._rest_size = [rest], len(rest)
        events = []
        for line in lines:
            text = line[:-1] if line.endswith(b"\r") else line
            if text:
                self._line(text)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        self._bound()
        return events

    def _bound(self) -> None:
        if self._rest_size + self._size > EVENT_BYTES:
            raise not_understood(f"an event is longer than {EVENT_BYTES} bytes")

    def _line(self, line: bytes) -> None:
        if b"\r" in line:
            raise not_understood("an event holds a bare carriage return")
        if line.startswith(b"data:"):
            self._size += len(line)
            self._bound()
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line.startswith(b":"):
            raise not_understood("an event has a field other than data")


def event(data: bytes) -> bytes:
    """One event with this data, which holds no line break."""
    return b"data: " + data + b"\n\n"
