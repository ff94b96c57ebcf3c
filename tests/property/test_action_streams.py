"""Streams of answers that act: how a stream is cut changes nothing that is decided or released."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.consensus.conversation import Said
from quorate.policy.runtime import CheckRule
from quorate_sidecar.answers import check_answer, stream_guard
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.routes import Api
from tests.unit.sidecar import samples

SCANNER = scanner_for((CheckRule("secrets", "flag"), CheckRule("pii", "mask")))
CHUNKING = "sidecar: the chunking of a stream never changes what is decided about its actions"
HEAD = {"id": "c", "created": 1, "model": "m"}
DENIED = Refusal(403, Code.ACTION, "no")

words = st.sampled_from(["", "the fox ", samples.PII["email"], "grün ", '{"a": 1}', "🦊"])
texts = st.lists(words, max_size=4).map("".join)
names = st.sampled_from(["look", "send", "pay"])
arguments = st.one_of(
    st.dictionaries(st.sampled_from(["to", "n"]), texts, max_size=2).map(json.dumps), texts
)
calls = st.lists(st.tuples(names, arguments), max_size=3)
choices = st.lists(st.tuples(texts, calls), min_size=1, max_size=3)
cuts = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def cut(text: str, sizes: list[int]) -> list[str]:
    """``text`` in parts of these sizes, over and over; one empty part if it is empty."""
    parts, at, number = [], 0, 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        parts.append(text[at : at + size])
        at, number = at + size, number + 1
    return parts or [""]


def whole(said: list[tuple[str, list[tuple[str, str]]]]) -> bytes:
    """The answer in one piece."""
    found = []
    for index, (text, made) in enumerate(said):
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if made:
            message["tool_calls"] = [
                {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": args}}
                for n, (name, args) in enumerate(made)
            ]
        found.append({"index": index, "message": message, "finish_reason": "stop"})
    return json.dumps({**HEAD, "object": "chat.completion", "choices": found}).encode()


def events(said: list[tuple[str, list[tuple[str, str]]]], sizes: list[int]) -> bytes:
    """The same answer as a stream whose deltas are cut in these sizes."""
    out = []

    def emit(index: int, delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        body = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
        out.append(b"data: " + json.dumps(body).encode() + b"\n\n")

    for index, (text, made) in enumerate(said):
        for part in cut(text, sizes):
            emit(index, {"content": part})
        for n, (name, args) in enumerate(made):
            first = {"index": n, "id": f"c{n}", "function": {"name": name, "arguments": ""}}
            emit(index, {"tool_calls": [first]})
            for part in cut(args, sizes):
                emit(index, {"tool_calls": [{"index": n, "function": {"arguments": part}}]})
    for index in range(len(said)):
        emit(index, {}, "stop")
    return b"".join([*out, b"data: [DONE]\n\n"])


def run(
    stream: bytes, sizes: list[int], denied: int, *, prose: bool
) -> tuple[list[tuple[int, Said]], bytes, list[bytes]]:
    """What was put up for decision, all that was released, and what had been before each
    decision. The decision number ``denied`` is a denial."""
    guard = stream_guard(Api.CHAT, SCANNER, "req_1", 1_000_000, streams_prose=prose)
    asked: list[tuple[int, Said]] = []
    out, before, at, number = b"", [], 0, 0
    while at < len(stream):
        size = sizes[number % len(sizes)]
        out += guard.feed(stream[at : at + size])
        at, number = at + size, number + 1
        while pending := guard.pending:
            before.append(out)
            (one,) = pending
            asked.append(one)
            out += guard.decided(DENIED if len(asked) - 1 == denied else None)
    guard.end()
    return asked, out, before


def released(out: bytes) -> tuple[dict[int, str], dict[int, list[tuple[str, str]]]]:
    """Text and calls of each choice, as a client puts them together."""
    text: dict[int, str] = {}
    made: dict[int, list[tuple[str, str]]] = {}
    for line in out.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            index, delta = choice["index"], choice["delta"]
            text[index] = text.get(index, "") + (delta.get("content") or "")
            for call in delta.get("tool_calls") or ():
                function = call["function"]
                made.setdefault(index, []).append((function["name"], function["arguments"]))
    return text, made


@pytest.mark.requirement(CHUNKING)
@given(said=choices, deltas=cuts, sizes=cuts, denied=st.integers(-1, 3), prose=st.booleans())
def test_cutting_changes_nothing(
    said: list[tuple[str, list[tuple[str, str]]]],
    deltas: list[int],
    sizes: list[int],
    denied: int,
    prose: bool,
) -> None:
    """However deltas and bytes are cut: the same is put up for decision,
    in the same order, as of the answer in one piece; and the same comes out."""
    answer = check_answer(Api.CHAT, whole(said), SCANNER, "req_1")
    assert answer.refusal is None
    asked, out, _ = run(events(said, deltas), sizes, denied, prose=prose)
    once, out_once, _ = run(events(said, [1_000]), [1_000_000], denied, prose=prose)
    assert asked == once
    assert asked == list(answer.said)[: len(asked)]
    assert len(asked) == (denied + 1 if 0 <= denied < len(said) else len(said))
    assert released(out)[1] == released(out_once)[1]
    if not 0 <= denied < len(said):
        assert released(out) == released(out_once)
        texts = {index: one.text for index, one in answer.said if one.text}
        assert {i: text for i, text in released(out)[0].items() if text} == texts


@pytest.mark.requirement("sidecar: nothing of an action reaches the client before it is decided")
@given(said=choices, sizes=cuts, denied=st.integers(0, 3), prose=st.booleans())
def test_nothing_of_an_action_is_out_before_its_decision(
    said: list[tuple[str, list[tuple[str, str]]]],
    sizes: list[int],
    denied: int,
    prose: bool,
) -> None:
    """When a choice is put up for decision, none of its calls is out, nor text that waits;
    after a denial nothing more ever is."""
    asked, out, before = run(events(said, sizes), sizes, denied, prose=prose)
    for (index, _), earlier in zip(asked, before, strict=True):
        text, made = released(earlier)
        assert index not in made
        assert prose or not text.get(index)
    if denied < len(asked):
        assert out == before[denied]
