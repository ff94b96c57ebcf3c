"""What the sidecar enforces while a model serves: port, checks, bounds, measuring again."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import SET, Model, list_map
from quorate.api.v1alpha1.risk_requirements import RiskRequirements

UrlPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=256)]


class Upstream(Model):
    """The model server as the sidecar sees it."""

    port: int = Field(
        ge=1024,
        le=65535,
        description="Port the model server binds on 127.0.0.1, and the sidecar on the pod's IPs.",
    )
    probe_paths: list[UrlPath] = Field(
        default_factory=list,
        max_length=8,
        description="Paths that the kubelet's probes use; the sidecar passes exactly these.",
        json_schema_extra=SET,
    )
    metrics_path: UrlPath | None = Field(
        default=None, description="The server's metrics path, passed for scraping if set."
    )


class Check(Model):
    """A content check of the sidecar."""

    name: Literal["secrets", "pii"] = Field(description="Which check.")
    action: Literal["deny", "mask", "flag"] = Field(
        default="deny", description="What to do when it finds something."
    )


class RuntimeLimits(Model):
    """Bounds of the sidecar. The smallest of all policies wins."""

    max_request_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=limits.REQUEST_BYTES,
        description="Largest request body, in bytes.",
    )
    max_response_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        le=limits.RESPONSE_BYTES,
        description="Largest response, in bytes.",
    )
    requests_per_minute: int = Field(
        default=600, ge=1, le=1_000_000, description="Requests a minute that one pod answers."
    )


class RemeasureSettings(Model):
    """Measuring the model again while it is served. The shortest of all policies wins."""

    scan_seconds: int = Field(
        default=2,
        ge=1,
        le=60,
        description="Seconds between two looks at names, sizes, times and inodes of the model's "
        "files. A directory so large that looking costs more than 2 % of a core is looked at less "
        "often.",
    )
    rehash_seconds: int = Field(
        default=3600,
        ge=60,
        le=7 * 24 * 3600,
        description="Seconds between two times that every byte is hashed again, at 10 % of a core.",
    )


class RuntimeRequirements(Model):
    """What the sidecar enforces while the model serves."""

    upstream: Upstream | None = Field(
        default=None,
        description="Port and probe paths. Unset leaves it to other policies; two policies that "
        "name different ports deny.",
    )
    checks: list[Check] = Field(
        default_factory=list,
        max_length=16,
        description="Content checks. The strictest action of all policies wins.",
        json_schema_extra=list_map("name"),
    )
    limits: RuntimeLimits = Field(
        default_factory=RuntimeLimits, description="Bounds on size and rate."
    )
    remeasure: RemeasureSettings = Field(
        default_factory=RemeasureSettings,
        description="How often the model is measured again while it is served.",
    )
    risk: RiskRequirements | None = Field(
        default=None,
        description="Which actions of the model are risky. A tool that no ClusterSafetyPolicy "
        "declares is of class unknown, also where no policy sets this.",
    )
