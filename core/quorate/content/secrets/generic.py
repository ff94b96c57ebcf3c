"""Credentials by structure: key blocks, tokens, URLs with passwords, named values."""

import string

from quorate.content.patterns import BASE64, SPACE, TOKEN, TOKEN_DOTTED, Pattern
from quorate.content.secrets.randomness import entropy, is_placeholder

_NAMED_BITS = 3.2
"""Below it a value is more likely a word than a secret. Random base64 of 16 bytes has about 3.9."""


def _has_password(match: bytes) -> bool:
    password = match.rpartition(b"@")[0].partition(b"://")[2].partition(b":")[2]
    looks_like_a_variable = password[:1] in (b"$", b"<", b"{", b"%")
    return len(password) >= 3 and not looks_like_a_variable and not is_placeholder(password)


def _is_random_value(match: bytes) -> bool:
    operator = min(index for index in (match.find(b":"), match.find(b"=")) if index >= 0)
    value = match[operator:].lstrip(b":=> \t\"'")
    kinds = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
    mixed = sum(any(chr(byte) in kind for byte in value) for kind in kinds) >= 2
    has_digit = any(48 <= byte <= 57 for byte in value)
    return mixed and has_digit and entropy(value) >= _NAMED_BITS and not is_placeholder(value)


GENERIC = (
    Pattern(
        # The header is enough to stop for; what follows it is the key, so it is the tail.
        "private-key",
        rb"-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----",
        length_max=60,
        alphabet=(string.ascii_uppercase + string.digits + " -").encode(),
        tail=BASE64 + SPACE + b"-:,.\\",
    ),
    Pattern(
        "json-web-token",
        rb"\beyJ[0-9A-Za-z_-]{10,256}\.eyJ[0-9A-Za-z_-]{10}",
        length_max=273,
        tail=TOKEN_DOTTED,
    ),
    Pattern(
        "url-with-password",
        rb"://[^\x00-\x20\x7f-\xff:/@\"'?#]{0,64}:[^\x00-\x20\x7f-\xff/@\"']{3,128}@",
        length_max=212,
        lead=TOKEN + b"+",
        lead_max=15,
        accept=_has_password,
    ),
    Pattern(
        "named-secret",
        rb"(?i)(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key)"
        rb"[\"']?[ \t]{0,3}(?::=?|={1,2}>?)[ \t]{0,3}[\"']?[a-z0-9_+/.=~!@#$%^&*-]{12,64}",
        length_max=87,
        gaps=2,
        tail=TOKEN_DOTTED,
        accept=_is_random_value,
    ),
)
