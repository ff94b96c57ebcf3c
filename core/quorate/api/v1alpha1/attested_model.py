"""AttestedModel: a model, where its bytes are, and the evidence for it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.document_source import DocumentSource, SourceField, SourceStatus
from quorate.api.v1alpha1.meta import (
    Condition,
    Digest,
    Model,
    Name,
    Owners,
    PrinterColumn,
    Resource,
    ShortName,
    Text,
    Timestamp,
    cel,
    list_map,
)

InlineDocument = Annotated[str, StringConstraints(min_length=2, max_length=limits.EVIDENCE_BYTES)]
"""A bundle or envelope inside the object. etcd holds 1.5 MiB an object in all."""


def _object(field: str) -> dict[str, Any]:
    return cel(("self.startsWith('{')", f"{field} must be a JSON object"))


class Dataset(Model):
    """A dataset the model was trained on."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="What people call the dataset."
    )
    digest: Digest = Field(description="Digest of the dataset.")


class ImageSource(Model):
    """A model in an image volume."""

    reference: Annotated[
        str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$", max_length=512)
    ] = Field(description="Image with its digest: repository@sha256:… ; a tag alone is refused.")


class ClaimSource(Model):
    """A model on a persistent volume. Whether others may write it, the claim's modes say."""

    claim_name: Name = Field(description="PersistentVolumeClaim in the same namespace.")


class DirectorySource(Model):
    """A model that an init container fetches into an emptyDir before it is measured."""

    volume_name: ShortName = Field(
        description="Name of the pod's emptyDir volume, such as kserve-provision-location."
    )


class HostPathSource(Model):
    """A model in a directory of the node."""

    path: Annotated[
        str,
        StringConstraints(
            pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$", min_length=2, max_length=512
        ),
    ] = Field(description="Absolute path of the directory, without . and .. parts.")


class Source(Model):
    """Where the model's bytes are. Exactly one kind."""

    image: ImageSource | None = Field(default=None, description="An image volume, by digest.")
    persistent_volume_claim: ClaimSource | None = Field(
        default=None, description="A persistent volume claim, mounted read-only."
    )
    directory: DirectorySource | None = Field(
        default=None,
        description="An emptyDir that an image of model.downloaders fills. The policy must allow "
        "Directory in model.sources.",
    )
    host_path: HostPathSource | None = Field(
        default=None,
        description="A directory of the node. The policy must allow HostPath in model.sources.",
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "[has(self.image), has(self.persistentVolumeClaim), has(self.directory), "
                "has(self.hostPath)].exists_one(named, named)",
                "source must name exactly one of image, persistentVolumeClaim, directory and "
                "hostPath",
            )
        )
    )


class Signature(Model):
    """A signature over all of the model's files."""

    name: ShortName = Field(description="What people call the signature.")
    bundle: InlineDocument = Field(
        description="OMS bundle (JSON), as `quorate sign` writes it.",
        json_schema_extra=_object("bundle"),
    )


class Evidence(Model):
    """A signed statement about the model."""

    name: ShortName = Field(description="What people call the statement.")
    envelope: InlineDocument = Field(
        description="DSSE envelope (JSON) with an in-toto statement, as `quorate gate` writes it.",
        json_schema_extra=_object("envelope"),
    )


class AttestedModelSpec(Model):
    """The model, its bytes and its evidence."""

    version: Annotated[str, StringConstraints(max_length=128)] = Field(
        default="", description="The model's version, as people call it."
    )
    datasets: list[Dataset] = Field(
        default_factory=list,
        max_length=64,
        description="Datasets the model was trained on.",
        json_schema_extra=list_map("id"),
    )
    manifest_digest: Digest = Field(
        description="Digest of the model's manifest: its files by name and content."
    )
    source: Source = Field(description="Where the model's bytes are.")
    owners: Owners | None = Field(
        default=None,
        description="Who answers for the model. Required where the namespace enforces.",
    )
    signatures: list[Signature] = Field(
        default_factory=list,
        max_length=16,
        description="Signatures over the model. Independent bundles count towards a threshold.",
        json_schema_extra=list_map("name"),
    )
    evidence: list[Evidence] = Field(
        default_factory=list,
        max_length=32,
        description="Signed statements about the model, such as results of safety gates.",
        json_schema_extra=list_map("name"),
    )
    signatures_from: list[DocumentSource] = Field(
        default_factory=list,
        max_length=limits.SOURCES,
        description="Where more signatures are kept. The operator reads them from there.",
        json_schema_extra=list_map("name"),
    )
    evidence_from: list[DocumentSource] = Field(
        default_factory=list,
        max_length=limits.SOURCES,
        description="Where more signed statements are kept. The operator reads them from there.",
        json_schema_extra=list_map("name"),
    )

    @property
    def sources(self) -> tuple[tuple[SourceField, DocumentSource], ...]:
        """Every source with the field that names it, in order."""
        signatures = [(SourceField.SIGNATURES, source) for source in self.signatures_from]
        evidence = [(SourceField.EVIDENCE, source) for source in self.evidence_from]
        return (*signatures, *evidence)


