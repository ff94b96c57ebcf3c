"""SafetyPolicy and ClusterSafetyPolicy: what a pod must show before and while it serves a model."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate import limits, names
from quorate.api.v1alpha1.document_source import SourceStatus
from quorate.api.v1alpha1.gate import Gate
from quorate.api.v1alpha1.meta import (
    SET,
    Condition,
    Digest,
    Model,
    Owners,
    PrinterColumn,
    Resource,
    cel,
    list_map,
)
from quorate.api.v1alpha1.risk_requirements import VotingRequirements
from quorate.api.v1alpha1.runtime_requirements import RuntimeRequirements
from quorate.api.v1alpha1.serving_requirements import Downloader, OtherVolume, Server, SourceKind
from quorate.api.v1alpha1.signers import Approvers, Signers

LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]


IgnoredPath = Annotated[
    str, StringConstraints(pattern=r"^[^/\\\s][^\\\s]*$", min_length=1, max_length=253)
]
ShardSize = Annotated[int, Field(ge=limits.SHARD_BYTES_MIN, le=limits.SHARD_BYTES_MAX)]


class Mode(StrEnum):
    """What happens to a pod that does not hold the policy."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    AUDIT = "Audit"


class LabelRequirement(Model):
    """One expression of a label selector."""

    key: LabelKey = Field(description="Label the expression is about.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label's value relates to the values."
    )
    values: list[LabelValue] = Field(
        default_factory=list, max_length=64, description="Values for In and NotIn; empty otherwise."
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                "values must be set with In and NotIn, and must not be set with Exists and "
                "DoesNotExist",
            )
        )
    )


class LabelSelector(Model):
    """Which pods. An empty selector selects every pod."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels that a pod must carry.",
        json_schema_extra=cel(
            (
                "self.all(key, size(key) >= 1 && size(key) <= 317)",
                "matchLabels must have keys of 1 to 317 characters",
            )
        ),
    )
    match_expressions: list[LabelRequirement] = Field(
        default_factory=list, max_length=32, description="Expressions that must all hold."
    )


class ModelRequirements(Model):
    """What must be true of the model and of the containers that serve it."""

    signers: Signers | None = Field(
        default=None,
        description="Who must have signed the model. Unset leaves it to other policies.",
    )
    ignore_paths: list[IgnoredPath] = Field(
        default_factory=lambda: list(names.GIT_PATHS),
        max_length=64,
        description="What a signature may say that its signer left out. A file left out and "
        "present all the same is refused in any case, also under .git.",
        json_schema_extra=SET,
    )
    shard_sizes: list[ShardSize] = Field(
        default_factory=list,
        max_length=8,
        description="Sizes of shards, in bytes, that signatures may be over. Empty: files must be "
        "hashed whole.",
        json_schema_extra=SET,
    )
    gates: list[Gate] = Field(
        default_factory=list,
        max_length=16,
        description="Safety gates the model must have passed.",
        json_schema_extra=list_map("name"),
    )
    servers: list[Server] | None = Field(
        default=None,
        max_length=64,
        description="Images that may run in the pod. Unset leaves it to other policies; a "
        "ClusterSafetyPolicy must name them, a SafetyPolicy allows fewer.",
        json_schema_extra=list_map("name"),
    )
    server_signers: Signers | None = Field(
        default=None,
        description="Who must have signed each image of servers. One that they did not sign may "
        "not run; the others may. Unset: being named is enough for this policy.",
    )
    sources: list[SourceKind] | None = Field(
        default=None,
        max_length=5,
        description="Where a model's bytes may be. Image and ReadOnlyClaim cannot change after "
        "they were measured; ReadWriteClaim, Directory and HostPath are watched while served. "
        "Unset leaves it to other policies; unless a ClusterSafetyPolicy says more, Image and "
        "ReadOnlyClaim.",
        json_schema_extra=SET,
    )
    downloaders: list[Downloader] | None = Field(
        default=None,
        max_length=16,
        description="Images that may run as init containers and write the model's volume before it "
        "is measured. Unset leaves it to other policies; what no ClusterSafetyPolicy names is "
        "denied.",
        json_schema_extra=list_map("name"),
    )
    volumes: list[OtherVolume] | None = Field(
        default=None,
        max_length=32,
        description="Volumes besides the model's that containers may mount. Unset leaves it to "
        "other policies; what no ClusterSafetyPolicy names is denied.",
        json_schema_extra=list_map("name", "kind"),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.serverSigners) || (has(self.servers) && size(self.servers) > 0 && "
                f"size(self.servers) * self.serverSigners.threshold <= {limits.SERVER_SIGNERS})",
                "serverSigners needs servers, and servers times threshold must be at most "
                f"{limits.SERVER_SIGNERS}",
            ),
            (
                "has(self.serverSigners) || !has(self.servers) || self.servers.all(server, "
                "!has(server.signatureRepository) && "
                "(!has(server.signatures) || size(server.signatures) == 0))",
                "serverSigners must be set where servers have signatures",
            ),
        )
    )


_SPEC_RULES = (
    ("self.mode != 'Enforce' || has(self.owners)", "owners must be set when mode is Enforce"),
)


class SafetyPolicySpec(Model):
    """Which pods, and what they must hold."""

    selector: LabelSelector = Field(
        description="Which pods this policy is for. An empty selector selects every pod."
    )
    mode: Mode = Field(
        default=Mode.ENFORCE,
        description="Enforce refuses, Warn and Audit report. In a namespace labelled "
        "quorate.dev/mode=enforce every mode counts as Enforce.",
    )
    owners: Owners | None = Field(
        default=None, description="Who answers for model, safety and infrastructure."
    )
    model: ModelRequirements = Field(
        default_factory=ModelRequirements, description="What must be true of the model."
    )
    runtime: RuntimeRequirements = Field(
        default_factory=RuntimeRequirements, description="What holds while it serves."
    )
    consensus: VotingRequirements | None = Field(
        default=None,
        description="How the committee is asked about risky actions.",
    )

    model_config = ConfigDict(json_schema_extra=cel(*_SPEC_RULES))


class ExemptImage(Model):
    """An image that serves no model and may run in an enforced namespace without one."""

    digest: Digest = Field(description="Digest of the image.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="Why it is exempt, for the auditor."
    )


class ClusterSafetyPolicySpec(SafetyPolicySpec):
    """The platform's floor: the same schema, and the list of exempt images."""

    exempt_images: list[ExemptImage] = Field(
        default_factory=list,
        max_length=256,
        description="A pod is no model pod if every cluster policy that selects it lists all its "
        "images here.",
        json_schema_extra=list_map("digest"),
    )
    exceptions: Approvers | None = Field(
        default=None,
        description="Who may approve a SafetyException to this policy. Unset: nobody.",
    )
    holds: Approvers | None = Field(
        default=None,
        description="Who may approve an action that is held. Of several policies that name people, "
        "those of each must; none: nobody can.",
    )

    model_config = ConfigDict(json_schema_extra=cel(*_SPEC_RULES))


