"""Whole answers: what is released, what is refused, and what is told of a server's own errors."""

import json
from typing import Any

import pytest

from quorate.policy.runtime import CheckRule
from quorate_sidecar.answers import MESSAGE_LENGTH, check_answer, upstream_error
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.refusal import Code, Refusal, error_body, error_object
from quorate_sidecar.routes import Api
from tests.unit.sidecar import samples

SCANNER = scanner_for((CheckRule("secrets", "deny"), CheckRule("pii", "mask")))
SECRET = samples.secrets()["github-token"]
MAIL = samples.PII["email"]


def chat(message: dict[str, Any], **choice: Any) -> bytes:
    """A chat answer with one choice."""
    said = {"role": "assistant", **message}
    found = {"index": 0, "message": said, "finish_reason": "stop", **choice}
    return enveloped(choices=[found])


def enveloped(**fields: Any) -> bytes:
    """A chat answer with these fields."""
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    return json.dumps({**head, **fields}).encode()


def call(**function: str) -> dict[str, Any]:
    """A message that calls a tool."""
    found = {"name": "f", "arguments": "{}", **function}
    return {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": found}]}


def test_answer_goes_out_under_the_requests_id() -> None:
    """The id that a server chose does not leave: it could say anything."""
    found = check_answer(Api.CHAT, enveloped(id=SECRET), SCANNER, "req_1")
    assert json.loads(found.body)["id"] == "req_1"
    assert SECRET not in found.body.decode()


def test_plain_answer_is_released_and_covered() -> None:
    """Every byte of text is received, scanned and released, and the record can say so."""
    found = check_answer(Api.CHAT, chat({"content": "grün"}), SCANNER, "req_1")
    assert found.refusal is None
    assert json.loads(found.body)["choices"][0]["message"]["content"] == "grün"
    (lane,) = found.coverage
    assert (lane.received, lane.scanned, lane.released, lane.masked) == (5, 5, 5, 0)


@pytest.mark.parametrize(
    "body",
    [
        chat({"content": f"it is {SECRET}"}),
        chat({"content": "x", "reasoning_content": SECRET}),
        chat({"content": "x", "reasoning": SECRET}),
        chat({"content": None, "refusal": SECRET}),
        chat(call(arguments=json.dumps({"key": SECRET}))),
        chat(call(name=SECRET)),
        enveloped(model=SECRET),
        enveloped(system_fingerprint=SECRET),
    ],
)
@pytest.mark.requirement("sidecar: a credential in the answer is refused, 0 bytes of it released")
def test_credential_in_an_answer_is_refused(body: bytes) -> None:
    """Whatever field carries it, nothing is released."""
    found = check_answer(Api.CHAT, body, SCANNER, "req_1")
    assert found.refusal is not None
    assert found.refusal.code is Code.CONTENT
    assert SECRET not in found.refusal.message
    assert found.body == b""


def test_personal_data_in_an_answer_is_masked() -> None:
    """The mask is in the text, and the count is in the tally."""
    found = check_answer(Api.CHAT, chat({"content": f"ask {MAIL}, please"}), SCANNER, "req_1")
    assert b"ask [masked:pii], please" in found.body
    assert found.tally == {("pii", "email", "mask"): 1}
    assert found.coverage[0].masked == len(MAIL)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"[]", b"null", b"[" * 5000,
        enveloped(object="chat.completion.chunk"),
        enveloped(extra=1),
        chat({"content": "x", "audio": {"data": "x"}}),
        chat({"content": [{"type": "text", "text": "x"}]}),
        chat({"content": "x"}, logprobs={"content": []}),
        chat({"content": "x", "annotations": [{"type": "url_citation"}]}),
        chat({"content": "x", "role": "system"}),
        enveloped(choices=[{"index": 0, "finish_reason": "stop"}]),
        enveloped(usage={"total_tokens": "three"}),
        enveloped(id="a b"),
    ],
)  # fmt: skip
@pytest.mark.requirement("sidecar: an answer that is not understood is not released")
def test_unknown_answers_are_refused(body: bytes) -> None:
    """What nobody can check does not leave."""
    found = check_answer(Api.CHAT, body, SCANNER, "req_1")
    assert found.refusal is not None
    assert (found.refusal.status, found.refusal.code) == (502, Code.UPSTREAM_INVALID)


