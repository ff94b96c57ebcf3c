"""SLSA verification summary (v1): a verifier's word that a policy holds.

The result is recomputed: a summary that lists FAILED among its levels, or no level, did not pass.
Signers may speak for certain verifiers only, so a gate's condition names ``verifier.id``.

Source: https://slsa.dev/spec/v1.0/verification_summary
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import (
    Descriptor,
    Identified,
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

_WHAT: Final = "verification summary"
_TRACK: Final = re.compile(r"SLSA_([A-Z]+)_LEVEL_[0-9]\Z")
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Counts = Annotated[dict[Text, _Count], msgspec.Meta(max_length=64)]


class _Predicate(Open, frozen=True):
    verifier: Identified
    time_verified: str
    resource_uri: Uri
    policy: Descriptor
    verification_result: Literal["PASSED", "FAILED"]
    verified_levels: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)]
    input_attestations: Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=1024)] = ()
    dependency_levels: _Counts = msgspec.field(default_factory=dict)
    slsa_version: Text | None = None


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.verifier.id, "verifier.id")
    check_uri(raw.resource_uri, "resourceUri")
    if raw.policy.uri is None:
        raise InvalidInput("must have a uri", field="policy")
    for one in raw.input_attestations:
        check_descriptor(one, "inputAttestations[]")
        if one.digest is None:
            raise InvalidInput("must have a digest", field="inputAttestations[]")
    _check_tracks(raw.verified_levels)
    passed = raw.verification_result == "PASSED" and _passing(raw.verified_levels)
    suite = sha256_of(raw.policy.digest, "policy")
    return Facts(
        result=Outcome.PASSED if passed else Outcome.FAILED,
        made_at=parse_rfc3339(raw.time_verified, "timeVerified"),
        suites=frozenset({suite} if suite else ()),
        failures=() if passed else (f"the policy {raw.policy.uri[:200]} failed",),
    )


def _passing(levels: tuple[str, ...]) -> bool:
    return bool(levels) and "FAILED" not in levels


def _check_tracks(levels: tuple[str, ...]) -> None:
    tracks = [match.group(1) for level in levels if (match := _TRACK.match(level))]
    if len(set(tracks)) != len(tracks):
        raise InvalidInput("names two levels of one track", field="verifiedLevels")
