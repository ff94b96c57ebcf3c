"""The stream guard: order of events, what ends a stream, and what is said about it."""

import json
from typing import Any

import pytest

from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.request import Role
from quorate.policy.runtime import CheckRule
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.openai.chat_answer import CHAT_CHUNK
from quorate_sidecar.openai.completion_answer import COMPLETION_ANSWER
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.stream.guard import ENVELOPES_MAX, LANES_MAX, StreamGuard
from quorate_sidecar.stream.sse import EVENT_BYTES
from tests.unit.sidecar import samples

SCANNER = scanner_for((CheckRule("secrets", "deny"), CheckRule("pii", "mask")))
SECRET = samples.secrets()["github-token"]
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], reason: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One event of a chat answer."""
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return wrapped(choices=[choice], **more)


def wrapped(**fields: Any) -> bytes:
    """An event with these fields in its envelope."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"


def call(index: int, **function: str) -> dict[str, Any]:
    """A delta with a piece of a tool call."""
    return {"tool_calls": [{"index": index, "function": function}]}


def run(*events: bytes, bytes_max: int = 1_000_000) -> tuple[list[Any], StreamGuard]:
    """The values of the events that leave, and the guard."""
    guard = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", bytes_max)
    out = b""
    for data in events:
        out += guard.feed(data)
        while guard.pending:
            out += guard.decided()
    guard.end()
    payloads = [line[6:] for line in out.splitlines() if line]
    return [json.loads(p) if p != b"[DONE]" else "DONE" for p in payloads], guard


def deltas(values: list[Any]) -> list[Any]:
    """(delta, finish_reason) of every choice in order."""
    return [
        (choice["delta"], choice["finish_reason"])
        for value in values
        if value != "DONE"
        for choice in value["choices"]
    ]


@pytest.mark.requirement("sidecar: finish_reason comes after all text of its choice")
def test_held_text_leaves_before_the_finish_reason() -> None:
    """The end of a choice lets out what was held back, and only then says why it ended."""
    values, guard = run(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "one two"}),
        chunk({}, "stop"),
        DONE,
    )
    assert deltas(values) == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "one two"}, None),
        ({}, "stop"),
    ]
    assert values[-1] == "DONE"
    assert guard.refusal is None


def test_text_and_finish_in_one_event_are_taken_apart() -> None:
    """A server that ends with its last text is put in order."""
    values, _ = run(chunk({"content": "all"}, "length", usage={"total_tokens": 3}), DONE)
    assert deltas(values) == [({"content": "all"}, None), ({}, "length")]
    assert "usage" not in values[0]
    assert values[1]["usage"] == {"total_tokens": 3}


def test_usage_passes() -> None:
    """An event without choices carries counts."""
    usage = {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": None}}
    values, guard = run(chunk({}, "stop"), wrapped(usage=usage), DONE)
    assert values[1]["usage"] == usage
    assert guard.refusal is None


def test_choices_and_fields_are_lanes_of_their_own() -> None:
    """A secret in one lane is not completed by another, and each lane is released on its own."""
    half, rest = SECRET[:20], SECRET[20:]
    values, guard = run(
        chunk({"content": half}),
        chunk({"content": rest}, index=1),
        chunk({"reasoning_content": rest}),
        chunk({}, "stop"),
        chunk({}, "stop", index=1),
        DONE,
    )
    assert guard.refusal is None
    assert ({"content": half, "reasoning_content": rest}, None) in deltas(values)
    assert {lane.lane for lane in guard.coverage} == {
        "0.content", "1.content", "0.reasoning_content",
    }  # fmt: skip


FIRST = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}


def test_tool_calls_keep_id_name_and_arguments() -> None:
    """A call leaves whole, before its choice says why it ended."""
    values, guard = run(
        chunk({"tool_calls": [FIRST]}),
        chunk(call(0, arguments='{"city": "Par')),
        chunk(call(0, arguments='is"}')),
        chunk({}, "tool_calls"),
        DONE,
    )
    assert guard.refusal is None
    whole = FIRST | {"function": {"name": "f", "arguments": '{"city": "Paris"}'}}
    assert deltas(values) == [({"tool_calls": [whole]}, None), ({}, "tool_calls")]


@pytest.mark.requirement("sidecar: nothing of an action reaches the client before it is decided")
def test_nothing_of_a_call_leaves_before_it_is_decided() -> None:
    """Not its id, its name, a byte of its arguments, nor that there is one."""
    guard = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", 10_000)
    out = b"".join(
        guard.feed(data)
        for data in (
            chunk({"role": "assistant", "content": "one moment "}),
            chunk({"tool_calls": [FIRST]}),
            chunk(call(0, arguments='{"city": "Paris"}')),
            chunk({}, "tool_calls"),
            DONE,
        )
    )
    said = Said(Role.ASSISTANT, "one moment ", (Wanted("c1", "f", '{"city": "Paris"}'),))
    assert guard.pending == ((0, said),)
    assert b"one moment" in out
    assert b"tool_calls" not in out
    assert b"c1" not in out
    assert not guard.done
    assert guard.decided(Refusal(403, Code.ACTION, "no")) == b""
    assert not guard.pending
    assert not guard.done
    assert guard.feed(DONE) == b""