class SafetyPolicyStatus(BaseModel):
    """What the operator observed of a policy."""

    model_config = Model.model_config

    observed_generation: int = Field(default=0, ge=0, description="Generation last looked at.")
    digest: Annotated[str, StringConstraints(max_length=71)] = Field(
        default="", description="Digest of the compiled policy; certificates name it."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        description="Accepted: whether the policy compiles, and if not, which field is wrong.",
        json_schema_extra=list_map("type"),
    )
    sources: list[SourceStatus] = Field(
        default_factory=list,
        max_length=64,
        description="What was read from each signatureRepository of spec.model.servers, by the "
        "server's name.",
        json_schema_extra=list_map("field", "name"),
    )


_COLUMNS = (
    PrinterColumn("Mode", ".spec.mode"),
    PrinterColumn("Accepted", ".status.conditions[?(@.type=='Accepted')].status"),
    PrinterColumn("Reason", ".status.conditions[?(@.type=='Accepted')].reason"),
    PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
    PrinterColumn("Message", ".status.conditions[?(@.type=='Accepted')].message", priority=1),
    PrinterColumn("Digest", ".status.digest", priority=1),
)


class SafetyPolicy(Resource):
    """What the pods of one namespace must show before and while they serve a model."""

    kind_name: ClassVar = "SafetyPolicy"
    plural: ClassVar = "safetypolicies"
    short_names: ClassVar = ("safepol",)
    namespaced: ClassVar = True
    columns: ClassVar = _COLUMNS

    spec: SafetyPolicySpec
    status: SafetyPolicyStatus | None = None


class ClusterSafetyPolicy(Resource):
    """The platform's floor: what every selected pod of the cluster must show."""

    kind_name: ClassVar = "ClusterSafetyPolicy"
    plural: ClassVar = "clustersafetypolicies"
    short_names: ClassVar = ("csafepol",)
    namespaced: ClassVar = False
    columns: ClassVar = _COLUMNS

    spec: ClusterSafetyPolicySpec
    status: SafetyPolicyStatus | None = None


AnyPolicy = SafetyPolicy | ClusterSafetyPolicy
