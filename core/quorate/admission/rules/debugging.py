"""What an ephemeral container that people approved may still not do: reach node, key or model."""

from collections.abc import Iterator

from quorate import names
from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.rules.host import container_access
from quorate.admission.rules.model_mount import mount_read_only
from quorate.api.v1alpha1.attested_model import Source
from quorate.verdict import Denial, Reason


def check_debugging(pod: Pod, source: Source) -> Iterator[Denial]:
    """No privilege, no injected volume, and the model, where it is mounted, read-only and whole."""
    model = {volume["name"] for volume in pods.model_volumes(pod, source)}
    for index, container in enumerate(pod["spec"].get("ephemeralContainers") or ()):
        path = f"spec.ephemeralContainers[{index}]"
        yield from container_access(path, container)
        for mount in container.get("volumeMounts") or ():
            name = str(mount.get("name", ""))
            if name.startswith(names.VOLUME_PREFIX):
                yield Denial(Reason.RESERVED_NAME, f"{path} must not mount {name}")
            if name in model:
                yield from mount_read_only(path, mount)
