"""What a member and its clients say to each other: paths, bodies, errors. No I/O.

Every body is a JSON object without unknown fields. A path's version is that of its body: a field
may be added only together with a new path.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from quorate import limits
from quorate.alerts import REPORTED, Rule
from quorate.canonical import parse_object
from quorate.consensus.epoch import ADMINS_MAX, RECORD_BYTES, EpochRecord
from quorate.consensus.freeze import SignedOrder
from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX
from quorate.statements import DigestText, Identifier, Instant, convert

GENESIS_PATH: Final = "/v1/genesis"
AFTER_PARAMETER: Final = "after"
"""Of the genesis: the number of the epoch after which its chain is wanted; 0 if it is left out."""
EVALUATE_PATH: Final = "/v2/evaluate"
EVALUATE_PATH_BEFORE: Final = "/v1/evaluate"
"""Of operators that let one member choose the time. It is answered Malformed."""
OBSERVED_PATH: Final = "/v2/observed"
OBSERVED_PATH_BEFORE: Final = "/v1/observed"
"""Of operators of the release before, whose pods have no node and no containers."""
STATE_PATH: Final = "/v1/state"
MANIFEST_PATH: Final = "/v1/manifests/"
REPORTS_PATH: Final = "/v1/reports"
RECEIPTS_PATH: Final = "/v1/receipts"
ASKS_PATH: Final = "/v1/asks"
ASKS_TYPE: Final = "application/msgpack"
"""Of both bodies: an ask and its answer are messages of :mod:`quorate.consensus.wire`."""
FREEZES_PATH: Final = "/v1/freezes"
EPOCHS_PATH: Final = "/v1/epochs"
"""A record to be signed, or one that is certified."""

EVIDENCE_PATH: Final = "/v1/evidence"
"""What convicts a member: shown by pods, taken by the operator."""
EVIDENCE_TYPE: Final = "application/octet-stream"
"""Of what pods show: as :mod:`quorate.consensus.quarantine` encodes it."""

SHADOW_PATH: Final = "/v1/shadow-asks"
"""A canary for a member under quarantine, as :mod:`quorate.shadow` encodes it; what comes
back is what comes back of an ask."""
CLEAN_RUNS_PATH: Final = "/v1/clean-runs"
"""What speaks for such a member, as :mod:`quorate.consensus.clean_run` encodes it: shown by pods,
read by whoever proposes that it votes again."""
MEMBER_PARAMETER: Final = "member"

EVALUATE_BYTES: Final = 2 * limits.OBJECT_BYTES + 2 * limits.FETCHED_BYTES + 64 * limits.KIB
"""A policy and a model, each with what its sources hold."""
BATCH_BYTES: Final = 8 * limits.MIB
BATCH_BYTES_ADVISED: Final = limits.MIB
"""Senders split a resynchronisation at about this, so that a member parses in small bites."""
ANSWER_BYTES: Final = 64 * limits.KIB
CHAIN_PAGE: Final = 64
CHAIN_PAGE_BYTES: Final = limits.MIB
"""Records of one answer, and how large they are together: room for the largest there may be."""
GENESIS_BYTES: Final = CHAIN_PAGE_BYTES + 2 * GENESIS_BYTES_MAX + 64 * limits.KIB
EVALUATION_BYTES: Final = limits.MIB
MANIFEST_BYTES: Final = limits.STATEMENT_BYTES
PROBLEMS_MAX: Final = 64
REPORT_BYTES: Final = 32 * limits.KIB
"""What one pod has to say about itself."""
REPORT_CHARS: Final = 512
REPORTS_PAGE: Final = 64
"""Pods in one answer to the operator."""
REPORTS_BYTES: Final = 2 * limits.MIB
REPORTS_WAIT: Final = 15.0
"""Seconds for which a member keeps the operator's question if there is nothing new."""
CURSOR_PARAMETER: Final = "after"
"""Of reports and freezes: the cursor of the answer before."""
FREEZE_BYTES: Final = 16 * limits.KIB
"""One order with the signatures that put it in force."""
FREEZES_PAGE: Final = 32
"""Orders in one answer."""
FREEZES_BYTES: Final = FREEZES_PAGE * FREEZE_BYTES + 4 * limits.KIB
FREEZES_WAIT: Final = 10.0
"""Seconds for which a member keeps the question for freezes if there is nothing new."""

CERTIFIED_BYTES: Final = RECORD_BYTES + 4 * limits.KIB
"""A certified record, from anybody."""
EVIDENCE_ANSWER_BYTES: Final = EVIDENCE_BYTES * 4 // 3 + 4 * limits.KIB
"""Evidence in base64."""
PROPOSAL_BYTES: Final = EVIDENCE_BYTES * 4 // 3 + 2 * RECORD_BYTES
"""A record with the evidence it rests on, in base64."""

