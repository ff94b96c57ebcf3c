"""The in-toto predicate types a gate may ask for. Policies hold on to these names."""

from enum import StrEnum


class PredicateUri(StrEnum):
    """One for each format in quorate.evidence.intoto."""

    TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
    SVR = "https://in-toto.io/attestation/svr/v0.2"
    VSA = "https://slsa.dev/verification_summary/v1"
    VULNS = "https://in-toto.io/attestation/vulns/v0.2"
    PROVENANCE = "https://slsa.dev/provenance/v1"
    CYCLONEDX = "https://cyclonedx.org/bom"
    CYCLONEDX_1_5 = "https://cyclonedx.org/bom/v1.5"
    CYCLONEDX_1_6 = "https://cyclonedx.org/bom/v1.6"
    CYCLONEDX_1_7 = "https://cyclonedx.org/bom/v1.7"
    SPDX_3 = "https://spdx.dev/Document/v3"
    REFERENCE = "https://in-toto.io/attestation/reference/v0.1"
    EVAL_RESULT = "https://in-toto.io/attestation/eval-result/v0.1"
    """A draft: a gate must say ``acceptDraft``."""
    APPROVAL = "https://quorate.dev/attestation/approval/v0.1"
