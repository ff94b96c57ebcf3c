"""A model in brief, so that thousands fit: how it stands and until when."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import evaluate
from quorate_cli.cluster.kinds import Document
from quorate_cli.policies import selects_model
from quorate_sigstore import OfflineSigstore

RENEW_SHARE: Final = 0.1
"""The share of a result's life that is enough to run its gate again."""
CERTIFICATE_SECONDS: Final = 90 * 24 * 3600
"""What a signer's certificate is taken to live, for the same share: its start is not looked up."""


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stays of an AttestedModel once its evidence was judged."""

    namespace: str
    name: str
    version: str = ""
    ready: str = ""
    """``True``, ``False`` or ``Unknown``; empty without a status."""
    reason: str = ""
    message: str = ""
    certified_until: datetime | None = None
    """When the first of its certificates expires, by its status."""
    evidence_until: datetime | None = None
    """When the first result that policies ask for becomes too old; None if none ages."""
    renew_by: datetime | None = None
    """When the first of them has a tenth of its time left."""

    @property
    def ref(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def summarise(
    document: Document, policies: Iterable[CompiledPolicy], now: datetime
) -> ModelSummary:
    """Judge a model's evidence under the policies that may select its pods, and forget the rest."""
    metadata = document["metadata"]
    namespace, name = str(metadata.get("namespace", "")), str(metadata["name"])
    try:
        model = read(AttestedModel, document)
    except InvalidInput as error:
        return ModelSummary(
            namespace=namespace, name=name, ready="False", reason="Malformed", message=str(error)
        )
    meant = [
        policy
        for policy in policies
        if policy.ref.namespace in (None, namespace) and selects_model(policy, name) != "no"
    ]
    lapses = [lapse for policy in meant for lapse in _lapses(policy, model, now)]
    status = model.status
    ready = next((c for c in status.conditions if c.type == "Ready"), None) if status else None
    expiries = [entry.expires_at for entry in status.certificates] if status else []
    return ModelSummary(
        namespace=namespace,
        name=name,
        version=model.spec.version,
        ready=ready.status if ready else "",
        reason=ready.reason if ready else "",
        message=ready.message if ready else "",
        certified_until=min(map(datetime.fromisoformat, expiries), default=None),
        evidence_until=min((end for end, _ in lapses), default=None),
        renew_by=min((end - life * RENEW_SHARE for end, life in lapses), default=None),
    )


def _lapses(
    policy: CompiledPolicy, model: AttestedModel, now: datetime
) -> Iterator[tuple[datetime, timedelta]]:
    """When each result that counts becomes too old, and how long such results count."""
    lives = {gate.requirement: gate.spec.max_age_seconds for gate in policy.gates}
    for requirement in evaluate(policy, model, now, sigstore=OfflineSigstore()).requirements:
        if requirement.not_after is not None:
            yield (
                requirement.not_after,
                timedelta(seconds=lives.get(requirement.name, CERTIFICATE_SECONDS)),
            )
