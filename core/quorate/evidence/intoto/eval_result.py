"""Evaluation result (v0.1, a draft): metrics against thresholds.

``passed`` is recomputed where a claim discloses the observed value, in an extension field named by
URI; thresholds and values are decimal strings and compared as decimals. Salted commitments are no
digests and are compared with nothing. Only the subject says which model it is about.

Source: https://github.com/in-toto/attestation/pull/575 (open)
"""

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import (
    Descriptor,
    DigestSet,
    Identified,
    Open,
    Text,
    check_uri,
    sha256_of,
)
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

OBSERVED: Final = "https://quorate.dev/attestation/observed"
"""A claim's observed value, a decimal string."""
_WHAT: Final = "eval-result predicate"
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?\Z", re.ASCII)
_COMPARE: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


class _Claim(Open, frozen=True):
    metric: Text
    comparator: Literal[">=", ">", "<=", "<"]
    threshold: str
    passed: bool
    observed: str | None = msgspec.field(name=OBSERVED, default=None)


class _Suite(Open, frozen=True):
    name: Text
    version: Text


class _Commitment(Open, frozen=True):
    alg: Text
    value: Text
    salted: bool


class _Commitments(Open, frozen=True):
    model: _Commitment | None = None
    dataset: _Commitment | None = None


class _Harness(Open, frozen=True):
    name: Text
    version: Text
    digest: DigestSet | None = None


class _Predicate(Open, frozen=True, kw_only=True):
    evaluator: Identified
    evaluated_at: str
    suite: _Suite
    claims: Annotated[tuple[_Claim, ...], msgspec.Meta(min_length=1, max_length=1024)]
    sample_size: Annotated[int, msgspec.Meta(ge=1)]
    commitments: _Commitments = _Commitments()
    model: Descriptor | None = None
    dataset: Descriptor | None = None
    assurance_level: Literal["self_attested", "third_party", "reproduced", "enclave_attested"]
    subject_profile: Literal["receipt", "public-model", "release-gate"]
    harness: _Harness | None = None


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.evaluator.id, "evaluator.id")
    if raw.subject_profile == "receipt":
        raise InvalidInput("must not be receipt: that is about no model", field="subjectProfile")
    _identity(raw.commitments.model, raw.model, "model")
    dataset = _identity(raw.commitments.dataset, raw.dataset, "dataset")
    failed = tuple(claim.metric for claim in raw.claims if not _passed(claim))
    return Facts(
        result=Outcome.FAILED if failed else Outcome.PASSED,
        made_at=parse_rfc3339(raw.evaluated_at, "evaluatedAt"),
        dataset=dataset,
        harness=sha256_of(raw.harness.digest, "harness") if raw.harness else None,
        failures=failed,
    )


def _passed(claim: _Claim) -> bool:
    """As the producer says, and as the numbers say."""
    threshold = _decimal(claim.threshold, "claims[].threshold")
    if claim.observed is None:
        return claim.passed
    holds = _COMPARE[claim.comparator](_decimal(claim.observed, OBSERVED), threshold)
    return claim.passed and holds


def _decimal(text: str, field: str) -> Decimal:
    if not _DECIMAL.match(text):
        raise InvalidInput("must be a decimal number in a string, such as 0.98", field=field)
    return Decimal(text)


def _identity(
    commitment: _Commitment | None, descriptor: Descriptor | None, what: str
) -> str | None:
    """The digest of a public model or dataset; None for a private one."""
    if (commitment is None) == (descriptor is None):
        raise InvalidInput(f"must have exactly one of commitments.{what} and {what}", field=what)
    if commitment is not None:
        if not commitment.salted:
            raise InvalidInput("must be salted", field=f"commitments.{what}")
        return None
    if descriptor is None or descriptor.digest is None:
        raise InvalidInput("must have a digest", field=what)
    return sha256_of(descriptor.digest, what)
