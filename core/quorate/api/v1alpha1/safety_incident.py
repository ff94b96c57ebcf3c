"""SafetyIncident: what went wrong, how bad it is, what was done, and who settled it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate.alerts import Severity
from quorate.api.v1alpha1.meta import (
    Condition,
    Digest,
    Model,
    Name,
    Owners,
    PrinterColumn,
    Resource,
    Text,
    Timestamp,
    cel,
    list_map,
)


class Subject(Model):
    """What the incident is about."""

    kind: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="Kind of the object, such as Pod or AttestedModel."
    )
    name: Name = Field(description="Name of the object.")
    uid: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="", description="UID of the object, where it has one."
    )


class Action(Model):
    """Something that was done about the incident."""

    name: Annotated[str, StringConstraints(max_length=128)] = Field(description="What was done.")
    time: Timestamp = Field(description="When.")
    actor: Annotated[str, StringConstraints(max_length=253)] = Field(
        description="Identity that did it."
    )
    message: Text = Field(default="", description="How it went.")


class Approval(Model):
    """Somebody's agreement to a resolution."""

    approver: Annotated[str, StringConstraints(max_length=253)] = Field(
        description="Identity that approved."
    )
    time: Timestamp = Field(description="When.")
    reason: Text = Field(description="Why.")


class Resolution(Model):
    """How the incident ended."""

    outcome: Literal["Fixed", "FalsePositive", "AcceptedRisk"] = Field(description="How it ended.")
    message: Text = Field(description="What was found and done.")
    time: Timestamp = Field(description="When.")


def _immutable(field: str, *, optional: bool) -> tuple[str, str]:
    """A transition rule: ``field`` of the spec keeps the value it was written with."""
    same = f"self.{field} == oldSelf.{field}"
    if optional:
        present = f"has(self.{field})"
        same = f"{present} == has(oldSelf.{field}) && (!{present} || {same})"
    return same, f"{field} must not change: an incident is written once"


class SafetyIncidentSpec(Model):
    """What happened. Written once; repeats only raise the count in the status."""

    severity: Severity = Field(description="How bad it is.")
    rule: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="The rule that gave the severity, as one stable CamelCase word."
    )
    summary: Text = Field(description="What happened, for people.")
    subject: Subject = Field(description="What it is about.")
    owners: Owners | None = Field(default=None, description="Who answers for the subject.")
    evidence: list[Digest] = Field(
        default_factory=list, max_length=32, description="Digests of the documents that show it."
    )
    runbook_url: Annotated[str, StringConstraints(max_length=512)] = Field(
        default="", description="What to do about it."
    )
    approvals: list[Approval] = Field(
        default_factory=list, max_length=16, description="Who agreed to the resolution."
    )
    resolution: Resolution | None = Field(
        default=None, description="How it ended; set by a person."
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            *(_immutable(f, optional=False) for f in ("severity", "rule", "summary", "subject")),
            *(_immutable(f, optional=True) for f in ("owners", "evidence", "runbookUrl")),
            (
                "!has(oldSelf.approvals) || oldSelf.approvals.all(old, "
                "has(self.approvals) && self.approvals.exists(new, new == old))",
                "approvals must not be removed or changed",
            ),
        )
    )


class SafetyIncidentStatus(BaseModel):
    """What was seen and done since."""

    model_config = Model.model_config

    count: int = Field(default=0, ge=0, description="How often it was seen.")
    first_seen: Timestamp | None = Field(default=None, description="When it was first seen.")
    last_seen: Timestamp | None = Field(default=None, description="When it was last seen.")
    actions: list[Action] = Field(
        default_factory=list, max_length=32, description="What was done about it."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        description="Whether the incident is open.",
        json_schema_extra=list_map("type"),
    )


class SafetyIncident(Resource):
    """Something that a person should know of, with its severity and the rule that gave it."""

    kind_name: ClassVar = "SafetyIncident"
    plural: ClassVar = "safetyincidents"
    short_names: ClassVar = ("sincident",)
    namespaced: ClassVar = True
    columns: ClassVar = (
        PrinterColumn("Severity", ".spec.severity"),
        PrinterColumn("Rule", ".spec.rule"),
        PrinterColumn("Subject", ".spec.subject.name"),
        PrinterColumn("Count", ".status.count", "integer"),
        PrinterColumn("Outcome", ".spec.resolution.outcome"),
        PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
        PrinterColumn("Summary", ".spec.summary", priority=1),
    )
    selectable: ClassVar = (".spec.severity", ".spec.rule")

    spec: SafetyIncidentSpec
    status: SafetyIncidentStatus | None = None
