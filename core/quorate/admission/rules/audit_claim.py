"""The claim with audit records: injected sidecars write to it, nobody else does."""

from collections.abc import Iterable, Iterator
from typing import Any

from quorate import names
from quorate.admission import pods
from quorate.admission.injection import InjectionConfig, Pod
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_FIX = "mount it with persistentVolumeClaim.readOnly: true, in a pod without a model"


def audit_claim(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """A model pod reaches the claim through the injected volume alone, declared or not."""
    for volume, _ in _reaching(subject.volumes, allowed.injections):
        if volume["name"] != names.AUDIT_VOLUME:
            yield _denial(volume)


def audit_claim_read_only(pod: Pod, injections: Iterable[InjectionConfig]) -> Iterator[Denial]:
    """A pod without a model may read the records, to collect them."""
    for volume, claim in _reaching(pods.volumes(pod), injections):
        if claim.get("readOnly") is not True:
            yield _denial(volume)


def _reaching(
    volumes: list[dict[str, Any]], injections: Iterable[InjectionConfig]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each volume on such a claim, with its source."""
    for volume in volumes:
        claim = volume.get("persistentVolumeClaim")
        if claim and any(
            claim.get("claimName") == config.audit.persistent_volume_claim for config in injections
        ):
            yield volume, claim


def _denial(volume: dict[str, Any]) -> Denial:
    return Denial(
        Reason.VOLUME_NOT_ALLOWED,
        f"volume {volume['name']} reaches the claim with audit records, "
        "which only the injected sidecar may write to",
        fix=_FIX,
    )
