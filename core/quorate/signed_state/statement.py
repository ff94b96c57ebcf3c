"""What a member signs of one pod, and what is left of it once it is believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import msgspec

from quorate import limits, names, vouched
from quorate.certificate import PolicyRef
from quorate.errors import SubjectMismatch
from quorate.evidence import dsse
from quorate.policy.runtime import RuntimeRules
from quorate.ports import Signer
from quorate.statements import (
    DigestText,
    Identifier,
    Instant,
    check_life,
    encode,
)


class PodSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The pod a state is for."""

    uid: Identifier
    namespace: Identifier
    name: Identifier
    model: Identifier


class PolicyState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One policy that selects the pod, and the certificate that the model holds it."""

    policy: PolicyRef
    policy_digest: DigestText
    certificate: Annotated[str, msgspec.Meta(max_length=32_768)]
    """A DSSE envelope; empty if there is none."""


class StateDenial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Why the committee denies this pod."""

    reason: Identifier
    message: Annotated[str, msgspec.Meta(max_length=4096)]


class StateStatement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What is signed. ``rules`` is None exactly if ``denial`` is not."""

    cluster_id: Identifier
    epoch: DigestText
    pod: PodSubject
    manifest_digest: DigestText | None
    rules: RuntimeRules | None
    policies: Annotated[tuple[PolicyState, ...], msgspec.Meta(max_length=limits.POLICIES_PER_POD)]
    revoked: Annotated[tuple[DigestText, ...], msgspec.Meta(max_length=1024)]
    """Ids of certificates that no longer count although they have not expired."""
    denial: StateDenial | None
    issued_at: Instant
    expires_at: Instant
    shard_size: int | None = None
    """How the manifest's files are hashed, in bytes; None: whole. Only a hint, left out if None:
    a wrong one gives another digest than the certified."""


@dataclass(frozen=True, slots=True)
class PodState:
    """A verified state that allows the pod to serve until ``expires_at``."""

    rules: RuntimeRules
    manifest_digest: str
    policy_digests: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    shard_size: int | None = None


class StateDenied(SubjectMismatch):
    """The committee answered, and denies this pod. Kept apart from a state that is not there."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


# One signature each: members say it in their own time, and whoever asks compares.
FORM: Final = vouched.Form(
    "state", StateStatement, names.STATE_TYPE, limits.STATEMENT_BYTES, vouched.alone
)


def issue(statement: StateStatement, signers: Sequence[Signer]) -> bytes:
    """Sign a state; returns the DSSE envelope."""
    check_life(statement, "state", limits.STATE_LIFE)
    return dsse.sign(encode(statement), names.STATE_TYPE, signers)
