"""Drafts come from files that anybody may have written."""

import json

from hypothesis import given
from hypothesis import strategies as st

from quorate.consensus import draft as drafts
from quorate.consensus import successors
from quorate.errors import QuorateError
from tests.fakes.ballots import SIGNATURES, Committee, digest

C = Committee()
GOOD = drafts.encode(
    drafts.sign(
        drafts.begin(C.epoch, successors.policies(C.epoch, "r", digest("1"))),
        C.admins[0],
        SIGNATURES,
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def read(data: bytes) -> None:
    """It is a draft, or refused by an error of ours."""
    try:
        draft = drafts.parse(data)
    except QuorateError:
        return
    drafts.check(draft)
    assert drafts.parse(drafts.encode(draft)) == draft


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but our own errors comes of them."""
    read(data)


@given(st.sampled_from(["before", "record", "admins", "evidence"]), st.data())
def test_a_changed_draft_is_read_or_refused(part: str, data: st.DataObject) -> None:
    """With anything in the place of one field, at its top or within."""
    document = json.loads(GOOD)
    value = data.draw(VALUES)
    inner = document.get(part)
    if isinstance(inner, dict) and data.draw(st.booleans()):
        inner[data.draw(st.sampled_from(sorted(inner)))] = value
    else:
        document[part] = value
    read(json.dumps(document).encode())
