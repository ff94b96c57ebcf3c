"""Kubernetes quantities in the one spelling the API server stores.

It answers ``1`` for ``1000m`` and ``1Gi`` for ``1024Mi``; what is compared to the byte must be
written that way from the start.
"""

import re

from quorate.errors import InvalidInput

_WRITTEN = re.compile(r"([1-9][0-9]{0,11})(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_DECIMAL = ("m", "", "k", "M", "G", "T")
_BINARY = ("Ki", "Mi", "Gi", "Ti")


def canonical_quantity(text: str, field: str) -> str:
    """The stored spelling of a whole, positive quantity. Raises InvalidInput for any other.

    Source: k8s.io/apimachinery/pkg/api/resource, ``CanonicalizeBytes``.
    """
    amount, suffix = _read(text, field)
    suffixes, step = (_BINARY, 1024) if suffix in _BINARY else (_DECIMAL, 1000)
    at = suffixes.index(suffix)
    while at + 1 < len(suffixes) and amount % step == 0:
        amount, at = amount // step, at + 1
    return f"{amount}{suffixes[at]}"


def whole_bytes(text: str, field: str) -> int:
    """A size in bytes. Raises InvalidInput for what is no whole, positive number of them."""
    amount, suffix = _read(text, field)
    if suffix == "m":
        raise InvalidInput("must be a whole size such as 64Mi or 1Gi", field=field)
    if suffix in _BINARY:
        return amount << 10 * (_BINARY.index(suffix) + 1)
    return amount * int(1000 ** (_DECIMAL.index(suffix) - 1))


def _read(text: str, field: str) -> tuple[int, str]:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InvalidInput("must be a whole quantity such as 100m, 2, 64Mi or 1Gi", field=field)
    return int(match[1]), match[2] or ""
