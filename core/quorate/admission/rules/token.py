"""Only the injected volume may project a token of our audience."""

from collections.abc import Iterator
from typing import Any

from quorate import names
from quorate.admission import injection, pods
from quorate.admission.injection import Pod
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason


def token_audience(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Whoever holds such a token may ask a member for a state."""
    return _asking(subject.volumes, spared=names.TOKEN_VOLUME)


def no_token(pod: Pod) -> Iterator[Denial]:
    """A pod without a model has no need of such a token, under whatever name."""
    return _asking(pods.volumes(pod), spared="")


def _asking(volumes: list[dict[str, Any]], spared: str) -> Iterator[Denial]:
    for volume in volumes:
        projected = volume.get("projected")
        if not projected:
            continue
        name = volume["name"]
        if name == spared and volume == injection.TOKEN:
            continue
        for source in projected.get("sources") or []:
            audience = (source.get("serviceAccountToken") or {}).get("audience") or ""
            if audience.startswith(names.AUDIENCE):
                yield Denial(
                    Reason.TOKEN_AUDIENCE,
                    f"volume {name} must not project a token for {audience}",
                    fix="ask for another audience",
                )
