"""Pods that have a node, as far as it takes to tell whose they are: labels and images."""

from collections.abc import Iterable, Iterator

import msgspec

from quorate import limits
from quorate.admission.injection import Pod
from quorate.admission.store import Key


class _Metadata(msgspec.Struct):
    uid: str = ""
    labels: dict[str, str] | None = None


class _Container(msgspec.Struct):
    name: str = ""
    image: str = ""


class _Image(msgspec.Struct):
    reference: str = ""


class _Volume(msgspec.Struct):
    image: _Image | None = None


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    ephemeral_containers: list[_Container] | None = None
    volumes: list[_Volume] | None = None

    def images(self) -> Iterator[str]:
        """Images of all containers but the ephemeral ones."""
        for group in (self.containers, self.init_containers):
            yield from (container.image for container in group or ())


class _Seen(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec


class _Kept(msgspec.Struct, array_like=True):
    uid: str
    labels: dict[str, str]
    images: tuple[str, ...]
    mounted: tuple[str, ...]
    """References of image volumes."""
    ephemeral: dict[str, str]
    """Images of ephemeral containers by name."""


_SEEN = msgspec.json.Decoder(_Seen)
_KEPT = msgspec.msgpack.Decoder(_Kept)
_ENCODER = msgspec.msgpack.Encoder()


class BoundPods:
    """What a connection needs of each pod, by namespace and name."""

    def __init__(self) -> None:
        self._pods: dict[Key, bytes] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def put(self, key: Key, raw: msgspec.Raw) -> bool:
        """Add or replace; False if there is no room. Raises msgspec.MsgspecError."""
        if key not in self._pods and len(self._pods) >= limits.PODS_PER_CLUSTER:
            return False
        pod = _SEEN.decode(raw)
        mounted = (volume.image.reference for volume in pod.spec.volumes or () if volume.image)
        kept = _Kept(
            pod.metadata.uid,
            pod.metadata.labels or {},
            tuple(dict.fromkeys(pod.spec.images())),
            tuple(mounted),
            {c.name: c.image for c in pod.spec.ephemeral_containers or ()},
        )
        self._pods[key] = _ENCODER.encode(kept)
        return True

    def remove(self, key: Key) -> None:
        """Forget, if known."""
        self._pods.pop(key, None)

    def keys(self) -> Iterable[Key]:
        """Every pod that is known."""
        return self._pods.keys()

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        """The pod, with nothing but labels, images and names of ephemeral containers; None if it
        is not known, or is another one than ``uid`` (if not empty)."""
        data = self._pods.get((namespace, name))
        if data is None:
            return None
        kept = _KEPT.decode(data)
        if uid and kept.uid != uid:
            return None
        identity = {"namespace": namespace, "name": name, "uid": kept.uid, "labels": kept.labels}
        return {
            "metadata": identity,
            "spec": {
                "containers": [{"image": image} for image in kept.images],
                "ephemeralContainers": [
                    {"name": name, "image": image} for name, image in kept.ephemeral.items()
                ],
                "volumes": [{"image": {"reference": reference}} for reference in kept.mounted],
            },
        }
