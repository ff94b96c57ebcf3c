"""Pods that wait for a node, compressed: pods are many and alike, and few are ever asked for."""

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from quorate import limits, names
from quorate.admission import injection
from quorate.admission.injection import InjectionConfig, Pod
from quorate.admission.store import Key

_LEVEL = 1


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    generate_name: str = ""
    labels: dict[str, str] | None = None


class _Kept(msgspec.Struct):
    metadata: _Metadata
    spec: dict[str, Any]


_DECODER = msgspec.json.Decoder(_Kept)
_PLAIN = msgspec.json.Decoder(dict[str, Any])
_ENCODER = msgspec.json.Encoder()


class PendingPods:
    """What binding needs of each pod: labels and spec, by namespace and name."""

    def __init__(self, config: InjectionConfig) -> None:
        self._pods: dict[Key, bytes] = {}
        self._dictionary = _dictionary(config)

    def __len__(self) -> int:
        return len(self._pods)

    def put(self, key: Key, raw: msgspec.Raw) -> bool:
        """Add or replace; False if there is no room. Raises msgspec.MsgspecError."""
        if key not in self._pods and len(self._pods) >= limits.PODS_PER_CLUSTER:
            return False
        text = _ENCODER.encode(_DECODER.decode(raw))
        packer = zlib.compressobj(_LEVEL, zdict=self._dictionary)
        self._pods[key] = packer.compress(text) + packer.flush()
        return True

    def remove(self, key: Key) -> None:
        """Forget, if known."""
        self._pods.pop(key, None)

    def keys(self) -> Iterable[Key]:
        """Every pod that is known."""
        return self._pods.keys()

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        """The pod; None if it is not known, or is another one than ``uid`` (if not empty)."""
        packed = self._pods.get((namespace, name))
        if packed is None:
            return None
        unpacker = zlib.decompressobj(zdict=self._dictionary)
        pod = _PLAIN.decode(unpacker.decompress(packed))
        if uid and pod["metadata"]["uid"] != uid:
            return None
        return pod


def _dictionary(config: InjectionConfig) -> bytes:
    """What most pods have in common: the compressor's starting point."""
    measure, sidecar = injection.containers(config, "model")
    spec = {
        "containers": [],
        "initContainers": [measure, sidecar],
        "schedulingGates": [{"name": names.SCHEDULING_GATE}],
        "volumes": injection.volumes(config),
    }
    return _ENCODER.encode({"metadata": {"labels": {names.MODEL_LABEL: ""}}, "spec": spec})
