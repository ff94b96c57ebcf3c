"""SafetyCommittee: where people propose epoch records, and where the committee is seen."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, Field, StringConstraints

from quorate.api.v1alpha1.meta import (
    Condition,
    Digest,
    Model,
    PrinterColumn,
    Resource,
    ShortName,
    Text,
    Timestamp,
    list_map,
)

OBJECT: Final = "committee"
"""The only name there may be."""
MEMBERS_MAX: Final = 13
ADMINS_MAX: Final = 16
"""As records have them (quorate.consensus)."""
PROPOSALS_MAX: Final = 8
STATUSES_MAX: Final = PROPOSALS_MAX + 1
"""The operator proposes a quarantine by itself."""
RECORD_CHARS: Final = 128 * 1024
"""Of a proposal's record: thirteen seats, sixteen administrators and a thousand released freezes
fit. Eight of them fit into one object."""
CHAIN_MAX: Final = 16
CERTIFIED_CHARS: Final = 260 * 1024
"""The largest certified record: quorate_io.member_api.CERTIFIED_BYTES."""
EVIDENCE_KEY: Final = "evidence"
"""Of the ConfigMap that a quarantine's proposal names: its evidence."""

Phase = Literal["Waiting", "Collecting", "Certified", "Declined", "Superseded"]
_Count = Annotated[int, Field(ge=0, le=MEMBERS_MAX)]


class AdminSignature(Model):
    """An administrator's signature of the record."""

    signer: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] = Field(
        description="The administrator's public key in PEM, exactly as the epoch in force has it."
    )
    signature: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=1_024)
    ] = Field(description="The signature in Base64.")


class Proposal(Model):
    """One record that is to follow the epoch in force."""

    name: ShortName = Field(description="Names it in the status.")
    record: Annotated[str, StringConstraints(min_length=2, max_length=RECORD_CHARS)] = Field(
        description="The epoch record as canonical JSON, as `kubectl quorate committee` writes it."
    )
    admins: list[AdminSignature] = Field(
        default_factory=list,
        max_length=ADMINS_MAX,
        description="Signatures of as many administrators as the record needs: members sign last.",
    )
    evidence: Annotated[
        str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)
    ] = Field(
        default="",
        description="Of a quarantine or a readmission: the ConfigMap in quorate-system that holds "
        "what it rests on, under the key evidence.",
    )


class SafetyCommitteeSpec(Model):
    """What people propose. Nothing in it counts before members or administrators signed it."""

    proposals: list[Proposal] = Field(
        default_factory=list,
        max_length=PROPOSALS_MAX,
        description="Records to be signed by the members, one epoch after the other; of two for "
        "the same epoch the first is taken.",
        json_schema_extra=list_map("name"),
    )


class MemberStatus(Model):
    """One member, as the operator sees it."""

    name: ShortName = Field(description="Name of its seat.")
    failure_domain: Annotated[str, StringConstraints(max_length=512)] = Field(
        description="What it may fail together with."
    )
    judges: Digest = Field(
        description="Digest of its judges: two members with the same one are one opinion."
    )
    quarantined: bool = Field(default=False, description="Whether its word counts for nothing.")
    reachable: bool = Field(description="Whether it answers the operator.")
    behind: bool = Field(default=False, description="Whether it is in an earlier epoch.")
    last_answer: Timestamp | None = Field(
        default=None, description="When it answered last, if it does not now."
    )


class EpochStatus(Model):
    """The epoch in force."""

    number: int = Field(ge=0, description="Its number; 0 is the genesis.")
    digest: Digest = Field(description="Its digest, which the next record must name.")
    change: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="What its record changed."
    )
    since: Timestamp = Field(description="When the operator first saw it in force.")


class ThresholdsStatus(Model):
    """How many members there are, and how many must say the same."""

    n: _Count = Field(description="Members, whether they answer or not.")
    fast: _Count = Field(description="Approvals that an action of low risk needs.")
    strict: _Count = Field(description="Signatures of certificates, receipts and epoch records.")
    r: _Count = Field(description="Members that may lie.")


class Candidate(Model):
    """The one record that members are asked to sign as the next epoch. Written before any is."""

    number: int = Field(ge=1, description="Number of the epoch it would open.")
    digest: Digest = Field(description="Digest of the record.")
    proposal: ShortName = Field(description="The proposal it came with.")


