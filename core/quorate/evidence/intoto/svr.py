"""Simple verification result (v0.2): properties a verifier found to hold.

The list holds passing properties only, so an empty one says that nothing holds: FAILED. Which
properties are enough is the gate's condition. The policies it was verified against count as suites.

Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import (
    Descriptor,
    Open,
    Text,
    Uri,
    check_descriptor,
    check_uri,
    sha256_of,
)
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

_WHAT: Final = "svr predicate"


class _Verifier(Open, frozen=True):
    id: Uri
    policies: Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=64)]


class _Predicate(Open, frozen=True):
    verifier: _Verifier
    time_created: str
    properties: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1024)]


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.verifier.id, "verifier.id")
    if len(set(raw.properties)) != len(raw.properties):
        raise InvalidInput("lists a property twice", field="properties")
    suites = set()
    for policy in raw.verifier.policies:
        check_descriptor(policy, "verifier.policies[]")
        suites.add(sha256_of(policy.digest, "verifier.policies[]"))
    return Facts(
        result=Outcome.PASSED if raw.properties else Outcome.FAILED,
        made_at=parse_rfc3339(raw.time_created, "timeCreated"),
        suites=frozenset(suite for suite in suites if suite),
        failures=() if raw.properties else ("no property was verified",),
    )
