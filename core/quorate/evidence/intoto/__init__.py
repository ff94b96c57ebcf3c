"""in-toto statements (v1) and the one predicate that counts so far: a test result.

The framework tells consumers to ignore fields they do not know. Evidence that opens a gate is read
the other way round: an unknown field may qualify what the known ones say, so it is refused.
"""

from quorate.evidence.intoto.gate import GateResult, gate_statement, verify_gate
from quorate.evidence.intoto.statement import Statement, Subject, parse_statement
from quorate.evidence.intoto.test_result import GateRun, Outcome

__all__ = [
    "GateResult",
    "GateRun",
    "Outcome",
    "Statement",
    "Subject",
    "gate_statement",
    "parse_statement",
    "verify_gate",
]
