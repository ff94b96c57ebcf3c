"""OpenAI's bodies in the core's words: every text and every call, with who said it."""

import json
from typing import Any

from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.request import Role
from quorate_sidecar.openai.chat_answer import CHAT_ANSWER
from quorate_sidecar.openai.chat_request import CHAT_REQUEST
from quorate_sidecar.openai.completion_request import COMPLETION_REQUEST
from quorate_sidecar.openai.conversation import answered, asked


def call(number: str, name: str, arguments: str) -> dict[str, Any]:
    """A call as a body holds it."""
    function = {"name": name, "arguments": arguments}
    return {"id": number, "type": "function", "function": function}


def chat(*messages: dict[str, Any]) -> tuple[Said, ...]:
    """The conversation of a chat request, through the strict parser."""
    body = json.dumps({"model": "m", "messages": messages}).encode()
    return asked(CHAT_REQUEST.decode(body)[0])


def test_every_role_is_itself() -> None:
    """With its text, in order; parts are read as one, as the model reads them."""
    parts = [{"type": "text", "text": "he"}, {"type": "text", "text": "llo"}]
    assert chat(
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": parts},
    ) == (
        Said(Role.SYSTEM, "s"),
        Said(Role.DEVELOPER, "d"),
        Said(Role.USER, "hello"),
    )


def test_calls_and_results_keep_their_ids() -> None:
    """So that results can be attributed; what the assistant thought counts as said."""
    found = chat(
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "I look",
            "refusal": None,
            "tool_calls": [call("c1", "web_fetch", '{"url": "u"}')],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "page"},
        {"role": "tool", "tool_call_id": "c1", "content": "page", "name": "calculator"},
    )
    assert found == (
        Said(Role.ASSISTANT, "I look", (Wanted("c1", "web_fetch", '{"url": "u"}'),)),
        Said(Role.TOOL, "page", answers="c1"),
        Said(Role.TOOL, "page", answers="c1", name="calculator"),
    )


def test_an_earlier_refusal_is_said_too() -> None:
    """In a field and in a part."""
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    found = chat({"role": "assistant", "content": parts, "refusal": "no"})
    assert found == (Said(Role.ASSISTANT, "ab\nno"),)


def test_an_answer_is_its_texts_and_calls() -> None:
    """One choice of a whole answer."""
    message = {
        "role": "assistant",
        "content": "done",
        "reasoning": "because",
        "tool_calls": [call("c1", "shell", "{}"), call("c2", "shell", "{")],
    }
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message}],
    }
    answer = CHAT_ANSWER.decode(json.dumps(body).encode())
    calls = (Wanted("c1", "shell", "{}"), Wanted("c2", "shell", "{"))
    assert answered(answer.choices[0].message) == Said(Role.ASSISTANT, "done\nbecause", calls)
    assert answered("text") == Said(Role.ASSISTANT, "text")


def test_a_prompt_is_what_a_person_says() -> None:
    """One or many, and what is to follow the answer."""
    for body, expected in (
        ({"prompt": "a"}, ["a"]),
        ({"prompt": ["a", "b"], "suffix": "c"}, ["a", "b", "c"]),
    ):
        request = COMPLETION_REQUEST.decode(json.dumps({"model": "m"} | body).encode())[0]
        assert asked(request) == tuple(Said(Role.USER, text) for text in expected)
