"""Requests: which fields pass, which are refused, and how a refusal names them."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from quorate.policy.runtime import CheckRule
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.examine import examine
from quorate_sidecar.openai import chat_request, completion_request, embedding_request
from quorate_sidecar.openai.fields import Closed
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.routes import Api
from tests.unit.sidecar import samples

SECRET = samples.secrets()["github-token"]
MAIL = samples.PII["email"]
CHECKS = (CheckRule("secrets", "deny"), CheckRule("pii", "mask"))
SCANNER = scanner_for(CHECKS)


def structs() -> list[type[Closed]]:
    """Every type of a request's parts."""
    modules = (chat_request, completion_request, embedding_request)
    found = [item for module in modules for item in vars(module).values()]
    kinds = {item for item in found if isinstance(item, type) and issubclass(item, Closed)}
    return sorted(kinds, key=lambda kind: kind.__name__)


def chat(**changes: Any) -> bytes:
    """A chat request with these changes."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **changes}
    return json.dumps(body).encode()


def tool(**function: Any) -> list[dict[str, Any]]:
    """A list of one tool."""
    return [{"type": "function", "function": {"name": "f", **function}}]


def call(**function: Any) -> list[dict[str, Any]]:
    """A list of one call that a model made."""
    found = {"name": "f", "arguments": "", **function}
    return [{"id": "1", "type": "function", "function": found}]


def schema(**fields: Any) -> dict[str, Any]:
    """A response format with a schema."""
    return {"type": "json_schema", "json_schema": {"name": "s", **fields}}


def says(content: Any, role: str = "user", **fields: Any) -> bytes:
    """A chat request with one message."""
    return chat(messages=[{"role": role, "content": content, **fields}])


def refusal(body: bytes, api: Api = Api.CHAT) -> Refusal:
    """Why the body is refused."""
    found = examine(api, body, SCANNER).refusal
    assert found is not None
    return found


def forwarded(body: bytes, api: Api = Api.CHAT) -> Any:
    """The JSON that is forwarded."""
    found = examine(api, body, SCANNER)
    assert found.refusal is None, found.refusal.message
    return json.loads(found.body)


@pytest.mark.parametrize("kind", structs(), ids=lambda kind: kind.__name__)
def test_absent_is_the_only_default(kind: type[Closed]) -> None:
    """A default that a client could also write would be dropped, and look like a duplicate key."""
    for field in msgspec.structs.fields(kind):
        assert field.required or field.default is UNSET, field.name
    assert kind.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (chat(foo=1), "foo"),
        (chat(Messages=[]), "Messages"),
        (says("x", foo=1), "messages[0].foo"),
        (
            says([{"type": "text", "text": "x", "cache_control": {}}]),
            "messages[0].content[0].cache",
        ),
        (says([{"type": "image_url", "image_url": {"url": "x"}}]), "messages[0].content[0].type"),
        (says("x", role="wizard"), "messages[0].role"),
        (says(5), "messages[0].content"),
        (chat(messages=[]), "messages"),
        (chat(temperature=9), "temperature"),
        (chat(n=1000), "n"),
        (chat(chat_template="{{ x }}"), "chat_template"),
        (chat(guided_regex="a*"), "guided_regex"),
        (chat(functions=[]), "functions"),
        (chat(model="a b"), "model"),
        (chat(stream="yes"), "stream"),
    ],
)
@pytest.mark.requirement("sidecar: an unknown field is denied by name")
def test_refusal_names_the_field(body: bytes, param: str) -> None:
    """What cannot be checked is refused with its place."""
    found = refusal(body)
    assert (found.status, found.code) == (400, Code.MALFORMED)
    assert found.param.startswith(param)
    assert param.rpartition(".")[2] in found.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"model"',
        b"\xff\xfe",
        b"\xef\xbb\xbf" + chat(),
        chat() + b"{}",
        chat(temperature=float("nan")),
        chat(seed=10**30),
        chat().replace(b'"hi"', b'"\\ud800"'),
        chat().replace(b'"hi"', b'"\xff"'),
        chat().replace(b'"hi"', b'"a\nb"'),
        chat(tools=tool(parameters={"a": {"B": 1, "b": 2}})),
        b'{"model":"a","messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model":"a","model":"b","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"a","messages":[{"role":"user","content":"x","role":"user"}]}',
        b'{"m\\u006fdel":"a","model":"b","messages":[{"role":"user","content":"\\u003a"}]}',
    ],
    ids=[
        "empty", "null", "array", "truncated", "utf16", "bom", "trailing", "nan", "huge-number",
        "surrogate", "not-utf8", "raw-newline", "case-variant-in-schema", "deep", "duplicate",
        "duplicate-tag", "escaped-duplicate",
    ],
)  # fmt: skip
@pytest.mark.requirement("sidecar: bad input is refused, with a reason")
def test_bad_bodies_are_refused(body: bytes) -> None:
    """Nothing that two parsers could read differently, or that exhausts one, is forwarded."""
    assert refusal(body).code is Code.MALFORMED


def test_deep_schema_is_refused() -> None:
    """Free-form parts have a bound too."""
    parameters: dict[str, Any] = {}
    for _ in range(80):
        parameters = {"a": parameters}
    assert "deeper" in refusal(chat(tools=tool(parameters=parameters))).message


@pytest.mark.parametrize(
    "body",
    [
        says(f"key {SECRET}"),
        says([{"type": "text", "text": "a"}, {"type": "text", "text": SECRET}]),
        says([{"type": "text", "text": SECRET[:12]}, {"type": "text", "text": SECRET[12:]}]),
        says("x", name=SECRET),
        says("x", role="system").replace(b'"x"', json.dumps(SECRET).encode()),
        says(SECRET, role="tool", tool_call_id="1"),
        says("x", role="tool", tool_call_id=SECRET),
        says(None, role="assistant", tool_calls=call(arguments=json.dumps({"k": SECRET}))),
        says(None, role="assistant", tool_calls=call(name=SECRET)),
        says(None, role="assistant", refusal=SECRET),
        says("x", role="assistant", reasoning_content=SECRET),
        chat(tools=tool(description=SECRET)),
        chat(tools=tool(parameters={"x": [SECRET]})),
        chat(tools=tool(parameters={SECRET: 1})),
        chat(response_format=schema(schema={"a": SECRET})),
        chat(tool_choice={"type": "function", "function": {"name": SECRET}}),
        chat(stop=[SECRET]),
        chat(user=SECRET),
        chat(metadata={"a": SECRET}),
        chat(metadata={SECRET: "a"}),
        chat(model=SECRET),
        chat(prompt_cache_key=SECRET),
        chat(safety_identifier=SECRET),
    ],
    ids=range(23),
)  # fmt: skip
@pytest.mark.requirement("sidecar: a planted credential in the prompt is refused")
def test_credential_is_refused_wherever_it_hides(body: bytes) -> None:
    """Every text of a request is looked at, alone and as the model reads it."""
    found = refusal(body)
    assert (found.status, found.code) == (403, Code.CONTENT)
    assert "github-token" in found.message
    assert SECRET not in found.message


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"model": "m", "prompt": SECRET}).encode(),
        json.dumps({"model": "m", "prompt": ["a", SECRET]}).encode(),
        json.dumps({"model": "m", "prompt": "a", "suffix": SECRET}).encode(),
    ],
)
def test_completion_prompts_are_checked(body: bytes) -> None:
    """Prompts, lists of prompts and suffixes alike."""
    assert refusal(body, Api.COMPLETIONS).code is Code.CONTENT


def test_embedding_inputs_are_checked() -> None:
    """One input or many."""
    for value in (SECRET, ["a", SECRET]):
        body = json.dumps({"model": "m", "input": value}).encode()
        assert refusal(body, Api.EMBEDDINGS).code is Code.CONTENT


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (Api.COMPLETIONS, {"model": "m", "prompt": [1, 2, 3]}),
        (Api.COMPLETIONS, {"model": "m", "prompt": [[1, 2]]}),
        (Api.EMBEDDINGS, {"model": "m", "input": [1, 2]}),
    ],
)
def test_token_numbers_are_refused(api: Api, body: dict[str, Any]) -> None:
    """Numbers that stand for text cannot be checked."""
    assert refusal(json.dumps(body).encode(), api).code is Code.MALFORMED


def test_logprobs_are_refused() -> None:
    """They would repeat the answer past the checks."""
    assert refusal(chat(logprobs=True)).code is Code.UNSUPPORTED
    body = json.dumps({"model": "m", "prompt": "a", "logprobs": 1}).encode()
    assert refusal(body, Api.COMPLETIONS).code is Code.UNSUPPORTED
    assert forwarded(chat(logprobs=False))["logprobs"] is False


@pytest.mark.requirement("sidecar: personal data is masked")
def test_personal_data_is_masked_in_prose() -> None:
    """The model sees the mask; the rest of the text, and the digest, are of what it sees."""
    found = examine(Api.CHAT, says(f"write to {MAIL} today"), SCANNER)
    assert json.loads(found.body)["messages"][0]["content"] == "write to [masked:pii] today"
    assert found.tally == {("pii", "email", "mask"): 1}


def test_personal_data_that_cannot_be_masked_is_refused() -> None:
    """A mask in a schema or across two parts would change what the text means."""
    found = refusal(chat(tools=tool(parameters={"x": MAIL})))
    assert "cannot be masked" in found.message
    parts = [{"type": "text", "text": "4111 1111 "}, {"type": "text", "text": "1111 1111"}]
    assert "several parts" in refusal(says(parts)).message


def test_flagged_findings_pass_and_are_counted() -> None:
    """A policy may only want to know."""
    flagging = scanner_for((CheckRule("pii", "flag"),))
    found = examine(Api.CHAT, says(f"write to {MAIL}"), flagging)
    assert json.loads(found.body)["messages"][0]["content"] == f"write to {MAIL}"
    assert found.tally == {("pii", "email", "flag"): 1}


def test_request_without_checks_passes() -> None:
    """A policy without checks still parses strictly, and nothing more."""
    none = scanner_for(())
    assert examine(Api.CHAT, says(SECRET), none).refusal is None
    assert examine(Api.CHAT, chat(foo=1), none).refusal is not None


def test_forwarded_body_is_serialised_anew() -> None:
    """Order, white space and escapes are this program's, whatever the client's were."""
    body = b' { "messages" : [ {"content":"\\u0068i","role":"user"} ],"model":"m" } '
    found = examine(Api.CHAT, body, SCANNER)
    assert found.body == b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    assert found.model == "m"
    assert not found.stream
