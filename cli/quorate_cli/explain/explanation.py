"""The chain of reasons as data: text and JSON are both made of it, so they say the same.

Field names are a promise to programs that read ``--output json``. Times are RFC 3339.
"""

from datetime import datetime
from typing import Literal

import msgspec

from quorate_cli.policies import Answer

Role = Literal["measure", "sidecar", "server", "init"]
Question = Literal["create", "run", "serve"]


class Remedy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What would put something right: a sentence, and the commands that do it, in order."""

    text: str
    commands: tuple[str, ...] = ()


class Refusal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One reason for a DENY and what would fix it."""

    reason: str
    message: str
    requirement: str = ""
    policy: str = ""
    owner: str = ""
    remedy: Remedy


class Gap(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that could not be read, and so could not be judged."""

    message: str
    fix: str


class Subject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is explained. ``phase`` and ``node`` are empty unless it is a pod that exists."""

    kind: str
    namespace: str
    name: str
    phase: str = ""
    node: str = ""
    controller: str = ""
    created_at: datetime | None = None


class NamespaceMode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether the namespace enforces."""

    name: str
    mode: str
    enforced: bool
    message: str


class PolicyLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One policy that could be meant for the pod. ``because`` says why it does not select it."""

    ref: str
    digest: str
    selects: Answer
    because: tuple[str, ...] = ()
    problem: str = ""
    """Why it does not compile; empty if it does."""
    names_signers: bool = False
    owner: str = ""
    asks: tuple[str, ...] = ()
    """The requirements it makes of the model's evidence."""


class Signer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who signed: what the policy calls them, and their key or identity, by ``method``."""

    name: str
    key_id: str
    """A key's id, or an identity and who vouches for it."""
    method: str = "key"


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document of the model's that shows a requirement, verified again here."""

    name: str
    digest: str
    signers: tuple[Signer, ...]
    what: str = ""
    """What kind of evidence it is."""
    suite: str = ""
    finished_at: datetime | None = None


class SourceLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A place where documents of the model are kept, and what the operator read from it."""

    field: str
    name: str
    place: str
    status: str
    """``True``, ``False`` or ``Unknown`` with its reason; empty before the first report."""
    message: str
    fetched_at: str
    documents: tuple[str, ...] = ()
    """Digests of the documents that count, of their bytes."""


class RequirementLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One requirement as it was judged here, and as the operator reported it."""

    name: str
    holds: bool
    reported: str
    """``True``, ``False`` or ``Unknown`` with its reason, as in the status; empty without one."""
    shown_by: tuple[Document, ...] = ()
    counts_until: datetime | None = None
    elsewhere: bool = False
    """What shows it is kept outside the object, so the committee's word is repeated here."""
    refusal: Refusal | None = None


class ImageLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server image that must be signed. ``signed`` is None while that is not known."""

    name: str
    digest: str
    signed: bool | None
    signed_by: tuple[str, ...] = ()
    """As the policy names them: ``keys/NAME``, ``certificates/NAME``, ``keyless/NAME``."""
    counts_until: datetime | None = None
    place: str = ""
    """The repository where more signatures are looked for; empty if there is none."""
    message: str = ""


class CertificateLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The certificate for one policy. ``state`` is the word that a decision hangs on."""

    state: Literal["valid", "missing", "refused", "unverified"]
    message: str
    certificate_id: str = ""
    voters: tuple[Signer, ...] = ()
    issued_at: datetime | None = None
    expires_at: datetime | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the model stands under one policy."""

    policy: str
    requirements: tuple[RequirementLine, ...]
    certificate: CertificateLine
    images: tuple[ImageLine, ...] = ()
    """The policy's server images, if they must be signed."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document in the model's spec. ``counts_for`` is empty if it shows nothing asked for."""

    name: str
    kind: Literal["signature", "statement"]
    digest: str
    counts_for: tuple[str, ...]
    problem: str = ""


class ModelLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The AttestedModel."""

    ref: str
    manifest_digest: str
    source: str
    version: str
    owner: str
    ready: str
    """``True``, ``False`` or ``Unknown`` with its reason and message; empty without a status."""
    seen_by_operator: bool
    """Whether the status is about the present generation."""
    evidence: tuple[Evidence, ...]
    sources: tuple[SourceLine, ...] = ()


class Injection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What mutate would add to a pod from a file."""

    added: tuple[str, ...]
    image: str
    genesis_digest: str


class ContainerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One container as the kubelet reports it."""

    name: str
    role: Role
    ready: bool
    state: str
    restarts: int
    at_fault: bool = False
    """Not merely waiting for its turn, or busy starting. Says nothing if it is ready."""
    message: str = ""
    """Its termination message; that of quorate-measure says what differed."""


class NodeSide(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened to the pod after admission."""

    gate: Literal["held", "released"]
    message: str
    containers: tuple[ContainerState, ...]
    events: tuple[str, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The verdict on one question."""

    question: Question
    answer: Answer
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything, from the namespace's mode to the verdict."""

    subject: Subject
    namespace: NamespaceMode
    policies: tuple[PolicyLine, ...]
    selection: Refusal | None = None
    """Why the policies cannot be used; None if they can."""
    exempt: bool = False
    model: ModelLine | None = None
    standings: tuple[Standing, ...] = ()
    injection: Injection | None = None
    node_side: NodeSide | None = None
    decisions: tuple[Decision, ...] = ()
    gaps: tuple[Gap, ...] = ()
    warnings: tuple[str, ...] = ()
