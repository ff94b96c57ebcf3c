"""in-toto statements (v1) and the predicates that may count as evidence, a file a format.

Our own predicates, and the test result that most gates rest on, refuse fields they do not know: an
unknown field may qualify what the known ones say. Predicates of others are read as their
specifications say, and a gate's condition sees every field.
"""

from quorate.evidence.intoto.document import Document, Evidence, read_document, verify_document
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.gate import GateResult, gate_statement, verify_gate
from quorate.evidence.intoto.statement import (
    Statement,
    Subject,
    about_model,
    parse_statement,
    read_statement,
)
from quorate.evidence.intoto.test_result import GateRun
from quorate.evidence.intoto.types import TYPES, PredicateType

__all__ = [
    "TYPES",
    "Document",
    "Evidence",
    "Facts",
    "GateResult",
    "GateRun",
    "Outcome",
    "PredicateType",
    "Statement",
    "Subject",
    "about_model",
    "gate_statement",
    "parse_statement",
    "read_document",
    "read_statement",
    "verify_document",
    "verify_gate",
]
