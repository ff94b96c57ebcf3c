"""The pod as the rules look at it, read once for all of them."""

from typing import Any

import msgspec

from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.pods import Container
from quorate.api.v1alpha1.attested_model import Source

INIT = "spec.initContainers["
SERVER = "spec.containers[0]"


class Subject(msgspec.Struct, frozen=True):
    """A pod, taken apart."""

    spec: dict[str, Any]
    users: list[tuple[str, Container]]
    """Every container but the two that were injected, with its field path."""
    volumes: list[dict[str, Any]]
    model_volumes: list[dict[str, Any]]
    """The volumes that are the model's source. It must be one."""

    def downloads(self, path: str, container: Container, downloaders: frozenset[str]) -> bool:
        """Whether this is an init container of an image that may fill the model's volume."""
        return path.startswith(INIT) and pods.image_digest(container) in downloaders


def take_apart(pod: Pod, source: Source) -> Subject:
    """Read a pod for the rules."""
    return Subject(
        pod["spec"], pods.users_containers(pod), pods.volumes(pod), pods.model_volumes(pod, source)
    )
