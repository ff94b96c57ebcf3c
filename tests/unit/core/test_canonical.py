"""Strict JSON in, RFC 8785 out."""

import json

import pytest

from quorate import limits
from quorate.canonical import canonical, digest_of, parse, parse_object
from quorate.errors import InvalidInput, LimitExceeded

DEEP = limits.JSON_DEPTH


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' {"a": [1, -2.5, true, null, "x"]} ', {"a": [1, -2.5, True, None, "x"]}),
        ('{"a": 1, "b": {"a": 2}}', {"a": 1, "b": {"a": 2}}),
        ("[9007199254740991, 1e300]", [2**53 - 1, 1e300]),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("[" * DEEP + "]" * DEEP, json.loads("[" * DEEP + "]" * DEEP)),
        ('"' + "[" * 1000 + '"', "[" * 1000),
        ('"\\"' + "{" * 1000 + '"', '"' + "{" * 1000),
        ("[" + ",".join(["{}"] * 1000) + "]", [{}] * 1000),
    ],
)
def test_plain_json_is_read(text: str, value: object) -> None:
    """What has one reading is read: also brackets in strings and long flat lists."""
    assert parse(text.encode()) == value


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  ",
    "truncated": b'{"a": 1',
    "trailing": b"{} {}",
    "not utf-8": b'{"a": "\xff"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "overlong utf-8": b'"\xc0\xaf"',
    "surrogate in utf-8": b'"\xed\xa0\x80"',
    "lone surrogate escape": b'"\\ud800"',
    "lone surrogate in a key": b'{"\\udfff": 1}',
    "control character": b'"\x01"',
    "single quotes": b"{'a': 1}",
    "comment": b"{} // x",
    "trailing comma": b"[1,]",
    "leading zero": b"[01]",
    "plus": b"[+1]",
    "hexadecimal": b"[0x1]",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "-Infinity": b"[-Infinity]",
    "number out of range": b"[1e999]",
    "negative out of range": b"[-1e999]",
    "integer beyond doubles": b"[9007199254740992]",
    "negative integer beyond doubles": b"[-9007199254740993]",
    "number with 5000 digits": b"[" + b"9" * 5000 + b"]",
    "duplicate key": b'{"a": 1, "a": 2}',
    "duplicate key deep inside": b'[{"b": {"a": 1, "a": 1}}]',
    "duplicate after escape": b'{"a": 1, "\\u0061": 2}',
    "case variant": b'{"kind": 1, "Kind": 2}',
    "case variant beyond ASCII": '{"straße": 1, "STRASSE": 2}'.encode(),
    "too deep": b"[" * (DEEP + 1) + b"]" * (DEEP + 1),
    "too deep in objects": b'{"a":' * (DEEP + 1) + b"1" + b"}" * (DEEP + 1),
    "far too deep": b"[" * 500_000,
    "too deep after a string": b'["\\"",' + b"[" * DEEP + b"]" * DEEP + b"]",
}


@pytest.mark.requirement("bad input: huge, truncated, non-UTF-8, deep, duplicate keys, NaN")
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_another_parser_might_read_differently_is_refused(data: bytes) -> None:
    """Every such document is InvalidInput, named by what it was meant to be."""
    with pytest.raises(InvalidInput, match="thing"):
        parse(data, what="thing")


def test_size_is_bounded_before_parsing() -> None:
    """The bound is on bytes, and the error names both sizes."""
    assert parse(b"[1]", bytes_max=3) == [1]
    with pytest.raises(LimitExceeded, match="has 4 bytes; the limit is 3"):
        parse(b"[12]", bytes_max=3)


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b"1.5", b'"{}"', b"true"])
def test_parse_object_refuses_other_values(data: bytes) -> None:
    """Only an object is an object."""
    with pytest.raises(InvalidInput, match="must be a JSON object"):
        parse_object(data)


def test_canonical_form_is_rfc_8785() -> None:
    """Keys sort by UTF-16 units, numbers and escapes have one spelling (RFC 8785, 3.2)."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27, -0.0],
        "literals": [None, True, False],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
    }
    text = canonical(value).decode()
    assert list(json.loads(text)) == [
        *("\r", "1", "literals", "numbers", "string", "\u0080", "\u00f6", "\u20ac"),
        *("\U0001f600", "\ufb33"),
    ]
    assert '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0]' in text
    assert '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"' in text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53 + 1, "\ud800", object(), {1: 2}, b"bytes"]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """Numbers that lose precision, lone surrogates and foreign types are InvalidInput."""
    with pytest.raises(InvalidInput, match="canonical form"):
        canonical([value])


def test_digest_ignores_spelling_only() -> None:
    """Two spellings of one value have one digest; another value has another."""
    one = digest_of(parse(b'{"b": 1.0, "a": "\\u0041"}'))
    assert one == digest_of(parse(b'{"a":"A","b":1}'))
    assert one != digest_of(parse(b'{"a":"a","b":1}'))
    assert digest_of({}) == (
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
