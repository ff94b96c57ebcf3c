"""The event reader and the whole stream guard, under any cut of the bytes."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.policy.runtime import CheckRule
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.openai.chat_answer import CHAT_CHUNK
from quorate_sidecar.refusal import Refusal
from quorate_sidecar.stream.guard import StreamGuard
from quorate_sidecar.stream.sse import EventReader, event
from tests.unit.sidecar import samples

SCANNER = scanner_for((CheckRule("secrets", "deny"), CheckRule("pii", "mask")))
PLANTED = [*list(samples.secrets().values())[:6], *samples.PII.values()]
line = st.binary(min_size=1, max_size=20).filter(lambda data: not {10, 13} & set(data))


def cut(blob: bytes, sizes: list[int]) -> list[bytes]:
    """``blob`` in parts of these sizes, over and over."""
    parts, at, number = [], 0, 0
    while at < len(blob):
        size = sizes[number % len(sizes)]
        parts.append(blob[at : at + size])
        at, number = at + size, number + 1
    return parts


def read(parts: list[bytes]) -> list[bytes] | None:
    """All events, or None if the bytes are refused."""
    reader, found = EventReader(), []
    try:
        for part in parts:
            found += reader.feed(part)
    except Refusal:
        return None
    return found


@settings(deadline=None)
@given(st.lists(line, max_size=5), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_events_come_out_whole_at_any_cut(
    payloads: list[bytes], sizes: list[int], carriage: bool
) -> None:
    """What was written as events is read as these events, with LF and with CRLF."""
    blob = b"".join(event(payload) for payload in payloads)
    if carriage:
        blob = blob.replace(b"\n", b"\r\n")
    assert read(cut(blob, sizes)) == payloads


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(1, 9), min_size=1))
def test_any_bytes_are_read_alike_at_any_cut(blob: bytes, sizes: list[int]) -> None:
    """Arbitrary bytes give the same events, or the same refusal, however they arrive."""
    assert read(cut(blob, sizes)) == read([blob])


words = st.sampled_from([*(f" {text} " for text in PLANTED), "the fox ", "7 ", "ü", "\n", "x"])


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """The events of an answer: up to two choices, text, reasoning and tool calls, interleaved."""
    events: list[dict[str, Any]] = []
    choices = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 8))):
        index = draw(st.integers(0, choices - 1))
        field = draw(st.sampled_from(["content", "reasoning_content", "tool"]))
        text = draw(words)
        delta: dict[str, Any] = {field: text}
        if field == "tool":
            function = {"arguments": text}
            delta = {"tool_calls": [{"index": draw(st.integers(0, 1)), "function": function}]}
        events.append({"index": index, "delta": delta, "finish_reason": None})
    events += [{"index": n, "delta": {}, "finish_reason": "stop"} for n in range(choices)]
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    payloads = [json.dumps({**head, "choices": [choice]}).encode() for choice in events]
    return [*(event(payload) for payload in payloads), event(b"[DONE]")]


def lanes_of(blob: bytes) -> dict[str, str]:
    """The text of every lane that a client puts together."""
    found: dict[str, str] = {}
    for payload in read([blob]) or []:
        if payload == b"[DONE]":
            continue
        for choice in json.loads(payload)["choices"]:
            index, delta = choice["index"], choice["delta"]
            for field in ("content", "reasoning_content"):
                key = f"{index}.{field}"
                found[key] = found.get(key, "") + (delta.get(field) or "")
            for call in delta.get("tool_calls", []):
                key = f"{index}.tool.{call['index']}"
                found[key] = found.get(key, "") + call["function"]["arguments"]
    return {key: text for key, text in found.items() if text}


def guarded(parts: list[bytes]) -> tuple[bytes, StreamGuard]:
    """What leaves of a stream, and the guard afterwards."""
    guard, out = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", 10_000_000), b""
    for part in parts:
        out += guard.feed(part)
        if guard.refusal:
            break
    guard.end()
    return out, guard


@settings(max_examples=200, deadline=None)
@given(conversations(), st.lists(st.integers(1, 60), min_size=1, max_size=4))
@pytest.mark.requirement(
    "sidecar: for any chunking, what is released equals the decision on the whole"
)
def test_stream_is_released_alike_at_any_cut(events: list[bytes], sizes: list[int]) -> None:
    """Cutting the bytes anywhere changes neither the texts nor the verdict."""
    blob = b"".join(events)
    whole, one = guarded([blob])
    pieces, other = guarded(cut(blob, sizes))
    assert lanes_of(whole) == lanes_of(pieces)
    assert (one.refusal is None) == (other.refusal is None)
    if one.refusal and other.refusal:
        assert one.refusal.message == other.refusal.message


@settings(max_examples=200, deadline=None)
@given(conversations())
@pytest.mark.requirement("sidecar: 0 bytes of a denied finding are released")
def test_no_lane_shows_a_secret(events: list[bytes]) -> None:
    """Whatever lanes are interleaved: no credential and no personal data leaves."""
    out, guard = guarded(events)
    for text in lanes_of(out).values():
        for planted in PLANTED:
            assert planted not in text
    if guard.refusal is None:
        assert out.endswith(b"data: [DONE]\n\n")
        assert all(lane.scanned == lane.received for lane in guard.coverage)


@settings(max_examples=200, deadline=None)
@given(conversations(), st.data())
def test_damaged_stream_ends_in_order(events: list[bytes], data: st.DataObject) -> None:
    """Damage ends in a refusal or does no harm; what left before it is well formed."""
    blob = bytearray(b"".join(events))
    # A space gone makes a credential part of a longer word, which is none.
    at = data.draw(st.sampled_from([i for i, byte in enumerate(blob) if byte != ord(" ")]))
    blob[at] ^= data.draw(st.integers(1, 255))
    out, _ = guarded(cut(bytes(blob), [data.draw(st.integers(1, 200))]))
    for text in lanes_of(out).values():
        assert all(secret not in text for secret in PLANTED[:6])
