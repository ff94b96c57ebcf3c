"""What may serve a model, fetch it and lie beside it: images, places and other volumes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import Digest, Model, ShortName, TaggedImage, cel, list_map

ServerKind = Literal[
    "vllm", "tgi", "llama-cpp", "ollama", "triton", "kserve", "ray-serve", "seldon", "other"
]


class ServerSignature(Model):
    """A signature over a server's image."""

    name: ShortName = Field(description="What people call the signature.")
    bundle: Annotated[
        str, StringConstraints(min_length=2, max_length=limits.SERVER_SIGNATURE_BYTES)
    ] = Field(
        description="Sigstore bundle (JSON) with a statement of type "
        "https://sigstore.dev/cosign/sign/v1, as cosign and `quorate sign --image` write it.",
        json_schema_extra=cel(("self.startsWith('{')", "bundle must be a JSON object")),
    )


class Server(Model):
    """A container image that may run beside the model."""

    name: ShortName = Field(description="What people call the server.")
    digest: Digest = Field(description="Digest of its image: sha256 and 64 hex digits.")
    image: TaggedImage | None = Field(
        default=None,
        description="The repository:tag that this digest stands for. A pod that names exactly this "
        "image gets the digest written to it when it is created; nobody looks the tag up.",
    )
    kind: ServerKind | None = Field(
        default=None,
        description="Which server it is: its arguments and variables are judged by that server's "
        "table (docs/reference/servers.md), and what the table does not list is denied. Unset: by "
        "all tables at once, the strictest. other: the policy vouches for the image's own options; "
        "those known to load elsewhere are denied all the same.",
    )
    signatures: list[ServerSignature] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Signatures over the image, for serverSigners.",
        json_schema_extra=list_map("name"),
    )
    signature_repository: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[a-zA-Z0-9.-]+(:[0-9]+)?/[^\s@:]+$", max_length=440),
        ]
        | None
    ) = Field(
        default=None,
        description="registry/repository where more signatures are attached to the image's "
        "digest, as OCI referrers or under cosign's tag sha256-….sig: usually the image's own. "
        "The operator reads them from there; the chart value evidence.registries must list the "
        "registry.",
    )


SourceKind = Literal["Image", "ReadOnlyClaim", "ReadWriteClaim", "Directory", "HostPath"]


class Downloader(Model):
    """An image that may fetch a model, as an init container, before the model is measured."""

    name: ShortName = Field(description="What people call it.")
    digest: Digest = Field(description="Digest of its image: sha256 and 64 hex digits.")


MountPath = Annotated[
    str, StringConstraints(pattern=r"^(/\.?[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$", max_length=512)
]


class OtherVolume(Model):
    """A volume that holds no model and may be mounted all the same."""

    name: ShortName = Field(description="Name of the volume in the pod.")
    kind: Literal["emptyDir", "configMap", "secret", "downwardAPI"] = Field(
        description="Kind of the volume. Anything else must be measured."
    )
    mount_path: MountPath | None = Field(
        default=None,
        description="Where containers may mount it, whole, and nowhere else. What lies in a "
        "configMap, secret or downwardAPI volume is a tenant's, so a ClusterSafetyPolicy must say "
        "where: not where the image looks for programs or modules. Unset, an emptyDir may be "
        "mounted anywhere.",
    )
