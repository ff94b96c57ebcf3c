"""An AttestedModel as the operator reads it: status, owners, and the certificates that count."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from quorate import certificate
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.attested_model import AttestedModelStatus
from quorate.api.v1alpha1.document_source import DocumentSource, SourceField
from quorate.api.v1alpha1.meta import Owners, read
from quorate.certificate import Certificate, PolicyRef
from quorate.consensus.history import History
from quorate.errors import QuorateError


@dataclass(frozen=True, slots=True)
class Attached:
    """A certificate found in the status, verified, and the envelope it came in."""

    certificate: Certificate
    envelope: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """What planners read of a model. ``malformed`` says why it cannot be read, if it cannot."""

    status: AttestedModelStatus | None
    owners: Owners | None = None
    manifest_digest: str = ""
    attached: Mapping[PolicyRef, Attached] = field(default_factory=dict)
    sources: tuple[tuple[SourceField, DocumentSource], ...] = ()
    inline: Mapping[SourceField, int] = field(default_factory=dict)
    """Documents inside the object, by the field that names sources of more of them."""
    malformed: str = ""

    @property
    def envelopes(self) -> tuple[str, ...]:
        """The certificates as they are signed, in an order that is always the same."""
        found = sorted(self.attached.items(), key=lambda item: str(item[0]))
        return tuple(attached.envelope for _, attached in found)


def view_model(document: Mapping[str, Any], history: History, now: datetime) -> ModelView:
    """Read a model as the API server gives it. Never raises: what cannot be read is said so."""
    try:
        model = read(AttestedModel, document)
    except QuorateError as error:
        return refused_view(document, str(error))
    return ModelView(
        status=model.status,
        owners=model.spec.owners,
        manifest_digest=model.spec.manifest_digest,
        attached=_attached(model, history, now),
        sources=model.spec.sources,
        inline={
            SourceField.SIGNATURES: len(model.spec.signatures),
            SourceField.EVIDENCE: len(model.spec.evidence),
        },
    )


def reconsidered(view: ModelView, history: History) -> ModelView:
    """The model by a later history: without certificates whose signers were found lying."""
    kept = {
        ref: attached
        for ref, attached in view.attached.items()
        if certificate.stands(attached.certificate, history)
    }
    return view if len(kept) == len(view.attached) else replace(view, attached=kept)


def refused_view(document: Mapping[str, Any], why: str) -> ModelView:
    """A model that is not taken in, and why."""
    return ModelView(_status(document), malformed=why)


def _status(document: Mapping[str, Any]) -> AttestedModelStatus | None:
    try:
        return AttestedModelStatus.model_validate(document.get("status"))
    except ValidationError:
        return None


def _attached(model: AttestedModel, history: History, now: datetime) -> dict[PolicyRef, Attached]:
    found: dict[PolicyRef, Attached] = {}
    namespace = model.metadata.namespace or ""
    for entry in model.status.certificates if model.status else ():
        cluster_wide = entry.kind == ClusterSafetyPolicy.kind_name
        ref = PolicyRef(entry.kind, None if cluster_wide else namespace, entry.name)
        try:
            verified = certificate.verify(entry.envelope.encode("utf-8"), history, now)
        except QuorateError:
            continue  # as good as absent: members are asked for another
        found[ref] = Attached(verified, entry.envelope)
    return found
