"""A streamed answer on its way from the model to the client.

Every text of every choice is a lane of its own. A lane lets out what is decided; a choice's
``finish_reason`` comes after all of its text; an event that is not understood ends the stream.
Calls, and text where that is an action, are kept until the choice ends: then the guard stops, and
``pending`` says what somebody must decide before it goes on.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from quorate.audit.records import Coverage
from quorate.consensus.conversation import Said
from quorate_sidecar.actions.withheld import Withheld
from quorate_sidecar.checks.lane import ContentDenied, Lane, Tally
from quorate_sidecar.checks.scanner import Scanner
from quorate_sidecar.checks.text_guard import TextGuard, coverage_of, denied_content
from quorate_sidecar.openai.answer import AnswerDecoder, not_understood
from quorate_sidecar.openai.chat_answer import ChatChunk, ChatChunkChoice
from quorate_sidecar.openai.completion_answer import CompletionAnswer, CompletionChoice
from quorate_sidecar.openai.strict import encode
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.stream.sse import DONE, EventReader, event

LANES_MAX = 64
"""Texts in one stream: choices times fields and tool calls."""
ENVELOPES_MAX = 4
"""Times that the names around the text may change; they are no way to send text."""

Chunk = ChatChunk | CompletionAnswer
ChunkChoice = ChatChunkChoice | CompletionChoice


@dataclass(frozen=True, slots=True)
class _Ending:
    """Choices that ended together. ``ends`` says why; ``last``: the whole stream ended."""

    chunk: Chunk
    indices: tuple[int, ...]
    ends: tuple[ChunkChoice, ...]
    usage: Any
    last: bool


class StreamGuard:
    """Feed it the model server's bytes; send what it returns; stop when ``refusal`` is set.

    While ``pending`` is set nothing more leaves: say with :meth:`decided` what was decided of it.
    """

    def __init__(
        self,
        decoder: AnswerDecoder[ChatChunk] | AnswerDecoder[CompletionAnswer],
        scanner: Scanner,
        request_id: str,
        bytes_max: int,
        *,
        streams_prose: bool = True,
    ) -> None:
        """``streams_prose``: text leaves as it comes; otherwise with its choice's decision."""
        self._decode: Callable[[bytes], Chunk] = decoder.decode
        self._scanner = scanner
        self._id = request_id
        self._names_guard = TextGuard(scanner)
        self._reader = EventReader()
        self._bytes_max = bytes_max
        self._lanes: dict[int, dict[str, Lane]] = {}
        self._lane_count = 0
        self._streams_prose = streams_prose
        self._kept: dict[int, Withheld] = {}
        self._queue: deque[bytes] = deque()
        self._ending: _Ending | None = None
        self._finished: set[int] = set()
        self._names: tuple[Any, ...] = ()
        self._envelopes = 0
        self._last: Chunk | None = None
        self._out: list[bytes] = []
        self.tally: Tally = self._names_guard.tally
        self.received = 0
        self.events = 0
        self.done = False
        self.refusal: Refusal | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return the events that may be sent now. Nothing, after a refusal."""
        if self.refusal is not None:
            return b""
        self.received += len(data)
        try:
            if self.received > self._bytes_max:
                message = f"the answer is longer than {self._bytes_max} bytes"
                raise Refusal(502, Code.RESPONSE_TOO_LARGE, message)
            self._queue.extend(self._reader.feed(data))
            self._work()
        except Refusal as refusal:
            self.refusal = refusal
        return self._taken()

    @property
    def pending(self) -> tuple[tuple[int, Said], ...]:
        """The choices that must be decided about now, with all that each says and does."""
        if self.refusal is not None or self._ending is None:
            return ()
        return tuple((index, self._kept[index].said()) for index in self._ending.indices)

    def decided(self, refusal: Refusal | None = None) -> bytes:
        """What was decided of ``pending``: nothing against it, or why it must not leave. Returns
        the events that may be sent now."""
        self.refusal = refusal
        if refusal is not None:
            return b""
        try:
            self._release()
            self._work()
        except Refusal as found:
            self.refusal = found
        return self._taken()

    def _work(self) -> None:
        while self._queue and self._ending is None:
            self.events += 1
            self._event(self._queue.popleft())

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def end(self) -> None:
        """The model server closed. Without its end mark, what is held back stays held back."""
        if not self.done and self.refusal is None:
            self.refusal = not_understood("it ended before it was complete")

    @property
    def coverage(self) -> list[Coverage]:
        """What became of every lane's bytes."""
        return [
            coverage_of(f"{index}.{name}", lane)
            for index, lanes in self._lanes.items()
            for name, lane in lanes.items()
        ]

    def _event(self, payload: bytes) -> None:
        if self.done:
            raise not_understood("an event follows its end")
        if payload == DONE:
            self._finish()
            return
        chunk = self._decode(payload)
        self._check_names(chunk)
        chunk.id = self._id
        chunk.drop_extras()
        self._last = chunk
        if chunk.choices:
            self._choices(chunk)
        else:
            self._emit(chunk, [])

    def _check_names(self, chunk: Chunk) -> None:
        if chunk.names() == self._names:
            return
        self._envelopes += 1
        if self._envelopes > ENVELOPES_MAX:
            raise not_understood("its model keeps changing")
        self._names = chunk.names()
        chunk.visit_envelope(self._names_guard)

    def _choices(self, chunk: Chunk) -> None:
        """Release what is decided of each choice, then the ends of those that end."""
        texts: list[ChunkChoice] = []
        ends: list[ChunkChoice] = []
        stop: Refusal | None = None
        for choice in chunk.choices:
            reason, stop = self._choice(choice)
            if not choice.empty():
                texts.append(choice)
            if stop:
                break
            if reason:
                ends.append(choice.finishing(reason))
        usage = chunk.usage
        if texts:
            if ends:
                chunk.usage = UNSET
            self._emit(chunk, texts)
        if stop:
            raise stop
        if ends:
            indices = tuple(choice.index for choice in ends)
            self._await(_Ending(chunk, indices, tuple(ends), usage, last=False))

    def _await(self, ending: _Ending) -> None:
        """Stop until ``ending`` is decided."""
        self._ending = ending
        if not ending.indices:
            self._release()

    def _release(self) -> None:
        """Let out what was kept of the choices that ended, then why they ended."""
        ending, self._ending = self._ending, None
        if ending is None:
            return
        chunk = ending.chunk
        chunk.usage = UNSET
        kind = ChatChunkChoice if isinstance(chunk, ChatChunk) else CompletionChoice
        kept = []
        for index in ending.indices:
            choice = kind.blank(index)
            choice.put(self._kept[index].kept_texts())
            choice.put_calls(self._kept[index].kept_calls())
            if not choice.empty():
                kept.append(choice)
        if kept:
            self._emit(chunk, kept)
        if ending.ends:
            chunk.usage = ending.usage
            self._emit(chunk, list(ending.ends))
        if ending.last:
            self._out.append(event(DONE))
            self.done = True

    def _choice(self, choice: ChunkChoice) -> tuple[str, Refusal | None]:
        """Replace the choice's text with what may leave; also why it ends, and what denies."""
        reason = choice.finish_reason
        choice.finish_reason = None
        choice.drop_extras()
        for text in choice.fixed():
            self._names_guard.fixed("tool_calls", text)
        taken = choice.take()
        calls = choice.take_calls()
        if choice.index in self._finished and (taken or calls or reason):
            raise not_understood("a choice goes on after its end")
        kept = self._kept_of(choice.index)
        kept.add_calls(calls)
        pieces = [(name, text, False) for name, text in taken.items()]
        if reason:
            self._finished.add(choice.index)
            names = {**self._lanes.get(choice.index, {}), **taken}
            pieces += [(name, "", True) for name in names]
        released, stop = self._pass(choice.index, pieces)
        choice.put(kept.add_texts(released))
        return (reason if isinstance(reason, str) else ""), stop

    def _kept_of(self, index: int) -> Withheld:
        if index not in self._kept:
            self._kept[index] = Withheld(streams_prose=self._streams_prose)
        return self._kept[index]

    def _pass(
        self, index: int, pieces: list[tuple[str, str, bool]]
    ) -> tuple[dict[str, str], Refusal | None]:
        """Feed ``(lane, text, final)`` pieces; what may leave by lane, and what denies, if any."""
        lanes = self._lanes.setdefault(index, {})
        released: dict[str, str] = {}
        for name, text, final in pieces:
            lane = lanes.get(name) or self._open_lane(lanes, name)
            try:
                out = lane.feed(text, final=final)
            except ContentDenied as denied:
                released[name] = released.get(name, "") + denied.released
                return released, denied_content(denied.finding, f"the answer ({index}.{name})")
            released[name] = released.get(name, "") + out
        return released, None

    def _open_lane(self, lanes: dict[str, Lane], name: str) -> Lane:
        self._lane_count += 1
        if self._lane_count > LANES_MAX:
            raise not_understood(f"it has more than {LANES_MAX} texts")
        lanes[name] = Lane(self._scanner, self.tally)
        return lanes[name]

    def _finish(self) -> None:
        """The end mark: let out the rest of choices that never said why they ended."""
        chunk = self._last
        if chunk is None:
            self._out.append(event(DONE))
            self.done = True
            return
        chunk.usage = UNSET
        open_ = tuple(index for index in self._kept if index not in self._finished)
        for index in open_:
            names = list(self._lanes.get(index, {}))
            released, stop = self._pass(index, [(name, "", True) for name in names])
            kind = ChatChunkChoice if isinstance(chunk, ChatChunk) else CompletionChoice
            choice = kind.blank(index)
            choice.put(self._kept[index].add_texts(released))
            if not choice.empty():
                self._emit(chunk, [choice])
            if stop:
                raise stop
        self._await(_Ending(chunk, open_, (), UNSET, last=True))

    def _emit(self, chunk: Chunk, choices: list[Any]) -> None:
        chunk.choices = choices
        self._out.append(event(encode(chunk)))
