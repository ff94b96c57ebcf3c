"""Headers: framing that two programs could read differently, media types, and what is passed on."""

import pytest
from multidict import CIMultiDict

from quorate_sidecar import headers
from quorate_sidecar.refusal import Code, Refusal


@pytest.mark.parametrize(
    "pairs",
    [
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        [("Content-Length", "5"), ("content-length", "5")],
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Transfer-Encoding", "chunked"), ("transfer-encoding", "identity")],
        [("Transfer-Encoding", "gzip, chunked")],
        [("Transfer-Encoding", "chunked, chunked")],
        [("Transfer-Encoding", "identity")],
        [("Host", "a"), ("Host", "b")],
        [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
        [("Upgrade", "h2c")],
        [("Expect", "200-ok")],
    ],
)
@pytest.mark.requirement("sidecar: request smuggling is refused")
def test_ambiguous_framing_is_refused(pairs: list[tuple[str, str]]) -> None:
    """Nothing passes whose end, host or protocol could be taken for another."""
    with pytest.raises(Refusal) as refused:
        headers.check_framing(CIMultiDict(pairs))
    assert refused.value.code is Code.HEADERS


@pytest.mark.parametrize(
    "pairs",
    [[], [("Content-Length", "5")], [("Transfer-Encoding", "Chunked ")], [("Host", "a")],
     [("Expect", "100-Continue")]],
)  # fmt: skip
def test_plain_framing_passes(pairs: list[tuple[str, str]]) -> None:
    """One way to find the end of a body is enough."""
    headers.check_framing(CIMultiDict(pairs))


@pytest.mark.parametrize(
    "value",
    ["application/json", "application/JSON", "application/json; charset=utf-8",
     'application/json;charset="UTF-8"', "application/json ; charset=UTF-8"],
)  # fmt: skip
def test_json_is_accepted(value: str) -> None:
    """JSON in UTF-8, however it is written."""
    headers.check_json(CIMultiDict({"Content-Type": value}))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br, identity"},
    ],
)
@pytest.mark.requirement("sidecar: only plain JSON bodies are accepted")
def test_other_media_types_are_refused(fields: dict[str, str]) -> None:
    """Another type, character set or an encoding is another reading of the bytes."""
    with pytest.raises(Refusal) as refused:
        headers.check_json(CIMultiDict(fields))
    assert refused.value.status == 415


TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.mark.requirement("sidecar: no client header reaches the model server")
def test_nothing_of_the_client_is_passed_on() -> None:
    """Authorization, hosts, forwarding, cookies and encodings stay behind."""
    sent = headers.upstream_headers(
        CIMultiDict(
            {
                "Authorization": "Bearer x",
                "Host": "evil.test",
                "X-Forwarded-For": "1.2.3.4",
                "Cookie": "a=b",
                "Connection": "X-Api-Key",
                "X-Api-Key": "k",
                "Accept-Encoding": "gzip",
                "X-Request-Id": "chosen",
                "traceparent": TRACE,
            }
        ),
        "req_1",
        stream=True,
    )
    assert sent == {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "X-Request-Id": "req_1",
        "traceparent": TRACE,
    }


@pytest.mark.parametrize("trace", ["", "x", TRACE + "\r\nX: y", TRACE.upper(), TRACE + " "])
def test_malformed_trace_context_stays_behind(trace: str) -> None:
    """Only the strict form passes: no header can be smuggled in it."""
    sent = headers.upstream_headers(CIMultiDict({"traceparent": trace}), "r", stream=False)
    assert "traceparent" not in sent
    assert sent["Accept"] == "application/json"