def test_prose_that_is_an_action_waits_too() -> None:
    """Where text is not for the sidecar alone, it leaves with the decision about it."""
    guard = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", 10_000, streams_prose=False)
    out = guard.feed(chunk({"role": "assistant", "content": "one "}) + chunk({"content": "two"}))
    assert b"one" not in out
    out = guard.feed(chunk({}, "stop"))
    assert out == b""
    assert guard.pending == ((0, Said(Role.ASSISTANT, "one two")),)
    assert b"one two" in guard.decided()


def test_choices_that_end_together_leave_together() -> None:
    """They are decided about together; if one must not leave, the call of none of them does."""
    both = [
        {"index": index, "delta": {"tool_calls": [FIRST]}, "finish_reason": "tool_calls"}
        for index in (0, 1)
    ]
    guard = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", 10_000)
    assert guard.feed(wrapped(choices=both)) == b""
    assert [index for index, _ in guard.pending] == [0, 1]
    assert guard.decided(Refusal(403, Code.ACTION, "no")) == b""
    assert not guard.pending


def test_choices_without_a_reason_are_decided_at_the_end_mark() -> None:
    """A server that never says why a choice ended gets no call past anybody."""
    guard = StreamGuard(CHAT_CHUNK, SCANNER, "req_1", 10_000)
    assert guard.feed(chunk({"tool_calls": [FIRST]}) + DONE) == b""
    assert guard.pending
    out = guard.decided()
    assert b'"name":"f"' in out
    assert out.endswith(DONE)


@pytest.mark.parametrize(
    "events",
    [
        [chunk({"tool_calls": [FIRST]}), chunk(call(0, name="g"))],
        [chunk({"tool_calls": [FIRST]}), chunk({"tool_calls": [{"index": 0, "id": "c2"}]})],
        [chunk({}, "stop"), chunk({"tool_calls": [FIRST]})],
        [chunk({}, "stop"), chunk(call(0, name="g"))],
    ],
    ids=["another name", "another id", "a call after the end", "a name after the end"],
)
def test_a_call_that_clients_could_read_otherwise_ends_the_stream(events: list[bytes]) -> None:
    """Some clients join names that arrive in parts, some take the last: neither is asked about."""
    values, guard = run(*events, DONE)
    assert guard.refusal is not None
    assert guard.refusal.code is Code.UPSTREAM_INVALID
    assert "tool_calls" not in json.dumps(values)


@pytest.mark.parametrize(
    "deltas_of_secret",
    [
        [{"content": SECRET[:9]}, {"content": SECRET[9:]}],
        [{"reasoning_content": SECRET[:9]}, {"reasoning_content": SECRET[9:]}],
        [{"reasoning": SECRET[:9]}, {"reasoning": SECRET[9:]}],
        [{"refusal": SECRET[:9]}, {"refusal": SECRET[9:]}],
        [call(3, arguments=SECRET[:9]), call(3, arguments=SECRET[9:])],
        [call(3, name=SECRET)],
        [{"tool_calls": [{"index": 0, "id": SECRET}]}],
    ],
    ids=["content", "reasoning_content", "reasoning", "refusal", "arguments", "name", "id"],
)
@pytest.mark.parametrize("end", [chunk({}, "stop"), DONE], ids=["finish", "done"])
@pytest.mark.requirement("sidecar: a credential split over chunks of the answer is refused")
def test_secret_in_any_lane_ends_the_stream(
    deltas_of_secret: list[dict[str, Any]], end: bytes
) -> None:
    """Whatever field carries it: 0 bytes of it leave, and nothing after it."""
    values, guard = run(*(chunk(delta) for delta in deltas_of_secret), end)
    assert guard.refusal is not None
    assert guard.refusal.code is Code.CONTENT
    assert "github-token" in guard.refusal.message
    text = json.dumps(values)
    assert SECRET[:8] not in text
    assert "DONE" not in values


