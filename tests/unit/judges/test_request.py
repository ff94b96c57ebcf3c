"""The request of an ask: one reading, one digest, bounded; everything else is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.canonical import canonical
from quorate.consensus import request as requests
from quorate.consensus.excerpt import Origin, leaves, pieces
from quorate.consensus.request import Band, Request, Risk
from quorate.consensus.wire import REQUEST_BYTES
from quorate.errors import InvalidInput, QuorateError
from tests.fakes.asking import action, called, encoded, request, result, system, user

WHOLE = action(
    "send_mail",
    "send",
    system("be good"),
    user("mail it"),
    called("read_page", url="https://example.com"),
    result("hello"),
    to="bob@example.com",
    parts=[{"n": 1, "yes": True}],
)


def changed(path: str, value: Any) -> bytes:
    """WHOLE with one value replaced (or removed, by ``...``), in canonical form."""
    document: Any = json.loads(encoded(WHOLE))
    node, (*parents, last) = document, path.split(".")
    for name in parents:
        node = node[int(name) if isinstance(node, list) else name]
    if value is ...:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    return canonical(document)


def test_a_request_is_read_as_it_was_written() -> None:
    """Encoding and parsing are inverse, and the bytes are the canonical ones."""
    data = encoded(WHOLE)
    assert requests.parse(data) == WHOLE
    assert requests.encode(requests.parse(data)) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        encoded(WHOLE) + b" ",
        b" " + encoded(WHOLE),
        encoded(WHOLE)[:-1],
        encoded(WHOLE).replace(b'"omitted":0', b'"omitted":0.0'),
        encoded(WHOLE).replace(b'"omitted":0', b'"omitted":0,"omitted":0'),
        encoded(WHOLE).replace(b"be good", b"\\u0062e good"),
        json.dumps(WHOLE.document).encode(),
    ],
)
def test_another_spelling_is_refused(data: bytes) -> None:
    """White space, escapes, doubled keys, another order: the digest would be another's."""
    with pytest.raises(InvalidInput):
        requests.parse(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("version", ...),
        ("omitted", -1),
        ("omitted", ...),
        ("extra", 1),
        ("principal.extra", 1),
        ("principal.namespace", ""),
        ("principal.manifestDigest", "sha256:xyz"),
        ("principal.policyDigests", []),
        ("principal.policyDigests", [f"sha256:{'b' * 64}", f"sha256:{'a' * 64}"]),
        ("principal.policyDigests", [f"sha256:{'a' * 64}"] * 2),
        ("capability", "Chat"),
        ("capability", "chat\n"),
        ("capability", "admission"),
        ("actionClass", "certify"),
        ("actionClass", ""),
        ("tool", 1),
        ("arguments", []),
        ("arguments", None),
        ("risk.score", 1001),
        ("risk.score", True),
        ("risk.band", "medium"),
        ("risk.band", "none"),
        ("conversation.0.role", "root"),
        ("conversation.0.tool", "x"),
        ("conversation.0.call", "x"),
        ("conversation.3.tool", ""),
        ("conversation.1.calls", [{"id": "", "tool": "t", "arguments": {}}]),
        ("conversation.2.calls.0.arguments", "{}"),
        ("conversation.0", "text"),
    ],
)
def test_what_a_request_must_not_say(path: str, value: Any) -> None:
    """Unknown, missing and contradictory fields are refused, each."""
    with pytest.raises(InvalidInput):
        requests.parse(changed(path, value))


def test_a_floor_raises_the_band_and_nothing_lowers_it() -> None:
    """A band above the score's is fine, one below it is not."""
    assert requests.parse(encoded(request(risk=Risk(0, Band.CRITICAL)))).risk.band is Band.CRITICAL
    for score, band in ((300, Band.LOCAL), (700, Band.MEDIUM), (1000, Band.LOCAL)):
        with pytest.raises(InvalidInput, match="at least"):
            encoded(request(risk=Risk(score, band)))


def nested(depth: int) -> dict[str, Any]:
    """An object of this depth."""
    return {"a": nested(depth - 1)} if depth > 1 else {"a": 1}


@pytest.mark.parametrize(
    "made",
    [
        action("t", "write", text="x" * REQUEST_BYTES),
        action("t", "write", deep=nested(requests.ARGUMENTS_DEPTH)),
        action("t", "write", wide=list(range(requests.LEAVES_MAX + 1))),
        request(*[user("x")] * (requests.MESSAGES_MAX + 1)),
        request(called("t", deep=nested(requests.ARGUMENTS_DEPTH + 1))),
    ],
)
def test_bounds(made: Request) -> None:
    """Too large, too deep, too wide, too many: refused when it is made and when it is read."""
    with pytest.raises(InvalidInput):
        encoded(made)
    with pytest.raises(InvalidInput):
        requests.parse(canonical(made.document))


@given(st.data())
def test_any_bytes_parse_or_are_refused(data: st.DataObject) -> None:
    """Whatever arrives, the parser raises its own error or returns what encodes to the same."""
    whole = encoded(WHOLE)
    at = data.draw(st.integers(0, len(whole)))
    piece = data.draw(st.binary(max_size=8))
    cut = data.draw(st.integers(0, 8))
    mutated = whole[:at] + piece + whole[at + cut :]
    try:
        parsed = requests.parse(mutated)
    except QuorateError:
        return
    assert requests.encode(parsed) == mutated


def test_every_text_has_its_origin() -> None:
    """Pieces say where a text came from, the arguments last; names and numbers are texts too."""
    found = [(piece.origin, piece.text, piece.tool) for piece in pieces(WHOLE)]
    assert found == [
        (Origin.INSTRUCTIONS, "be good", ""),
        (Origin.USER, "mail it", ""),
        (Origin.EARLIER_CALL, "url\nhttps://example.com", "read_page"),
        (Origin.TOOL_RESULT, "hello", "web_fetch"),
        (Origin.ARGUMENTS, "to\nbob@example.com\nparts\nn\n1\nyes", "send_mail"),
    ]
    assert list(leaves({"b": [1.5, None, "x"], "a": False})) == ["b", "1.5", "x", "a"]
