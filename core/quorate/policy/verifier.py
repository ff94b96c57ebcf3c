"""Each statement verified once for each set of producers: gates often share them."""

from quorate.errors import QuorateError
from quorate.evidence.intoto import Document, Evidence, verify_document
from quorate.evidence.signatures import Context, SignerSet
from quorate.policy.compiled_gate import CompiledGate
from quorate.predicates import PredicateUri

_Key = tuple[int, PredicateUri, SignerSet]


class Verifier:
    """For one evaluation. Documents are told apart by identity, so they must outlive it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._known: dict[_Key, Evidence | QuorateError] = {}

    def evidence(self, document: Document, gate: CompiledGate) -> Evidence:
        """What at least one producer of ``gate`` signed. Raises as verify_document does."""
        kind, producers = gate.spec.predicate_type, gate.producers.needing(1)
        key = (id(document), kind, producers)
        if key not in self._known:
            try:
                self._known[key] = verify_document(document, kind, producers, self.context)
            except QuorateError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, QuorateError):
            raise found
        return found
