"""The AdmissionReview as the API server sends it: only what a decision reads is decoded.

``managedFields``, ``status`` and the like are skipped by the parser, which is most of a review.
"""

import re
from typing import Annotated, Any, Literal

import msgspec

from quorate import names
from quorate.admission.injection import Pod
from quorate.admission.templates import plain_text

UID_LENGTH = 128
Uid = Annotated[str, msgspec.Meta(max_length=UID_LENGTH)]
_NULL = b"null"


class Malformed(Exception):
    """The review or its object is not what it must be. ``uid`` is the review's if it was found."""

    def __init__(self, message: str, uid: str = "") -> None:
        super().__init__(message)
        self.uid = uid


class Resource(msgspec.Struct):
    """Which resource is reviewed."""

    group: str
    version: str
    resource: str


class UserInfo(msgspec.Struct, frozen=True):
    """Who asks."""

    username: str = ""


class Annotations(msgspec.Struct):
    """What is read of an object's annotations."""

    canaries: str = msgspec.field(name=names.CANARY_ANNOTATION, default="")


class Metadata(msgspec.Struct):
    """What is read of an object's metadata."""

    name: str = ""
    generateName: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None


class Binding(msgspec.Struct):
    """A pod's binding to a node."""

    metadata: Metadata


class _Connection(msgspec.Struct):
    container: str = ""


class _Pod(msgspec.Struct):
    metadata: Metadata
    spec: dict[str, Any]


class _Written(msgspec.Struct):
    metadata: Metadata
    spec: msgspec.Raw


class Request(msgspec.Struct, rename="camel"):
    """One request to judge."""

    uid: Uid
    resource: Resource
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str | None = None
    user_info: UserInfo = UserInfo()
    object: msgspec.Raw = msgspec.Raw(_NULL)
    old_object: msgspec.Raw = msgspec.Raw(_NULL)

    def pod(self) -> Pod:
        """The pod as it would be. Raises Malformed."""
        return self._pod(self.object)

    def written(self) -> tuple[Pod, bytes]:
        """The pod without its spec, and its spec as plain text. Raises Malformed."""
        try:
            pod = _WRITTEN.decode(self.object)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Malformed(str(error), self.uid) from None
        return {"metadata": self._metadata(pod.metadata)}, plain_text(bytes(pod.spec))

    def old_pod(self) -> Pod:
        """The pod as it is. Raises Malformed, also if there is none."""
        return self._pod(self.old_object)

    def binding(self) -> Binding:
        """The binding. Raises Malformed."""
        try:
            binding = _BINDING.decode(self.object)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Malformed(str(error), self.uid) from None
        self._check_namespace(binding.metadata)
        return binding

    def container(self) -> str:
        """Which container an exec or attach names; empty if none. Raises Malformed."""
        try:
            return _CONNECTION.decode(self.object).container
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Malformed(str(error), self.uid) from None

    def _pod(self, raw: msgspec.Raw) -> Pod:
        try:
            pod = _POD.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Malformed(str(error), self.uid) from None
        return {"metadata": self._metadata(pod.metadata), "spec": pod.spec}

    def _metadata(self, metadata: Metadata) -> dict[str, Any]:
        self._check_namespace(metadata)
        canaries = metadata.annotations.canaries if metadata.annotations else ""
        return {
            "name": metadata.name,
            "generateName": metadata.generateName,
            "namespace": self.namespace,
            "uid": metadata.uid,
            "labels": metadata.labels,
            "annotations": {names.CANARY_ANNOTATION: canaries} if canaries else None,
        }

    def _check_namespace(self, metadata: Metadata) -> None:
        """The request says where the object is; an object that says otherwise is a trick."""
        if metadata.namespace not in ("", self.namespace) or not self.namespace:
            message = f"object of {metadata.namespace!r} in a request for {self.namespace!r}"
            raise Malformed(message[:200], self.uid)


class _Review(msgspec.Struct, rename="camel"):
    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: Request


_REVIEW = msgspec.json.Decoder(_Review)
_POD = msgspec.json.Decoder(_Pod)
_WRITTEN = msgspec.json.Decoder(_Written)
_BINDING = msgspec.json.Decoder(Binding)
_CONNECTION = msgspec.json.Decoder(_Connection)


def decode(body: bytes) -> Request:
    """Read a review. Raises Malformed, with the review's uid if it can be found."""
    try:
        return _REVIEW.decode(body).request
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(f"not an AdmissionReview: {error}"[:300], find_uid(body)) from None


_UID = re.compile(
    rb'^\s*\{(?:[^{}]{0,200},)?\s*"request"\s*:\s*\{\s*"uid"\s*:\s*"([A-Za-z0-9-]{1,128})"'
)


def find_uid(body: bytes) -> str:
    """The uid of a review that cannot be read, where the API server writes it; else empty.

    A refusal that echoes it is shown to whoever asked; one that does not is a failed call, which
    refuses too, without a reason.
    """
    found = _UID.match(body[:1024])
    return found[1].decode("ascii") if found else ""
