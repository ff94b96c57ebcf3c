"""SafetyException: one requirement that does not hold one workload back, for a few days."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate.api.v1alpha1.meta import (
    Condition,
    Digest,
    Model,
    Name,
    PrinterColumn,
    Resource,
    ShortName,
    Timestamp,
    list_map,
)

CONNECT = "Connect"
EPHEMERAL_CONTAINERS = "EphemeralContainers"
SIGNER_THRESHOLD = "SignerThreshold"
GATE_PREFIX = "Gate/"
Requirement = Annotated[
    str,
    StringConstraints(
        pattern=r"^(Connect|EphemeralContainers|SignerThreshold|"
        r"Gate/[a-z0-9]([-a-z0-9]*[a-z0-9])?)$",
        max_length=68,
    ),
]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Workload(Model):
    """A model in a namespace, and the bytes it had when somebody approved."""

    namespace: ShortName = Field(description="Namespace of the AttestedModel and its pods.")
    model: Name = Field(description="Name of the AttestedModel.")
    manifest_digest: Digest = Field(
        description="The model's manifest digest: other bytes need another exception."
    )


class SafetyExceptionSpec(Model):
    """What is lifted, for what, and why. The approval is over all of it."""

    cluster: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="UID of the namespace kube-system: an approval counts in one cluster."
    )
    policy: Name = Field(
        description="The ClusterSafetyPolicy whose requirement is lifted, and who names those who "
        "may approve that. Other policies are not touched."
    )
    requirement: Requirement = Field(
        description="Exactly one. Gate/NAME: the gate need not be shown; one that failed still "
        "denies. SignerThreshold: one accepted signer is enough. Connect: exec, attach and "
        "port-forward into the workload's pods. EphemeralContainers: kubectl debug adds containers "
        "to them; the pods that got one are deleted when the exception ends."
    )
    workload: Workload = Field(description="What it is lifted for.")
    reason: Reason = Field(description="Why, in one line.")
    approval: Annotated[str, StringConstraints(max_length=32_768)] = Field(
        default="",
        description="A DSSE envelope around the approval, signed by enough approvers. It says when "
        "the exception ends, at most 7 days after it was decided.",
    )


class SafetyExceptionStatus(BaseModel):
    """What the operator observed. It may hold an exception back, never make one count."""

    model_config: ClassVar[ConfigDict] = Model.model_config

    observed_generation: int = Field(default=0, ge=0, description="Generation last looked at.")
    incident: Annotated[str, StringConstraints(max_length=253)] = Field(
        default="", description="The SafetyIncident; nothing is lifted before it is open."
    )
    expires_at: Timestamp | None = Field(default=None, description="When it ends.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        description="Active: whether the requirement is lifted now, and if not, why.",
        json_schema_extra=list_map("type"),
    )


class SafetyException(Resource):
    """One requirement of one ClusterSafetyPolicy, lifted for one workload until its approval ends.

    Counts in the namespace quorate-system only.
    """

    kind_name: ClassVar = "SafetyException"
    plural: ClassVar = "safetyexceptions"
    short_names: ClassVar = ("safeex",)
    namespaced: ClassVar = True
    columns: ClassVar = (
        PrinterColumn("Requirement", ".spec.requirement"),
        PrinterColumn("Namespace", ".spec.workload.namespace"),
        PrinterColumn("Model", ".spec.workload.model"),
        PrinterColumn("Active", ".status.conditions[?(@.type=='Active')].status"),
        PrinterColumn("Reason", ".status.conditions[?(@.type=='Active')].reason"),
        PrinterColumn("Expires", ".status.expiresAt"),
        PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
        PrinterColumn("Message", ".status.conditions[?(@.type=='Active')].message", priority=1),
    )

    spec: SafetyExceptionSpec
    status: SafetyExceptionStatus | None = None
