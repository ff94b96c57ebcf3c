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

    __slots__ = ("_data", "_rest", "_size")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events that ``chunk`` completes. Raises Refusal for anything else."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events = []
        for line in lines:
            text = line[:-1] if line.endswith(b"\r") else line
            if text:
                self._line(text)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        if len(self._rest) + self._size > EVENT_BYTES:
            raise not_understood(f"an event is longer than {EVENT_BYTES} bytes")
        return events

    @property
    def idle(self) -> bool:
        """True between two events."""
        return not self._rest and not self._data

    def _line(self, line: bytes) -> None:
        if b"\r" in line:
            raise not_understood("an event holds a bare carriage return")
        if line.startswith(b"data:"):
            self._size += len(line)
            if self._size > EVENT_BYTES:
                raise not_understood(f"an event is longer than {EVENT_BYTES} bytes")
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line.startswith(b":"):
            raise not_understood("an event has a field other than data")


def event(data: bytes) -> bytes:
    """One event with this data, which holds no line break."""
    return b"data: " + data + b"\n\n"
