"""Server images of a policy as sources of signatures, and what members are told of them. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from quorate import limits
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1.document_source import DocumentSource, ReferrersSource, SourceField
from quorate.api.v1alpha1.safety_policy import SafetyPolicyStatus
from quorate.policy.compiled import CompiledPolicy
from quorate_io.member_api import FetchedImage
from quorate_operator.sources.gathered import Gathered

Sources = tuple[tuple[SourceField, DocumentSource], ...]


def image_sources(policy: CompiledPolicy | BrokenPolicy) -> Sources:
    """Where signatures of the policy's images are kept: referrers of the images themselves."""
    if isinstance(policy, BrokenPolicy) or policy.server_signers is None:
        return ()
    return tuple(
        (
            SourceField.SERVERS,
            DocumentSource(
                name=server.name,
                oci_referrers=ReferrersSource(
                    reference=f"{server.signature_repository}@{server.digest}"
                ),
            ),
        )
        for server in policy.spec.model.servers or ()
        if server.signature_repository
    )


def fetched_images(gathered: Gathered | None) -> tuple[FetchedImage, ...]:
    """What was read of each image. One that two entries name has what either place holds."""
    found: dict[str, FetchedImage] = {}
    for state in gathered.states if gathered else ():
        place = state.source.oci_referrers
        if place is None:
            continue
        digest = place.reference.rpartition("@")[2]
        before = found.get(digest, FetchedImage(digest=digest))
        texts = dict.fromkeys([*before.bundles, *(document.text for document in state.documents)])
        found[digest] = FetchedImage(
            digest=digest,
            unread=before.unread or state.unread,
            bundles=tuple(texts)[: limits.DOCUMENTS_PER_SOURCE],
        )
    return tuple(found.values())


def policy_status(status: Mapping[str, Any] | None) -> SafetyPolicyStatus | None:
    """A policy's status as it was written, if it can be read."""
    try:
        return SafetyPolicyStatus.model_validate(status)
    except ValidationError:
        return None
