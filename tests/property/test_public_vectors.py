"""Real evidence of other kinds, from public test vectors, is refused in an orderly way.

The vectors are attestation reports, quotes and results of hardware: nothing that signs a model or a
gate. They are not part of the tree; without them these tests are skipped.
"""

import os
from pathlib import Path

import pytest

from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.intoto import parse_statement
from quorate.evidence.model_signing import parse_bundle
from quorate.predicates import PredicateUri
from tests.property.test_evidence_mutation import allowed

FOLDER = Path(
    os.environ.get("QUORATE_VECTORS", Path(__file__).resolve().parents[3] / "shared" / "vectors")
)
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER.is_dir() else []
pytestmark = pytest.mark.skipif(not FILES, reason="no public vectors beside the tree")


@pytest.mark.requirement("public vectors are used where they fit")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_foreign_evidence_is_refused(path: Path) -> None:
    """As envelope, bundle and statement: an error of ours, never another, and never a yes."""
    data = path.read_bytes()
    for read in (dsse.parse, parse_bundle):
        with pytest.raises(QuorateError):
            read(data)
    for kind in PredicateUri:
        with pytest.raises(QuorateError):
            parse_statement(data, kind)


@pytest.mark.requirement("public vectors are used where they fit")
def test_foreign_evidence_admits_nothing() -> None:
    """In the place of a gate's evidence each of them is a DENY."""
    for path in FILES:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not allowed(PredicateUri.TEST_RESULT, text or "{}"), path.name
