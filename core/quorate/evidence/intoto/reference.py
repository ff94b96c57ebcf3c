"""Reference (v0.1): documents about the model that lie elsewhere, such as a model card.

A reference without a digest points to whatever lies there today, so each must have one. The type
has no time, so it carries ours in an extension field, as test results do.

Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/reference.md
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import Descriptor, Identified, Open, check_uri, sha256_of
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.test_result import FINISHED_AT
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

_WHAT: Final = "reference predicate"


class _Predicate(Open, frozen=True):
    attester: Identified
    references: Annotated[tuple[Descriptor, ...], msgspec.Meta(min_length=1, max_length=256)]
    finished_at: str = msgspec.field(name=FINISHED_AT)


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.attester.id, "attester.id")
    for one in raw.references:
        if one.download_location is None or one.media_type is None:
            raise InvalidInput("must have downloadLocation and mediaType", field="references[]")
        if sha256_of(one.digest, "references[]") is None:
            raise InvalidInput("must have a sha256 digest", field="references[]")
    return Facts(result=Outcome.PASSED, made_at=parse_rfc3339(raw.finished_at, FINISHED_AT))
