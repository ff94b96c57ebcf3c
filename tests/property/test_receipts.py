"""Receipts changed in any byte or field, or shown for anything but their own pod: no receipt."""

import dataclasses
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate import names, receipt
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.receipt import ReceiptStatement
from quorate.statements import encode
from tests.fakes import receipts
from tests.fakes.vouching import NOW, Committee

COMMITTEE, KEY = Committee(), receipts.session_key()
EPOCH = COMMITTEE.genesis.digest_text
STATEMENT = receipts.receipt_statement(KEY, epoch=EPOCH)
ENVELOPE = receipt.issue(STATEMENT, [COMMITTEE.keys[0]])
ASKED = receipts.request_statement(KEY)
REQUEST = receipts.request(KEY)
OTHER = f"sha256:{'0' * 64}"


def shown(envelope: bytes, **changes: Any) -> ReceiptStatement | None:
    """What a sidecar makes of it; None if it refuses it."""
    whose: dict[str, Any] = {
        "pod_uid": receipts.POD_UID,
        "session_key": KEY.public_key.pem,
        "manifest_digest": receipts.FILES.digest,
        "now": NOW + timedelta(minutes=1),
    }
    try:
        return receipt.verify(envelope, COMMITTEE.history, **(whose | changes)).statement
    except QuorateError:
        return None


def asked(envelope: bytes) -> receipt.RequestStatement | None:
    """What a member makes of a request."""
    try:
        return receipt.verify_request(envelope, "cluster-1", NOW)
    except QuorateError:
        return None


def mutated(whole: bytes, data: st.DataObject) -> bytes:
    """One byte changed, removed or added."""
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    return data.draw(
        st.sampled_from(
            [whole[:at] + byte + whole[at + 1 :], whole[:at] + whole[at + 1 :],
             whole[:at] + byte + whole[at:]]
        )
    )  # fmt: skip


def test_unchanged_they_count() -> None:
    """What is changed below is enough as it is."""
    assert shown(ENVELOPE) == STATEMENT
    assert asked(REQUEST) == ASKED


@pytest.mark.requirement("pod receipts: mutate any byte or field of a receipt: DENY")
@given(st.data())
def test_any_byte_changed_denies(data: st.DataObject) -> None:
    """Only a change that leaves payload and signature as they are (a hint, a space) may pass."""
    assert shown(mutated(ENVELOPE, data)) in (None, STATEMENT)


@given(st.data())
def test_any_byte_of_a_request_changed_denies(data: st.DataObject) -> None:
    """The same of what a sidecar asks."""
    assert asked(mutated(REQUEST, data)) in (None, ASKED)


CHANGES: dict[str, Any] = {
    "epoch": f"sha256:{'5' * 64}",
    "cluster_id": "cluster-2",
    "pod_uid": "pod-uid-2",
    "node_uid": "node-uid-2",
    "image_digests": (OTHER,),
    "manifest_digest": OTHER,
    "policies": (msgspec.structs.replace(STATEMENT.policies[0], certificate_id=OTHER),),
    "session_key": receipts.session_key().public_key.pem,
    "issued_at": NOW - timedelta(seconds=1),
    "expires_at": NOW + timedelta(minutes=16),
}


@pytest.mark.requirement("pod receipts: mutate any byte or field of a receipt: DENY")
@pytest.mark.parametrize("field", ReceiptStatement.__struct_fields__)
def test_any_field_changed_denies(field: str) -> None:
    """Under the old signature nothing counts; under the committee's own, nobody else's does."""
    changed = msgspec.structs.replace(STATEMENT, **{field: CHANGES[field]})
    signed = dsse.parse(ENVELOPE)
    assert shown(dataclasses.replace(signed, payload=encode(changed)).encode()) is None
    genuine = dsse.sign(encode(changed), names.RECEIPT_TYPE, [COMMITTEE.keys[0]])
    mine = {"node_uid", "image_digests", "policies"}
    assert (shown(genuine) is None) == (field not in mine)


_UIDS = st.text(st.sampled_from("0123456789abcdef-"), min_size=1, max_size=40)


@pytest.mark.requirement("pod receipts: a receipt for pod X never serves Y")
@given(mine=_UIDS, theirs=_UIDS)
def test_a_receipt_serves_its_own_pod_only(mine: str, theirs: str) -> None:
    """Genuine, fresh, of the same model, image and policy: it is still another pod's."""
    statement = receipts.receipt_statement(KEY, epoch=EPOCH, pod_uid=theirs)
    envelope = receipt.issue(statement, [COMMITTEE.keys[0]])
    assert (shown(envelope, pod_uid=mine) is not None) == (mine == theirs)


def test_other_signers_and_types_do_not_count() -> None:
    """A stranger, the session key itself, and the committee's word under another type."""
    for key, kind in (
        (receipts.session_key(), names.RECEIPT_TYPE),
        (KEY, names.RECEIPT_TYPE),
        (COMMITTEE.keys[0], names.STATE_TYPE),
        (COMMITTEE.keys[0], names.CERTIFICATE_TYPE),
    ):
        assert shown(dsse.sign(encode(STATEMENT), kind, [key])) is None


def test_a_receipt_counts_in_its_time_only() -> None:
    """To the instant at its end, with the clocks' allowance before its beginning."""
    end = STATEMENT.expires_at
    assert shown(ENVELOPE, now=end - timedelta(milliseconds=1))
    assert shown(ENVELOPE, now=end) is None
    assert shown(ENVELOPE, now=NOW - timedelta(seconds=30))
    assert shown(ENVELOPE, now=NOW - timedelta(seconds=31)) is None