class RequirementStatus(Model):
    """One requirement of one policy."""

    name: Annotated[str, StringConstraints(max_length=128)] = Field(
        description="The requirement: Signed, or Gate/NAME."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, StringConstraints(max_length=128)] = Field(
        description="Why, as one stable word."
    )
    message: Text = Field(default="", description="Why, for people.")


class PolicyStatus(Model):
    """How the model stands under one policy."""

    kind: Literal["SafetyPolicy", "ClusterSafetyPolicy"] = Field(description="Kind of the policy.")
    name: Name = Field(description="Name of the policy.")
    digest: Annotated[str, StringConstraints(max_length=71)] = Field(
        description="Digest of the compiled policy that was judged."
    )
    requirements: list[RequirementStatus] = Field(
        default_factory=list,
        max_length=32,
        description="Each requirement of the policy.",
        json_schema_extra=list_map("name"),
    )


class CertificateStatus(Model):
    """An admission certificate: the committee's signed statement for one policy."""

    kind: Literal["SafetyPolicy", "ClusterSafetyPolicy"] = Field(description="Kind of the policy.")
    name: Name = Field(description="Name of the policy.")
    digest: Digest = Field(description="Digest of the compiled policy it was issued for.")
    expires_at: Timestamp = Field(description="When it expires.")
    envelope: Annotated[str, StringConstraints(max_length=32_768)] = Field(
        description="The certificate: a DSSE envelope signed by the committee."
    )


class AttestedModelStatus(BaseModel):
    """What the operator observed and the committee signed."""

    model_config = Model.model_config

    observed_generation: int = Field(default=0, ge=0, description="Generation last looked at.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Signed, GatesPassed, Certified and Ready; SourcesRead if there are any.",
        json_schema_extra=list_map("type"),
    )
    policies: list[PolicyStatus] = Field(
        default_factory=list,
        max_length=32,
        description="How the model stands under each policy.",
        json_schema_extra=list_map("kind", "name"),
    )
    certificates: list[CertificateStatus] = Field(
        default_factory=list,
        max_length=32,
        description="One certificate per policy that the model holds.",
        json_schema_extra=list_map("kind", "name"),
    )
    sources: list[SourceStatus] = Field(
        default_factory=list,
        max_length=2 * limits.SOURCES,
        description="What was read from each source of spec.signaturesFrom and spec.evidenceFrom.",
        json_schema_extra=list_map("field", "name"),
    )


class AttestedModel(Resource):
    """A model that may be served: where its bytes are, who signed it, what it passed."""

    kind_name: ClassVar = "AttestedModel"
    plural: ClassVar = "attestedmodels"
    short_names: ClassVar = ("amodel",)
    namespaced: ClassVar = True
    columns: ClassVar = (
        PrinterColumn("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        PrinterColumn("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
        PrinterColumn("Verified", ".status.conditions[?(@.type=='Signed')].status"),
        PrinterColumn("Version", ".spec.version"),
        PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
        PrinterColumn("Gates", ".status.conditions[?(@.type=='GatesPassed')].status", priority=1),
        PrinterColumn("Manifest", ".spec.manifestDigest", priority=1),
    )
    selectable: ClassVar = (".spec.manifestDigest",)
    rules: ClassVar = (
        (
            "size(self.metadata.name) <= 63",
            "metadata.name must be at most 63 characters: pods name the model in a label",
        ),
    )

    spec: AttestedModelSpec
    status: AttestedModelStatus | None = None

    @property
    def unread(self) -> tuple[str, ...]:
        """Sources of which nobody knows yet what they hold, as ``spec.FIELD[NAME]``.

        A model that has one must not be judged: what is missing may be what it needs.
        """
        read = {
            (source.field, source.name)
            for source in (self.status.sources if self.status else ())
            if source.status != "Unknown"
        }
        return tuple(
            f"spec.{field}[{source.name}]"
            for field, source in self.spec.sources
            if (field, source.name) not in read
        )