Text = Annotated[str, msgspec.Meta(max_length=8192)]
LABELS_MAX: Final = 512
_LabelKey = Annotated[str, msgspec.Meta(min_length=1, max_length=317)]
_LabelValue = Annotated[str, msgspec.Meta(max_length=63)]
_Labels = Annotated[dict[_LabelKey, _LabelValue], msgspec.Meta(max_length=LABELS_MAX)]
_DigestOrNone = Annotated[str, msgspec.Meta(pattern=r"^(sha256:[0-9a-f]{64})?\Z")]
S = TypeVar("S", bound=msgspec.Struct)


class Failure(StrEnum):
    """Why a request was not answered: stable words for clients and metrics."""

    MALFORMED = "Malformed"
    TOO_LARGE = "TooLarge"
    UNAUTHENTICATED = "Unauthenticated"
    FORBIDDEN = "Forbidden"
    POD_UNKNOWN = "PodUnknown"
    RECEIPT_DENIED = "ReceiptDenied"
    NOT_FOUND = "NotFound"
    RESYNC_NEEDED = "ResyncNeeded"
    TOO_MANY_REQUESTS = "TooManyRequests"
    OVERLOADED = "Overloaded"
    NOT_READY = "NotReady"
    EPOCH_REFUSED = "EpochRefused"
    EVIDENCE_REFUSED = "EvidenceRefused"
    DEADLINE = "DeadlineExceeded"
    INTERNAL = "InternalError"


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The base of every body."""


class ErrorBody(Body, frozen=True):
    """Every answer that is not 200: why, for programs and for people, and what would fix it."""

    reason: str
    message: Text
    fix: Text = ""


class GenesisAnswer(Body, frozen=True):
    """Served without authentication; the client believes only what the pinned digest proves.

    ``chain`` are the records after the number asked for, in order: no more than fit, and none only
    if there are none. A client asks again after the last of them.
    """

    genesis: dict[str, Any]
    ca_certificates: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    chain: Annotated[tuple[CertifiedRecord, ...], msgspec.Meta(max_length=CHAIN_PAGE)] = ()


FETCHED_FIELD: Final = "fetched"
"""Beside ``spec`` of a policy: a list of :class:`FetchedImage`, one for each image whose signatures
are kept in a registry. The policy itself stays as the API server holds it, and so its digest."""


class FetchedImage(Body, frozen=True, omit_defaults=True):
    """What is attached to a server image of a policy; ``unread``: that is not known yet."""

    digest: DigestText
    unread: bool = False
    bundles: Annotated[tuple[str, ...], msgspec.Meta(max_length=limits.DOCUMENTS_PER_SOURCE)] = ()


CERTIFICATES_FIELD: Final = "certificates"
"""Beside ``spec`` of a model: a list of the certificates that the operator collected for it, each a
DSSE envelope as a text. Members sign states and receipts with these, as they verify them."""
CERTIFICATES_MAX: Final = 64
"""Of one model. At most 16 policies select a pod; others of its pods have others."""
CERTIFICATE_BYTES: Final = 32 * limits.KIB


_Certificates = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=CERTIFICATE_BYTES)], ...],
    msgspec.Meta(max_length=CERTIFICATES_MAX),
]


class EvaluateRequest(Body, frozen=True):
    """A SafetyPolicy or ClusterSafetyPolicy and an AttestedModel, as the API server gives them.

    A model that names sources has their documents in ``spec.signatures`` and ``spec.evidence``,
    and which of them were read in ``status.sources``. ``issued_at`` is a whole second near now:
    the evidence is judged as of then, so that all members sign the same.
    """

    policy: dict[str, Any]
    model: dict[str, Any]
    issued_at: Instant


class RequirementResult(Body, frozen=True):
    """How the model stands under one requirement; ``reason`` is Verified or a denial's reason."""

    name: str
    status: Literal["True", "False"]
    reason: str
    message: str
    fix: str = ""


class EvaluateAnswer(Body, frozen=True):
    """Every requirement, and the certificate if all hold: a DSSE envelope with one signature.

    ``renew_at``: when it pays to ask again, since only then the answer may be another one for the
    same policy and model.
    """

    policy_digest: DigestText
    requirements: Annotated[tuple[RequirementResult, ...], msgspec.Meta(max_length=64)]
    certificate: str | None
    expires_at: Instant | None
    renew_at: Instant


