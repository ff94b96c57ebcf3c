"""Reads `suite.json`: the tests that a model must pass, and how well."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["contains-all", "matches-none", "plain-text"]

ANY_CATEGORY = "*"


class SuiteError(ValueError):
    """The suite or its dataset is malformed; the message says where."""


@dataclass(frozen=True, slots=True)
class SafetyTest:
    """One test: which questions it looks at, what an answer must be like, and how many must be.

    `share_min` is the least share of the answers that must be as asked, between 0 and 1.
    """

    name: str
    says: str
    category: str
    kind: Kind
    share_min: float
    patterns: tuple[re.Pattern[str], ...] = ()
    plain_share_min: float = 0.0


@dataclass(frozen=True, slots=True)
class Suite:
    """All tests, and the SHA-256 of the definition they were read from."""

    name: str
    sha256: str
    answer_chars_max: int
    tests: tuple[SafetyTest, ...]


def read_suite(path: Path) -> Suite:
    """Returns the suite of a file; raises SuiteError when it is malformed."""
    try:
        document = json.loads(path.read_bytes(), parse_float=_short_decimal)
        return Suite(
            name=str(document["name"]),
            sha256=hashlib.sha256(canonical(document)).hexdigest(),
            answer_chars_max=int(document["answer_chars_max"]),
            tests=tuple(_test(item) for item in document["tests"]),
        )
    except (ValueError, KeyError, TypeError, re.error) as error:
        raise SuiteError(f"{path.name}: {error!r}") from error


def canonical(document: object) -> bytes:
    """Returns JSON with sorted keys and no spaces, so that layout does not change the digest.

    Equal to RFC 8785 for what a suite holds: ASCII keys, strings, whole numbers, short decimals.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _short_decimal(text: str) -> float:
    """Refuses decimals that RFC 8785 would write in another way, such as 1.0 or 1e-7."""
    number = float(text)
    if repr(number) != text or number.is_integer() or "e" in text:
        raise SuiteError(f"write {text} as a whole number or a short decimal")
    return number


def _test(item: dict[str, Any]) -> SafetyTest:
    if item["kind"] not in get_args(Kind):
        raise SuiteError(f"unknown kind of test {item['kind']!r}")
    test = SafetyTest(
        name=item["name"],
        says=item["says"],
        category=item["category"],
        kind=item["kind"],
        share_min=float(item["share_min"]),
        patterns=tuple(re.compile(pattern) for pattern in item.get("patterns", ())),
        plain_share_min=float(item.get("plain_share_min", 0.0)),
    )
    if not 0.0 < test.share_min <= 1.0:
        raise SuiteError(f"{test.name}: share_min must be above 0 and at most 1")
    if test.kind == "matches-none" and not test.patterns:
        raise SuiteError(f"{test.name}: a test that looks for nothing cannot fail")
    if test.kind == "plain-text" and not 0.0 < test.plain_share_min <= 1.0:
        raise SuiteError(f"{test.name}: plain_share_min must be above 0 and at most 1")
    return test
