"""A failure that counted once goes on counting, whether the model withholds it or shows it."""

from datetime import timedelta

import pytest
from cryptography import x509

from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome, read_document
from quorate.evidence.signatures.signing import sign_bundle
from quorate.predicates import PredicateUri as Uri
from quorate.verdict import Reason
from tests.fakes.authorities import Authority, pem
from tests.fakes.vouching import NOW, gate_result, signers
from tests.unit.policy.test_gates import FILES, LAB, gate_of, judge, reasons

HOUR = timedelta(hours=1)
AUTHORITY = Authority()
WORKER = "https://ci.example.com/gate"
GATE = gate_of(
    Uri.TEST_RESULT,
    producers=signers(LAB)
    | {
        "certificates": [
            {
                "name": "ci",
                "ca": pem(AUTHORITY.certificate),
                "subjectAlternativeName": WORKER,
            }
        ]
    },
)


def failed_in_a_job() -> str:
    """A failure signed by a job, whose certificate lasts an hour."""
    key, certificate = AUTHORITY.signer(
        x509.UniformResourceIdentifier(WORKER), not_before=NOW - HOUR, not_after=NOW + HOUR
    )
    envelope = gate_result(FILES, key, result=Outcome.FAILED, finished_at=NOW - HOUR / 2)
    return sign_bundle(dsse.parse(envelope.encode()).payload, key, [certificate]).decode()


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
def test_showing_a_remembered_failure_does_not_hide_it() -> None:
    """Once its producer's certificate has ended, the failure itself in the model's evidence must
    not take the remembered one's place."""
    passed, failed = gate_result(FILES, LAB), failed_in_a_job()
    [failure] = judge(GATE, passed, failed).failures
    later = NOW + 2 * HOUR
    withheld = judge(GATE, passed, now=later, remembered=[failure.document])
    assert reasons(withheld) == [Reason.GATE_FAILED]
    shown = judge(GATE, passed, failed, now=later, remembered=[failure.document])
    assert reasons(shown) == [Reason.GATE_FAILED]
    newer = gate_result(FILES, LAB, finished_at=later - HOUR / 2)
    lifted = judge(GATE, passed, failed, newer, now=later, remembered=[failure.document])
    assert lifted.verdict.allowed


def test_a_failure_that_is_shown_and_remembered_is_told_once() -> None:
    """While it counts as shown, nobody reads that it is remembered."""
    passed, failed = gate_result(FILES, LAB), failed_in_a_job()
    kept = [read_document(failed.encode())]
    shown = judge(GATE, passed, failed, remembered=kept)
    assert reasons(shown) == [Reason.GATE_FAILED]
    assert "remembered" not in shown.verdict.text()
