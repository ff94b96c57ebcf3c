"""The endpoint's client: whatever a server does is bounded, and is no answer."""

import time

import pytest

from quorate.errors import InvalidInput
from quorate_evaluation.endpoint import ANSWER_BYTES, Endpoint, NoAnswer, Settings, read_completion
from quorate_evaluation.interface import Answer, Case, Message
from tests.fakes.openai_server import (
    OpenAiServer,
    Respond,
    body_of,
    huge,
    redirect,
    saying,
    serving,
    slow,
    trickle,
    truncated,
)

CASE = Case("one", (Message("system", "be brief"), Message("user", "hello")), max_tokens=7)
MISBEHAVING: dict[str, tuple[Respond, str]] = {
    "slow": (slow, "no answer within"),
    "a byte now and then": (trickle, "no answer within"),
    "truncated": (truncated, "connection failed"),
    "huge": (huge, "longer than"),
    "redirect": (redirect, "redirect"),
    "no JSON": (body_of(b"<html>busy</html>"), "no chat completion"),
    "JSON of another kind": (body_of(b"[1, 2]"), "no chat completion"),
    "deep": (body_of(b'{"choices":' + b"[" * 100_000), "no chat completion"),
    "no choice": (body_of(b'{"choices": []}'), "no chat completion"),
    "two choices": (
        body_of(b'{"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}'),
        "no chat completion",
    ),
    "no text": (body_of(b'{"choices": [{"message": {"content": null}}]}'), "empty"),
    "blank text": (body_of(b'{"choices": [{"message": {"content": " "}}]}'), "empty"),
    "bad UTF-8": (
        body_of(b'{"choices": [{"message": {"content": "\xff"}}]}'),
        "no chat completion",
    ),
    "error": (body_of(b"{}", status=500), "status 500"),
    "unauthorised": (body_of(b"{}", status=401), "status 401"),
}


async def ask(server: OpenAiServer, key: str | None = None) -> Answer:
    """Ask the one case, for at most half a second."""
    settings = Settings(server.url, "demo", key, timeout_seconds=0.5)
    async with Endpoint(settings, 1) as endpoint:
        return await endpoint.ask(CASE, 3)


@pytest.mark.parametrize(("respond", "reason"), MISBEHAVING.values(), ids=list(MISBEHAVING))
async def test_misbehaviour_is_no_answer(respond: Respond, reason: str) -> None:
    """Slow, cut, endless, redirecting or unreadable: NoAnswer, soon, and nothing is followed."""
    with serving(respond) as server:
        started = time.monotonic()
        with pytest.raises(NoAnswer, match=reason):
            await ask(server)
        assert time.monotonic() - started < 5
        assert server.others == []


async def test_a_closed_port_is_no_answer() -> None:
    """An endpoint that is not there is no answer, worth another try."""
    settings = Settings("http://127.0.0.1:9/v1", "demo", timeout_seconds=1)
    async with Endpoint(settings, 1) as endpoint:
        with pytest.raises(NoAnswer) as error:
            await endpoint.ask(CASE, 0)
    assert error.value.again


async def test_what_is_asked() -> None:
    """The request names model, messages, bounds and seed, and carries the key."""
    with serving(saying(lambda _body: "hi")) as server:
        assert await ask(server, "k-1") == Answer("hi")
    assert server.keys == ["Bearer k-1"]
    asked = server.requests[0]
    assert asked["messages"][1] == {"role": "user", "content": "hello"}
    assert (asked["model"], asked["max_tokens"], asked["seed"], asked["temperature"]) == (
        *("demo", 7, 3, 0),
    )


async def test_an_answer_at_the_bound_is_read() -> None:
    """The bound cuts off nothing that is within it."""
    text = "x" * (ANSWER_BYTES - 1000)
    with serving(saying(lambda _body: text)) as server:
        assert (await ask(server)).text == text


def test_the_server_s_own_word_on_a_refusal_counts() -> None:
    """A refusal field or a content filter's end is a refusal."""
    refusal = b'{"choices": [{"message": {"content": null, "refusal": "no"}}]}'
    filtered = b'{"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}'
    assert read_completion(refusal) == Answer("no", refused=True)
    assert read_completion(filtered).refused


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "http://", "//x", "http://u:p@x/v1", "http://x/v1?a=b", "http://x/#a"]
)
def test_addresses_that_are_refused(url: str) -> None:
    """Only plain http(s) addresses, and no password in them."""
    with pytest.raises(InvalidInput):
        Settings(url, "demo")


def test_the_key_is_shown_nowhere() -> None:
    """Neither a representation nor a bad key's error quotes the key."""
    assert "s3cret" not in repr(Settings("http://x/v1", "demo", "s3cret"))
    with pytest.raises(InvalidInput) as error:
        Settings("http://x/v1", "demo", "s3cret\nX: y")
    assert "s3cret" not in str(error.value)
