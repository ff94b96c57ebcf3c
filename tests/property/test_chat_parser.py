"""The chat parser against the strict parser of the core: what it accepts has one reading only."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quorate import canonical
from quorate.consensus.request import parse
from quorate.errors import InvalidInput
from quorate.risk.actions import Action, actions, draft
from quorate_sidecar.openai.chat_request import CHAT_REQUEST
from quorate_sidecar.openai.completion_request import COMPLETION_REQUEST
from quorate_sidecar.openai.conversation import asked
from quorate_sidecar.openai.embedding_request import EMBEDDING_REQUEST
from quorate_sidecar.refusal import Code, Refusal
from tests.fakes.asking import PRINCIPAL

ONE_READING = "sidecar: what is forwarded is what was checked, and has one reading"

text = st.text(max_size=30)
name = st.text("abcdefgh-_.", min_size=1, max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
parts = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": text}), max_size=3)
messages = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user"]), "content": text | parts},
        optional={"name": name},
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "content": text, "tool_call_id": name}),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | text},
        optional={
            "tool_calls": st.lists(
                st.fixed_dictionaries(
                    {
                        "id": name,
                        "type": st.just("function"),
                        "function": st.fixed_dictionaries({"name": name, "arguments": text}),
                    }
                ),
                max_size=2,
            ),
            "refusal": st.none() | text,
        },
    ),
)
requests = st.fixed_dictionaries(
    {"model": name, "messages": st.lists(messages, min_size=1, max_size=4)},
    optional={
        "temperature": st.none() | st.floats(0, 2),
        "max_tokens": st.none() | st.integers(0, 1000),
        "stream": st.booleans(),
        "stop": st.none() | text | st.lists(text, max_size=2),
        "user": text,
        "tools": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.just("function"),
                    "function": st.fixed_dictionaries(
                        {"name": name},
                        optional={"parameters": st.dictionaries(text, json_values, max_size=3)},
                    ),
                }
            ),
            max_size=2,
        ),
    },
)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON, where 1 and 1.0 are one number."""
    return bool(left == right)


@settings(deadline=None)
@given(requests, st.booleans())
@pytest.mark.requirement(ONE_READING)
def test_good_requests_survive_unchanged(request: dict[str, Any], ascii_only: bool) -> None:
    """Every field and every null comes out as it went in, however its strings were escaped."""
    body = json.dumps(request, ensure_ascii=ascii_only).encode()
    value, again = CHAT_REQUEST.decode(body)
    assert same(json.loads(again), request)
    assert value.model == request["model"]


class Reader:
    """Visits a request and keeps every text it is shown."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.done = False

    def prose(self, where: str, text: str) -> str:
        self.texts.append(text)
        return text

    def joined(self, where: str, texts: list[str]) -> None:
        assert len(texts) > 1

    def fixed(self, where: str, text: str) -> None:
        self.texts.append(text)


def strings_in(value: Any) -> list[str]:
    """Every string value of a JSON value, and the keys of its free-form part."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [found for item in value for found in strings_in(item)]
    if isinstance(value, dict):
        return [found for item in value.values() for found in strings_in(item)]
    return []


@settings(deadline=None)
@given(requests)
@pytest.mark.requirement("sidecar: every text of a request is checked")
def test_every_text_is_shown_to_the_checks(request: dict[str, Any]) -> None:
    """No string of a request that is not one of the API's own words escapes the visitor."""
    reader = Reader()
    value, _ = CHAT_REQUEST.decode(json.dumps(request).encode())
    with contextlib.suppress(Refusal):  # two spellings of a key in a schema
        value.visit(reader)
        reader.done = True
    if not reader.done:
        return
    own_words = {"system", "developer", "user", "tool", "assistant", "text", "function", ""}
    missing = [found for found in strings_in(request) if found not in reader.texts]
    assert set(missing) <= own_words


def duplicated(text: str, keys: list[str], index: int) -> str:
    """``text`` with one of its object keys, and a value for it, written twice."""
    key = keys[index % len(keys)]
    quoted = json.dumps(key) + ": "
    return text.replace(quoted, f"{quoted}null, {quoted}", 1)


def keys_in(value: Any) -> list[str]:
    """Every object key."""
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys_in(item))]
    if isinstance(value, list):
        return [key for item in value for key in keys_in(item)]
    return []