def test_servers_extras_are_dropped() -> None:
    """Fields that known servers add are neither passed on nor refused."""
    body = chat({"content": "x", "annotations": []}, stop_reason="</s>", token_ids=None)
    value = json.loads(body)
    value |= {"prompt_logprobs": None, "kv_transfer_params": None, "timings": {"a_ms": 1.0}}
    found = check_answer(Api.CHAT, json.dumps(value).encode(), SCANNER, "req_1")
    assert found.refusal is None
    for word in (b"stop_reason", b"timings", b"prompt_logprobs", b"token_ids"):
        assert word not in found.body


def test_completion_answer() -> None:
    """The older API's text is checked the same way."""
    head = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}
    for text, ok in (("fine", True), (SECRET, False)):
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        body = json.dumps({**head, "choices": [choice]}).encode()
        assert (check_answer(Api.COMPLETIONS, body, SCANNER, "req_1").refusal is None) is ok


@pytest.mark.parametrize(
    ("vector", "ok"),
    [
        ([0.5, -1, 2e-7], True),
        ("AAAAPw==", True),
        ("not base64!", False),
        ([0.5, "x"], False),
        (None, False),
    ],
)
def test_embedding_answer(vector: Any, ok: bool) -> None:
    """Numbers, or base64, and nothing that could carry text."""
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    body = json.dumps({"object": "list", "model": "m", "data": data, "id": "e-1"}).encode()
    found = check_answer(Api.EMBEDDINGS, body, SCANNER, "req_1")
    assert (found.refusal is None) is ok
    if ok:
        assert json.loads(found.body) == {"object": "list", "model": "m", "data": data}


def test_models_answer_keeps_openais_fields() -> None:
    """What a server says of a model beyond the API's fields is dropped."""
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "me"}
    body = json.dumps({"object": "list", "data": [{**model, "root": "/srv", "permission": [{}]}]})
    found = check_answer(Api.MODELS, body.encode(), SCANNER, "req_1")
    assert json.loads(found.body) == {"object": "list", "data": [model]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "too long"}}, "too long"),
        ({"error": "too long"}, "too long"),
        ({"object": "error", "message": "too long"}, "too long"),
        ({"detail": "too long"}, "too long"),
        ({"detail": [{"loc": ["body"]}]}, "no message"),
        ("<html>", "no message"),
        ({"error": {"message": f"you sent {SECRET}"}}, "withheld"),
        ({"error": {"message": f"you sent {MAIL}"}}, "withheld"),
        ({"error": {"message": "x" * 9999}}, "x" * MESSAGE_LENGTH),
    ],
)
def test_servers_own_error_is_told_if_it_is_clean(body: Any, text: str) -> None:
    """Servers repeat parts of a request in their errors."""
    found = upstream_error(400, json.dumps(body).encode(), SCANNER)
    assert (found.status, found.code) == (400, Code.UPSTREAM_ERROR)
    assert text in found.message
    assert SECRET not in found.message
    assert len(found.message) < MESSAGE_LENGTH + 60


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (503, 503), (204, 502), (302, 502)])
def test_only_errors_keep_their_status(status: int, shown: int) -> None:
    """A redirect or an empty success is not passed on."""
    assert upstream_error(status, b"", SCANNER).status == shown


def test_error_body_is_openais() -> None:
    """Message, type, code, param and the request's id."""
    refusal = Refusal(403, Code.CONTENT, "secrets: found", param="messages[0]")
    assert json.loads(error_body(refusal, "req_1")) == error_object(refusal, "req_1")
    assert error_object(refusal, "req_1")["error"] == {
        "message": "secrets: found",
        "type": "permission_denied",
        "code": "ContentDenied",
        "param": "messages[0]",
        "request_id": "req_1",
    }
    assert error_object(Refusal(503, Code.NOT_READY, "x"), "r")["error"]["type"] == "server_error"
    assert error_object(Refusal(415, Code.MEDIA_TYPE, "x"), "r")["error"]["param"] is None