class ObservedContainer(Body, frozen=True, omit_defaults=True):
    """A container of a pod: which image was asked for, and which one the kubelet says it runs.

    Both are digests of a manifest; empty where the reference has none, or none was reported.
    """

    name: Identifier
    init: bool = False
    asked: _DigestOrNone = ""
    runs: _DigestOrNone = ""


_Containers = Annotated[
    tuple[ObservedContainer, ...], msgspec.Meta(max_length=limits.CONTAINERS_PER_POD)
]


class ObservedPod(Body, frozen=True, omit_defaults=True):
    """A protected pod. Its containers may ask a member for its state, and for a receipt."""

    uid: Identifier
    namespace: Identifier
    name: Identifier
    labels: _Labels
    node: Annotated[str, msgspec.Meta(max_length=253)] = ""
    """The node's name; empty until the pod is bound to one."""
    containers: _Containers = ()
    """All of them; none if they could not be relayed: then there is no receipt."""


class ObjectKey(Body, frozen=True):
    """Which object. ``namespace`` is None for a ClusterSafetyPolicy."""

    kind: Identifier
    namespace: Identifier | None
    name: Identifier


class ObservedBatch(Body, frozen=True):
    """A part of what the operator observes in the API server.

    A session begins with ``sequence`` 1 and ``reset``; batches up to the one with ``complete`` are
    the whole, and take effect together. After that every batch is a change, and an empty one is a
    heartbeat that says: this is still all. Each has the next ``sequence``; the last one may be sent
    again. Anything else is answered ResyncNeeded, and the sender begins a new session. Within a
    batch, removals come before additions.
    """

    session: Identifier
    sequence: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    reset: bool = False
    complete: bool = False
    policies: tuple[dict[str, Any], ...] = ()
    models: tuple[dict[str, Any], ...] = ()
    pods: tuple[ObservedPod, ...] = ()
    removed: tuple[ObjectKey, ...] = ()
    removed_pods: tuple[Identifier, ...] = ()


class Problem(Body, frozen=True):
    """An object that cannot be read or compiled. It denies what it may have been about."""

    object: str
    message: str


class ObservedAnswer(Body, frozen=True, omit_defaults=True):
    """What the member has, and the first PROBLEMS_MAX objects of this batch it cannot use."""

    session: str
    sequence: int
    ready: bool
    problems: tuple[Problem, ...] = ()
    store_broken: Text = ""
    """Why it keeps no votes any more, and so casts none; empty while it does."""


class Report(Body, frozen=True):
    """What a pod says of itself: that an alert's rule holds ``since``, or did ``until``.

    Times are the pod's own word and serve people only.
    """

    rule: Rule
    message: Annotated[str, msgspec.Meta(min_length=1, max_length=REPORT_CHARS)]
    since: Instant
    until: Instant | None = None


_Reports = Annotated[tuple[Report, ...], msgspec.Meta(max_length=len(REPORTED))]


class ReportRequest(Body, frozen=True):
    """All that holds now in the caller's pod, and what has ended since it was last heard.

    It names no pod: which one is meant the token says. A rule that was reported before and is not
    in here has ended.
    """

    reports: _Reports


class ReportHeard(Body, frozen=True):
    """A report has arrived: it need not be sent again until something changes."""

    held: int
    """Rules that hold for the pod, as the member now knows."""


class PodReports(Body, frozen=True):
    """The last word of one pod on each rule it ever reported."""

    uid: Identifier
    namespace: Identifier
    name: Identifier
    reports: _Reports


class ReportsAnswer(Body, frozen=True):
    """Pods whose reports changed after the cursor that was shown. For the operator.

    ``whole``: the cursor was none of this member's, so what was learnt with it must be forgotten.
    ``more``: there is more than fits into one answer.
    """

    cursor: Identifier
    whole: bool
    more: bool
    pods: Annotated[tuple[PodReports, ...], msgspec.Meta(max_length=REPORTS_PAGE)]


class FreezeHeard(Body, frozen=True):
    """An order is in force here; if ``kept``, also after a restart: else it must be said again."""

    order_id: DigestText
    kept: bool


class FreezesAnswer(Body, frozen=True):
    """Orders that came after the cursor that was shown, oldest first; all that are in force if it
    was none of this member's. ``more``: ask again at once.

    Served to anybody: what counts of it is what the reader verifies. What has expired or was
    released is not said; whoever holds it knows.
    """

    cursor: Identifier
    more: bool
    orders: Annotated[tuple[SignedOrder, ...], msgspec.Meta(max_length=FREEZES_PAGE)]


