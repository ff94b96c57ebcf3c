"""What may serve a model, fetch it and lie beside it: images, places and other volumes."""

from typing import Literal

from pydantic import Field

from quorate.api.v1alpha1.meta import Digest, Model, ShortName, TaggedImage

ServerKind = Literal[
    "vllm", "tgi", "llama-cpp", "ollama", "triton", "kserve", "ray-serve", "seldon", "other"
]


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


SourceKind = Literal["Image", "ReadOnlyClaim", "ReadWriteClaim", "Directory", "HostPath"]


class Downloader(Model):
    """An image that may fetch a model, as an init container, before the model is measured."""

    name: ShortName = Field(description="What people call it.")
    digest: Digest = Field(description="Digest of its image: sha256 and 64 hex digits.")


class OtherVolume(Model):
    """A volume that holds no model and may be mounted all the same."""

    name: ShortName = Field(description="Name of the volume in the pod.")
    kind: Literal["emptyDir", "configMap", "secret", "downwardAPI"] = Field(
        description="Kind of the volume. Anything else must be measured."
    )
