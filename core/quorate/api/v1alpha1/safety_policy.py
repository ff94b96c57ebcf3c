"""SafetyPolicy and ClusterSafetyPolicy: what a pod must show before and while it serves a model."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quorate import limits, names
from quorate.api.v1alpha1.meta import (
    SET,
    Condition,
    Digest,
    Model,
    Owners,
    PrinterColumn,
    Resource,
    ShortName,
    cel,
    list_map,
)
from quorate.api.v1alpha1.runtime_requirements import RuntimeRequirements
from quorate.api.v1alpha1.serving_requirements import Downloader, OtherVolume, Server, SourceKind
from quorate.predicates import PredicateUri

MAX_AGE: Final = 366 * 24 * 3600
"""The oldest evidence any gate may accept, in seconds."""
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


class NamedKey(Model):
    """A public key and what people call it."""

    name: ShortName = Field(description="What people call the key; has no meaning to a decision.")
    public_key: Annotated[str, StringConstraints(min_length=64, max_length=4096)] = Field(
        description="One PEM public key: Ed25519, ECDSA P-256 or P-384, or RSA from 3072 bits.",
        json_schema_extra=cel(
            (
                "self.startsWith('-----BEGIN PUBLIC KEY-----')",
                "publicKey must be a PEM text that begins with -----BEGIN PUBLIC KEY-----",
            ),
            ("!self.contains('PRIVATE KEY')", "publicKey must not hold a private key"),
        ),
    )


Certificates = Annotated[str, StringConstraints(min_length=64, max_length=32_768)]
"""PEM certificates. Their content is checked when the policy is compiled."""
_PEM_CERTIFICATES = "must be PEM certificates that begin with -----BEGIN CERTIFICATE-----"
Identity = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


def _certificates(field: str) -> dict[str, Any]:
    return cel(
        ("self.startsWith('-----BEGIN CERTIFICATE-----')", f"{field} {_PEM_CERTIFICATES}"),
    )


class CertificateIdentity(Model):
    """Somebody whose certificate an authority named here issued."""

    name: ShortName = Field(description="What people call the signer; has no meaning otherwise.")
    ca: Certificates = Field(
        description="PEM certificates of the authorities (1 to 4) that may have issued the "
        "signer's, directly or through intermediates in the bundle. No other root counts.",
        json_schema_extra=_certificates("ca"),
    )
    subject_alternative_name: Identity | None = Field(
        default=None,
        description="The certificate's only alternative name (e-mail, URI or DNS), exactly.",
    )
    common_name: Identity | None = Field(
        default=None, description="The certificate's only common name, exactly."
    )
    timestamp_authority: Certificates | None = Field(
        default=None,
        description="PEM chain of an RFC 3161 timestamp authority, its signing certificate first "
        "and its root last. A signature it saw in time outlives the certificate; unset, the "
        "certificate must be valid now.",
        json_schema_extra=_certificates("timestampAuthority"),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.subjectAlternativeName) != has(self.commonName)",
                "certificates must name exactly one of subjectAlternativeName and commonName",
            )
        )
    )


class KeylessIdentity(Model):
    """Somebody whose identity an OpenID Connect issuer confirmed to a Sigstore authority."""

    name: ShortName = Field(description="What people call the signer; has no meaning otherwise.")
    identity: Identity = Field(
        description="The certificate's only alternative name, exactly: an e-mail address, or the "
        "URI of a workflow."
    )
    issuer: Identity = Field(
        description="URL of the OpenID Connect issuer, exactly.",
        json_schema_extra=cel(
            ("self.startsWith('https://')", "issuer must be a URL that begins with https://")
        ),
    )


class Signers(Model):
    """Whose signatures count, and how many different signers there must be."""

    threshold: int = Field(
        default=1, ge=1, le=limits.SIGNATURES, description="How many different signers must sign."
    )
    keys: list[NamedKey] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Keys that count. One key listed twice counts once.",
        json_schema_extra=list_map("name"),
    )
    certificates: list[CertificateIdentity] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Identities that count with a certificate of a named authority.",
        json_schema_extra=list_map("name"),
    )
    keyless: list[KeylessIdentity] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Identities that count with a Sigstore certificate and log entry.",
        json_schema_extra=list_map("name"),
    )
    trusted_root: Annotated[str, StringConstraints(min_length=2, max_length=65_536)] | None = Field(
        default=None,
        description="Sigstore trusted root (JSON) that keyless signatures are verified under, "
        "offline. Required with keyless.",
        json_schema_extra=cel(
            ("self.startsWith('{')", "trustedRoot must be a JSON object"),
        ),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.threshold <= (has(self.keys) ? size(self.keys) : 0) + "
                "(has(self.certificates) ? size(self.certificates) : 0) + "
                "(has(self.keyless) ? size(self.keyless) : 0)",
                "threshold must not exceed the number of keys, certificates and keyless identities",
            ),
            (
                "!has(self.keys) || self.keys.all(key, "
                "self.keys.exists_one(other, other.publicKey == key.publicKey))",
                "keys must be different: one key listed twice counts once",
            ),
            (
                "(has(self.keyless) && size(self.keyless) > 0) == has(self.trustedRoot)",
                "trustedRoot must be set with keyless, and must not be set without",
            ),
        )
    )


CelText = Annotated[str, StringConstraints(max_length=limits.CONDITION_CHARS)]
_WITH_SUITES = (PredicateUri.TEST_RESULT, PredicateUri.SVR, PredicateUri.VSA)
_WITH_CONDITION = (
    PredicateUri.SVR,
    PredicateUri.VSA,
    PredicateUri.VULNS,
    PredicateUri.PROVENANCE,
)


def _in(uris: tuple[PredicateUri, ...]) -> str:
    return f"self.predicateType in [{', '.join(repr(uri.value) for uri in uris)}]"


class Gate(Model):
    """Evidence the model must have, and who must vouch for it.

    Of the statements that a gate applies to, the newest decides.
    """

    name: ShortName = Field(description="Name of the gate in conditions and denials.")
    predicate_type: PredicateUri = Field(
        default=PredicateUri.TEST_RESULT,
        description="in-toto predicate type of the statement: what kind of evidence it is.",
    )
    source: Literal["Inline"] = Field(
        default="Inline",
        description="Where the statement is read from. Inline: the AttestedModel's spec.evidence.",
    )
    suites: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the test suites that are accepted, or of the policies that a "
        "verification summary or result is about. A test result needs them.",
    )
    datasets: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the datasets that are accepted; empty accepts any.",
    )
    harnesses: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the harnesses that are accepted; empty accepts any.",
    )
    producers: Signers = Field(description="Whose signatures on the statement count.")
    max_age_seconds: int = Field(
        ge=60,
        le=MAX_AGE,
        description="How old the statement may be, in seconds since what it reports was done.",
    )
    applies_to: CelText = Field(
        default="",
        description="CEL expression over predicate: which statements of the type this gate is "
        "about. Others neither pass nor fail it. Empty is all.",
    )
    condition: CelText = Field(
        default="",
        description="CEL expression over predicate that must hold for the gate to be passed. An "
        "error is a failure.",
    )
    accept_draft: bool = Field(
        default=False,
        description="Accept a predicate type that is a draft and may change: eval-result.",
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                f"self.predicateType != '{PredicateUri.TEST_RESULT}' || "
                "(has(self.suites) && size(self.suites) > 0)",
                "suites must be set for a test result",
            ),
            (
                f"{_in(_WITH_SUITES)} || !has(self.suites) || size(self.suites) == 0",
                "suites must be empty for a predicate type that names none",
            ),
            (
                f"!({_in(_WITH_CONDITION)}) || (has(self.condition) && self.condition != '')",
                "condition must be set for a predicate type that gives no verdict of its own",
            ),
            (
                f"self.predicateType != '{PredicateUri.EVAL_RESULT}' || "
                "(has(self.acceptDraft) && self.acceptDraft)",
                "acceptDraft must be true for eval-result, whose format is a draft",
            ),
        )
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
        description="Images that may run in the pod. Unset leaves it to other policies; "
        "some policy must name them.",
        json_schema_extra=list_map("name"),
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
        "is measured. Unset leaves it to other policies; what no policy names is denied.",
        json_schema_extra=list_map("name"),
    )
    volumes: list[OtherVolume] | None = Field(
        default=None,
        max_length=32,
        description="Volumes besides the model's that containers may mount. Unset leaves it to "
        "other policies; what no policy names is denied.",
        json_schema_extra=list_map("name", "kind"),
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

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.mode != 'Enforce' || has(self.owners)",
                "owners must be set when mode is Enforce",
            )
        )
    )


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
