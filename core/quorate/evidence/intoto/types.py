"""Every predicate type a gate may ask for, and what such a gate may and must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.evidence.intoto import (
    approval,
    cyclonedx,
    eval_result,
    reference,
    slsa_provenance,
    slsa_vsa,
    spdx,
    svr,
    test_result,
    vulns,
)
from quorate.evidence.intoto.facts import Facts
from quorate.predicates import PredicateUri as Uri


@dataclass(frozen=True, slots=True)
class PredicateType:
    """One type. ``read`` raises InvalidInput for what is malformed or contradicts itself."""

    title: str
    read: Callable[[Mapping[str, Any]], Facts]
    suites: bool = False
    """Whether it says, by digest, what was run or verified against."""
    dataset: bool = False
    harness: bool = False
    needs_suites: bool = False
    needs_condition: bool = False
    """Without a condition any document of the type would do."""
    draft: bool = False


TYPES: Final[Mapping[Uri, PredicateType]] = {
    Uri.TEST_RESULT: PredicateType(
        "test result",
        test_result.read,
        suites=True,
        dataset=True,
        harness=True,
        needs_suites=True,
    ),
    Uri.SVR: PredicateType("verification result", svr.read, suites=True, needs_condition=True),
    Uri.VSA: PredicateType(
        "verification summary", slsa_vsa.read, suites=True, needs_condition=True
    ),
    Uri.VULNS: PredicateType("vulnerability scan", vulns.read, needs_condition=True),
    Uri.PROVENANCE: PredicateType("provenance", slsa_provenance.read, needs_condition=True),
    Uri.CYCLONEDX: PredicateType("CycloneDX BOM", cyclonedx.read),
    Uri.CYCLONEDX_1_5: PredicateType("CycloneDX 1.5 BOM", cyclonedx.of_version("1.5")),
    Uri.CYCLONEDX_1_6: PredicateType("CycloneDX 1.6 BOM", cyclonedx.of_version("1.6")),
    Uri.CYCLONEDX_1_7: PredicateType("CycloneDX 1.7 BOM", cyclonedx.of_version("1.7")),
    Uri.SPDX_3: PredicateType("SPDX 3 AI BOM", spdx.read),
    Uri.REFERENCE: PredicateType("reference", reference.read),
    Uri.EVAL_RESULT: PredicateType(
        "evaluation result", eval_result.read, dataset=True, harness=True, draft=True
    ),
    Uri.APPROVAL: PredicateType("approval", approval.read),
}