class Proposal(Body, frozen=True, omit_defaults=True):
    """A record that members are to sign: signed by the administrators before, where it needs them.

    ``evidence``: what a quarantine rests on, whose digest the record names.
    """

    record: EpochRecord
    admins: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=ADMINS_MAX)] = ()
    evidence: Annotated[bytes, msgspec.Meta(max_length=EVIDENCE_BYTES)] = b""


class EpochsRequest(Body, frozen=True, omit_defaults=True):
    """One of the two: the operator proposes, and anybody shows what is certified."""

    propose: Proposal | None = None
    certified: CertifiedRecord | None = None


class EpochDeclined(Body, frozen=True):
    """Why a member does not sign a record; ``reason`` is a stable word."""

    reason: str
    message: Text
    fix: Text = ""


class ProposeAnswer(Body, frozen=True, omit_defaults=True):
    """One of the two."""

    endorsement: Endorsement | None = None
    declined: EpochDeclined | None = None


class EpochTaken(Body, frozen=True):
    """The record is part of the member's chain, and will be after a restart."""

    number: int
    """Of the newest epoch that the member knows: the record's, or a later one."""


class EvidenceKept(Body, frozen=True):
    """The evidence convicts this member, and is kept until the next epoch or the next start."""

    accused: Identifier


class CleanRunKept(Body, frozen=True):
    """The run holds up, and the longest of ``member`` is kept until the next epoch or start.

    ``unsafe`` and ``safe`` are the clean canaries in what is kept.
    """

    member: Identifier
    unsafe: int
    safe: int


class CleanRunAnswer(Body, frozen=True, omit_defaults=True):
    """The longest run of clean canaries of one member; empty if none is known. For anybody."""

    run: Annotated[bytes, msgspec.Meta(max_length=EVIDENCE_BYTES)] = b""


class EvidenceAnswer(Body, frozen=True, omit_defaults=True):
    """What is kept against one member; empty if nobody is accused. For the operator."""

    evidence: Annotated[bytes, msgspec.Meta(max_length=EVIDENCE_BYTES)] = b""


def read_epochs_request(body: bytes, bytes_max: int) -> EpochsRequest:
    """Read a proposal or a certified record. Raises InvalidInput, or LimitExceeded."""
    request = decode(body, EpochsRequest, bytes_max=bytes_max, what="epochs request")
    if (request.propose is None) == (request.certified is None):
        raise InvalidInput("must have one of propose and certified", field="epochs request")
    return request


def read_freezes(body: bytes) -> FreezesAnswer:
    """Read a member's answer. Raises InvalidInput, or LimitExceeded; nothing in it is verified."""
    return decode(body, FreezesAnswer, bytes_max=FREEZES_BYTES, what="freezes answer")


def read_reports(body: bytes) -> tuple[Report, ...]:
    """Read what a pod says of itself. Raises InvalidInput, or LimitExceeded."""
    request = decode(body, ReportRequest, bytes_max=REPORT_BYTES, what="report")
    rules = [report.rule for report in request.reports]
    if len(set(rules)) != len(rules):
        raise InvalidInput("must name each rule once", field="reports[].rule")
    for report in request.reports:
        if report.rule not in REPORTED:
            raise InvalidInput(f"must be one of {', '.join(REPORTED)}", field="reports[].rule")
        # People read it in terminals.
        if not report.message.isprintable():
            raise InvalidInput("must hold printable characters only", field="reports[].message")
    return request.reports


def fetched_images(policy: Mapping[str, Any]) -> tuple[FetchedImage, ...]:
    """What was relayed with a policy. Raises InvalidInput."""
    found = policy.get(FETCHED_FIELD, [])
    kind = Annotated[tuple[FetchedImage, ...], msgspec.Meta(max_length=limits.SERVER_SIGNERS)]
    return convert(found, kind, FETCHED_FIELD)


def relayed_certificates(model: Mapping[str, Any]) -> tuple[str, ...]:
    """The envelopes that were relayed with a model, unverified. Raises InvalidInput."""
    found = model.get(CERTIFICATES_FIELD, [])
    envelopes = convert(found, _Certificates, CERTIFICATES_FIELD)
    for envelope in envelopes:
        # Base64 within JSON: whatever is not ASCII is none, and characters are bytes.
        if not envelope.isascii():
            raise InvalidInput("must be ASCII", field=f"{CERTIFICATES_FIELD}[]")
    return envelopes


def decode(data: bytes, kind: type[S], *, bytes_max: int, what: str) -> S:
    """Read a body strictly. Raises InvalidInput."""
    return convert(parse_object(data, bytes_max=bytes_max, what=what), kind, what)


def encode(body: msgspec.Struct) -> bytes:
    """The JSON form of a body."""
    return msgspec.json.encode(body)