class ProposalStatus(Model):
    """How far a proposal is."""

    name: ShortName = Field(description="The proposal.")
    digest: Annotated[str, StringConstraints(max_length=71)] = Field(
        default="", description="Digest of its record; empty if it cannot be read."
    )
    phase: Phase = Field(
        description="Waiting: for its turn. Collecting: members are asked. Certified: it is in "
        "force, or was. Declined: so many members refuse that it cannot be certified. Superseded: "
        "another record is the epoch that it would have been."
    )
    endorsed: list[ShortName] = Field(
        default_factory=list, max_length=MEMBERS_MAX, description="Members that signed it."
    )
    needed: _Count = Field(default=0, description="How many members must.")
    message: Text = Field(default="", description="What is in the way, with each member's reason.")


class Replacement(Model):
    """A record that is prepared, and that people have to acknowledge: nobody has signed it."""

    member: ShortName = Field(description="The member under quarantine whose seat is given away.")
    by: ShortName = Field(description="The spare that takes it.")
    key_id: Digest = Field(description="Of the spare's identity key, which the spare itself told.")
    number: int = Field(ge=1, description="Number of the epoch that the record would open.")
    digest: Digest = Field(description="Digest of the record.")
    record: Annotated[str, StringConstraints(min_length=2, max_length=RECORD_CHARS)] = Field(
        description="The record: `kubectl quorate committee acknowledge` checks and signs it."
    )


class SafetyCommitteeStatus(BaseModel):
    """What the operator observed. Nobody has to believe it: the chain proves itself."""

    model_config = Model.model_config

    observed_generation: int = Field(default=0, ge=0, description="Generation last looked at.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        description="Available: enough members answer to certify. Degraded: one more that falls "
        "out, or is found lying, would stop that, or something else is amiss. JudgesDiverse: no "
        "two members go by the same judges, or by sets that err together. EpochCurrent: all that "
        "answer are in the same epoch. AllTrusted: no member is under quarantine, or convicted "
        "beyond what may be. AwaitsAcknowledgement: a replacement is prepared, and people have to "
        "sign it.",
        json_schema_extra=list_map("type"),
    )
    members: list[MemberStatus] = Field(
        default_factory=list,
        max_length=MEMBERS_MAX,
        description="Who they are.",
        json_schema_extra=list_map("name"),
    )
    epoch: EpochStatus | None = Field(default=None, description="The epoch in force.")
    thresholds: ThresholdsStatus | None = Field(
        default=None, description="How many must say the same, by that epoch."
    )
    candidate: Candidate | None = Field(
        default=None, description="What members are asked to sign now."
    )
    proposals: list[ProposalStatus] = Field(
        default_factory=list,
        max_length=STATUSES_MAX,
        description="How far each proposal is; quarantine-… are the operator's own.",
        json_schema_extra=list_map("name"),
    )
    replacement: Replacement | None = Field(
        default=None,
        description="What is prepared for a member under quarantine. It counts for nothing before "
        "administrators signed it and it is proposed.",
    )
    chain: list[Annotated[str, StringConstraints(max_length=CERTIFIED_CHARS)]] = Field(
        default_factory=list,
        max_length=CHAIN_MAX,
        description="The newest records with the signatures that certify them, oldest first, as "
        "JSON: members that were all away learn from it.",
    )


class SafetyCommittee(Resource):
    """The committee: what people propose to it, who its members are, and how it stands.

    There is one, named committee. It orders proposals and shows; what is in force is decided by
    the signatures of members and administrators alone.
    """

    kind_name: ClassVar = "SafetyCommittee"
    plural: ClassVar = "safetycommittees"
    short_names: ClassVar = ("scommittee",)
    namespaced: ClassVar = False
    columns: ClassVar = (
        PrinterColumn("Epoch", ".status.epoch.number", "integer"),
        PrinterColumn("Members", ".status.thresholds.n", "integer"),
        PrinterColumn("Needed", ".status.thresholds.strict", "integer"),
        PrinterColumn("Available", ".status.conditions[?(@.type=='Available')].status"),
        PrinterColumn("Degraded", ".status.conditions[?(@.type=='Degraded')].status"),
        PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
        PrinterColumn(
            "Diverse", ".status.conditions[?(@.type=='JudgesDiverse')].status", priority=1
        ),
        PrinterColumn("Change", ".status.epoch.change", priority=1),
    )
    rules: ClassVar = (
        (f"self.metadata.name == '{OBJECT}'", f"metadata.name must be {OBJECT}: there is one"),
    )

    spec: SafetyCommitteeSpec
    status: SafetyCommitteeStatus | None = None