def test_text_before_a_secret_leaves() -> None:
    """What was decided before the finding is let out, exactly."""
    values, guard = run(chunk({"content": f"the key: {SECRET} and"}), chunk({}, "stop"), DONE)
    assert guard.refusal is not None
    assert "".join(delta["content"] for delta, _ in deltas(values)) == "the key: "


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b"data: {\n\n", "truncated"),
        (b"data: \xff\xfe\n\n", "malformed"),
        (b'data: {"error":{"message":"x"}}\n\n', "error"),
        (b"event: ping\ndata: {}\n\n", "field other than data"),
        (b"id: 1\n\n", "field other than data"),
        (b"data: {}\rx\n\n", "carriage return"),
        (chunk({"audio": {"data": "x"}}), "audio"),
        (chunk({"content": [{"type": "text", "text": "x"}]}), "content"),
        (chunk({"content": "x"}, extra=1), "extra"),
        (wrapped(choices=[{"index": 0, "delta": {}, "logprobs": {"content": []}}]), "logprobs"),
        (wrapped(object="chat.completion"), "chat.completion"),
        (wrapped(object="thread.run"), "thread.run"),
        (wrapped(id="a b"), "id"),
        (wrapped(choices=[{"index": -1, "delta": {}}]), "index"),
        (wrapped(usage={"note": "text"}), "usage"),
    ],
)
@pytest.mark.requirement("sidecar: an event that is not understood ends the stream")
def test_unknown_events_end_the_stream(event: bytes, words: str) -> None:
    """What nobody can check is not passed on, and is said."""
    values, guard = run(chunk({"content": "fine "}), event, chunk({"content": "never "}), DONE)
    assert guard.refusal is not None
    assert guard.refusal.code is Code.UPSTREAM_INVALID
    assert words in guard.refusal.message
    assert "never" not in json.dumps(values)
    assert "DONE" not in values


def test_comments_are_dropped() -> None:
    """Keep-alives of the model server mean nothing and are not passed on."""
    values, guard = run(b": ping\n\n", chunk({"content": "x "}), b":\n", DONE)
    assert guard.refusal is None
    assert deltas(values) == [({"content": "x "}, None)]


@pytest.mark.parametrize("events", [[], [chunk({"content": "tail"})], [chunk({}, "stop")]])
@pytest.mark.requirement("sidecar: a broken stream ends in a clean error")
def test_missing_end_mark_is_an_error(events: list[bytes]) -> None:
    """A stream that just stops is not complete; what was held back stays back."""
    values, guard = run(*events)
    assert guard.refusal is not None
    assert "before it was complete" in guard.refusal.message
    assert "tail" not in json.dumps(values)


def test_nothing_may_follow_the_end() -> None:
    """Events after the end mark, or text after a choice's end, are refused."""
    _, guard = run(DONE + chunk({"content": "x"}))
    assert guard.refusal is not None
    _, guard = run(chunk({}, "stop"), chunk({"content": "x"}), DONE)
    assert guard.refusal is not None


def test_bounds_hold() -> None:
    """Total bytes, one event, the number of texts and of envelopes all have an end."""
    _, guard = run(chunk({"content": "x " * 1000}), bytes_max=1000)
    assert guard.refusal is not None
    assert guard.refusal.code is Code.RESPONSE_TOO_LARGE
    _, guard = run(b"data: " + b"x" * (EVENT_BYTES + 10), bytes_max=10**8)
    assert guard.refusal is not None
    assert "longer" in guard.refusal.message
    _, guard = run(*[b"data: " + b"x" * 1000 + b"\n"] * 1100, bytes_max=10**8)
    assert guard.refusal is not None
    assert "longer" in guard.refusal.message
    _, guard = run(*(chunk(call(n, arguments="x ")) for n in range(LANES_MAX + 1)))
    assert guard.refusal is not None
    assert "texts" in guard.refusal.message
    _, guard = run(*(chunk({"content": "x"}, model=f"c{n}") for n in range(ENVELOPES_MAX + 1)))
    assert guard.refusal is not None
    assert "changing" in guard.refusal.message


def test_secret_in_the_envelope_ends_the_stream() -> None:
    """Model names are no way around the checks, and ids are replaced."""
    values, guard = run(chunk({"content": "x "}, id=SECRET), DONE)
    assert guard.refusal is None
    assert {value["id"] for value in values if value != "DONE"} == {"req_1"}
    values, guard = run(chunk({"content": "x "}, model=SECRET), DONE)
    assert guard.refusal is not None
    assert guard.refusal.code is Code.CONTENT
    assert values == []


def test_servers_extras_are_dropped() -> None:
    """Fields that known servers add are neither passed on nor refused."""
    choice = {"index": 0, "delta": {"content": "x "}, "finish_reason": None, "stop_reason": "</s>"}
    values, guard = run(
        wrapped(choices=[{**choice, "logprobs": None, "token_ids": None}], timings={"ms": 1.5}),
        DONE,
    )
    assert guard.refusal is None
    assert "stop_reason" not in json.dumps(values)
    assert "timings" not in json.dumps(values)


def test_completions_stream_the_same_way() -> None:
    """The older API has one lane a choice."""
    head = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}
    guard = StreamGuard(COMPLETION_ANSWER, SCANNER, "req_1", 10_000)
    out = b""
    for text, reason in ((f"mail {samples.PII['email']} ok", None), ("", "stop")):
        choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": None}
        out += guard.feed(b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n")
    assert guard.pending == ((0, Said(Role.ASSISTANT, "mail [masked:pii] ok")),)
    out += guard.decided()
    out += guard.feed(DONE)
    assert guard.done
    values = [json.loads(line[6:]) for line in out.splitlines() if line.startswith(b"data: {")]
    assert "".join(v["choices"][0]["text"] for v in values) == "mail [masked:pii] ok"
    assert values[-1]["choices"][0]["finish_reason"] == "stop"