@settings(max_examples=300, deadline=None)
@given(requests, st.integers(0, 100), st.booleans())
@example({"model": "a", "messages": [{"role": "user", "content": ":"}]}, 0, True)
@pytest.mark.requirement(ONE_READING)
def test_duplicate_keys_are_refused(request: dict[str, Any], index: int, escape: bool) -> None:
    """A key written twice anywhere is refused, also if escaped colons try to hide the loss."""
    body = duplicated(json.dumps(request), keys_in(request), index)
    if escape:
        body = body.replace('"content": "', '"content": "\\u003a\\\\u003a', 1)
    with pytest.raises(InvalidInput):
        canonical.parse(body.encode())
    with pytest.raises(Refusal) as refused:
        CHAT_REQUEST.decode(body.encode())
    assert refused.value.status == 400


@settings(deadline=None)
@given(requests, st.integers(0, 100))
@pytest.mark.requirement(ONE_READING)
def test_other_spellings_of_keys_are_refused(request: dict[str, Any], index: int) -> None:
    """A key in another case beside or instead of the right one is refused."""
    key = list(request)[index % len(request)]
    for changed in (
        {**request, key.upper(): request[key]},
        {other.title() if other == key else other: item for other, item in request.items()},
    ):
        with pytest.raises(Refusal):
            CHAT_REQUEST.decode(json.dumps(changed).encode())


@settings(deadline=None)
@given(requests, text.filter(bool), json_values)
@pytest.mark.requirement("sidecar: an unknown field is denied by name")
def test_unknown_fields_are_refused(request: dict[str, Any], key: str, value: Any) -> None:
    """A field that nobody checks does not pass, at the top or in a message."""
    known = set(CHAT_REQUEST.decode(json.dumps(request).encode())[0].__struct_fields__)
    inner = copy.deepcopy(request)
    inner["messages"][0][f"x-{key}"] = value
    outer = {**request, key: value} if key not in known else None
    for changed in (inner, outer):
        if changed is not None:
            with pytest.raises(Refusal) as refused:
                CHAT_REQUEST.decode(json.dumps(changed).encode())
            assert refused.value.code is Code.MALFORMED


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([CHAT_REQUEST, COMPLETION_REQUEST, EMBEDDING_REQUEST]), st.data())
def test_anything_is_decided(decoder: Any, data: st.DataObject) -> None:
    """Arbitrary bytes and arbitrary JSON are accepted or refused; nothing else is raised."""
    raw = data.draw(st.binary(max_size=60) | json_values.map(lambda v: json.dumps(v).encode()))
    try:
        _, again = decoder.decode(raw)
    except Refusal:
        return
    assert canonical.parse(raw) is not None
    assert canonical.parse(again) is not None


@settings(max_examples=300, deadline=None)
@given(requests, st.data())
@pytest.mark.requirement(ONE_READING)
def test_mutated_requests_have_one_reading(request: dict[str, Any], data: st.DataObject) -> None:
    """If a damaged request is accepted at all, the strict parser accepts it, and reads the same."""
    body = bytearray(json.dumps(request).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.sampled_from(b'":,{}[]\\u0aN1e-. \x00\xff'))
    try:
        _, again = CHAT_REQUEST.decode(bytes(body))
    except Refusal:
        return
    assert same(json.loads(again), canonical.parse(bytes(body)))


@settings(deadline=None)
@given(requests)
@pytest.mark.requirement("a hostile conversation is asked about within its bound, or denied")
def test_good_requests_can_be_asked_about(request: dict[str, Any]) -> None:
    """What passes the parser becomes a request of the committee, with every message in it."""
    history = asked(CHAT_REQUEST.decode(json.dumps(request).encode())[0])
    (answer,) = actions(history, None, ())
    assert isinstance(answer, Action)
    data = draft(answer, history, None, PRINCIPAL)
    assert isinstance(data, bytes)
    shown = parse(data).conversation
    assert [one.role.value for one in shown] == [one["role"] for one in request["messages"]]
    for one, message in zip(shown, request["messages"], strict=True):
        content = message["content"] or ""
        text = content if isinstance(content, str) else "".join(p["text"] for p in content)
        assert one.content == "\n".join(filter(None, (text, message.get("refusal"))))
