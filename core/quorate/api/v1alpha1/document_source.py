"""Where a model's signatures and statements are kept when they are not inside the object."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import Digest, Model, Name, ShortName, Text, Timestamp, cel, list_map

MediaType = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$",
        max_length=255,
    ),
]


class SourceField(StrEnum):
    """Which list of a spec names a source."""

    SIGNATURES = "signaturesFrom"
    EVIDENCE = "evidenceFrom"
    SERVERS = "model.servers"
    """Of a policy; the others are of a model."""


BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""What a signature is published as: an OMS bundle is a Sigstore bundle."""
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
"""What a signed statement is published as."""
ARTIFACT_TYPES = {
    SourceField.SIGNATURES: BUNDLE_TYPE,
    SourceField.EVIDENCE: ENVELOPE_TYPE,
    SourceField.SERVERS: BUNDLE_TYPE,
}
"""The artifact type that is looked for unless the source names another."""


class ConfigMapSource(Model):
    """One document in a ConfigMap."""

    name: Name = Field(description="ConfigMap in the model's namespace.")
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)] = Field(
        description="Key whose value is the document: one bundle or envelope (JSON)."
    )


class ReferrersSource(Model):
    """Documents attached to an image or model artifact in a registry, as OCI referrers."""

    reference: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-zA-Z0-9.-]+(:[0-9]+)?/[^\s@:]+@sha256:[0-9a-f]{64}$", max_length=512
        ),
    ] = Field(
        description="What they are attached to: registry/repository@sha256:… ; no tag, and the "
        "registry is always named. The chart value evidence.registries must list it."
    )
    artifact_type: MediaType | None = Field(
        default=None,
        description="Only referrers of this type count. By default "
        f"{BUNDLE_TYPE} for signatures and {ENVELOPE_TYPE} for evidence.",
    )


class DocumentSource(Model):
    """A place that holds signatures or statements. Exactly one kind."""

    name: ShortName = Field(description="What people call the source.")
    config_map: ConfigMapSource | None = Field(
        default=None, description="A ConfigMap that the namespace lets the operator read."
    )
    oci_referrers: ReferrersSource | None = Field(
        default=None, description="Referrers of an image or artifact in a registry."
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.configMap) != has(self.ociReferrers)",
                "a source must name exactly one of configMap and ociReferrers",
            )
        )
    )


class FetchedDocument(Model):
    """A document that was read."""

    digest: Digest = Field(
        description="SHA-256 of its bytes, as they were read; of a signature under cosign's tag: "
        "of the layer's descriptor with its content."
    )
    size: int = Field(ge=0, description="Length in bytes.")


class SourceStatus(BaseModel):
    """What was read from one source."""

    model_config = Model.model_config

    field: SourceField = Field(description="The list of the spec that names the source.")
    name: ShortName = Field(description="Name of the source.")
    status: Literal["True", "False", "Unknown"] = Field(
        description="True: read. False: it cannot be read; documents listed count until "
        "fetchedAt is a day ago. Unknown: not read since the operator began; what the committee "
        "holds of it still counts."
    )
    reason: Annotated[str, StringConstraints(max_length=128)] = Field(
        description="Why, as one stable word."
    )
    message: Text = Field(default="", description="Why, and what would fix it, for people.")
    fetched_at: Timestamp | None = Field(
        default=None, description="When it was last read, to the hour if nothing changed."
    )
    documents: list[FetchedDocument] = Field(
        default_factory=list,
        max_length=limits.DOCUMENTS_PER_SOURCE,
        description="The documents that count.",
        json_schema_extra=list_map("digest"),
    )
