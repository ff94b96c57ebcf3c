"""Where an action may lead: addresses, hosts, telephone numbers, accounts."""

import re
from typing import Final

DESTINATIONS_MAX: Final = 512
_NAMED: Final = re.compile(
    r"[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,253}"
    r"|\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>|,;)\]}]{1,512}"
    r"|\b(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b"
    r"|\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b"
    r"|\b[a-z]{2}[0-9]{2}(?: ?[0-9a-z]{4}){2,7}(?: ?[0-9a-z]{1,3})?\b"
    r"|\b0x[0-9a-f]{16,64}\b|\b[13][a-z0-9]{25,39}\b|\bbc1[a-z0-9]{20,80}\b"
    r"|\+?[0-9](?:[ ./()-]{0,2}[0-9]){5,33}",
    re.ASCII,
)
_SUFFIXES: Final = frozenset(("md", "txt", "py", "js", "ts", "go", "json", "yaml", "html", "csv"))
"""``report.md`` is a file and no host."""
_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://(?:[^/@]*@)?([^/?#:]+)", re.ASCII)


def destinations(text: str) -> frozenset[str]:
    """The destinations in a text in its normal form: letters and digits only, each as a whole,
    and of a URL its host as well."""
    found: set[str] = set()
    for number, match in enumerate(_NAMED.finditer(text)):
        if number >= DESTINATIONS_MAX:
            break
        value = match.group().rstrip(".")
        if "@" not in value and "://" not in value and value.rpartition(".")[2] in _SUFFIXES:
            continue
        host = _HOST.match(value)
        for part in (value, host.group(1) if host else ""):
            plain = "".join(filter(str.isalnum, part))
            if len(plain) >= 6:
                found.add(plain)
    return frozenset(found)


WORDS_MAX: Final = 3
"""A value with more words that lead nowhere is a text and no target."""


def is_target(value: str) -> bool:
    """Whether a value of the arguments, in its normal form, says where something goes: it may be
    addresses with a name or two. A letter that quotes an address is not sent there."""
    others = 0
    for word in value.split():
        others += not destinations(word)
        if others > WORDS_MAX:
            return False
    return True
