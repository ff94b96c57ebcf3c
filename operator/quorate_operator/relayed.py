"""What members are told of an object: identity and spec, in a form it is sure to read.

Kubernetes accepts documents that a strict parser refuses, such as labels that differ only in case.
One of them would make members refuse a whole batch, and so let one tenant stop all others. Each
object is therefore read strictly here; what fails is relayed as something that denies.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quorate import names
from quorate.canonical import parse_object
from quorate.errors import QuorateError
from quorate_io import member_api
from quorate_io.member_api import FetchedImage, ObservedPod
from quorate_operator.known_pods import KnownPod

Document = dict[str, Any]
_OBJECT_BYTES = member_api.BATCH_BYTES // 2


def relayed(document: Mapping[str, Any], kind: str) -> Document:
    """Identity and spec of a policy or model: see :func:`measured`."""
    return measured(document, kind)[0]


def without_spec(document: Mapping[str, Any], kind: str) -> Document:
    """Identity alone, which denies."""
    metadata = document.get("metadata") or {}
    kept = ("name", "namespace", "uid", "generation")
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {},
    }


def measured(document: Mapping[str, Any], kind: str) -> tuple[Document, int]:
    """Identity and spec of a policy or model, and how many bytes they have as JSON text.

    The spec is empty if a member would not read it: an empty policy does not compile and denies
    what it may have been about, an empty model cannot be read and so is not there.
    """
    identity = without_spec(document, kind)
    whole = identity | {"spec": document.get("spec") or {}}
    try:
        # As deep as it will lie in a batch.
        text = json.dumps({"batch": [whole]}).encode("utf-8")
        parse_object(text, bytes_max=_OBJECT_BYTES, what=kind)
    except (QuorateError, ValueError, RecursionError):
        return identity, 0
    return whole, len(text)


def with_images(policy: Document, images: Sequence[FetchedImage]) -> Document:
    """The policy as it is relayed, with what was read of its server images."""
    if not images:
        return policy
    return {**policy, member_api.FETCHED_FIELD: msgspec.to_builtins(images)}


def with_certificates(model: Document, envelopes: Sequence[str]) -> Document:
    """The model as it is relayed, with the certificates that members together gave for it.

    One that members would not read is left out: it would make them refuse the whole batch.
    """
    held = [text for text in envelopes if _is_readable(text)][: member_api.CERTIFICATES_MAX]
    return {**model, member_api.CERTIFICATES_FIELD: held} if held else model


def _is_readable(envelope: str) -> bool:
    return envelope.isascii() and 0 < len(envelope) <= member_api.CERTIFICATE_BYTES


def without_certificates(model: Document) -> Document:
    """The model as a member judges it."""
    return {key: part for key, part in model.items() if key != member_api.CERTIFICATES_FIELD}


def relayed_pod(pod: KnownPod, namespace: str, name: str) -> ObservedPod | None:
    """What members are told of a pod; None if its labels could not be relayed.

    A pod a member does not know is denied by it.
    """
    labels = dict(pod.labels)
    if len(labels) > member_api.LABELS_MAX or len({k.casefold() for k in labels}) != len(labels):
        return None
    return ObservedPod(
        uid=pod.uid,
        namespace=namespace,
        name=name,
        labels=labels,
        node=pod.node,
        containers=pod.containers,
    )
