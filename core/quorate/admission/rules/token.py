"""Only the injected volume may project a token of our audience."""

from collections.abc import Iterator

from quorate import names
from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.volumes import INJECTED
from quorate.verdict import Denial, Reason


def token_audience(pod: Pod, allowed: Allowed | None = None) -> Iterator[Denial]:
    """Whoever holds such a token may ask a member for a state; a pod without a model has no need.

    ``allowed`` is None for a pod that is exempt: then no volume may.
    """
    for volume in pods.volumes(pod):
        projected = volume.get("projected")
        if not projected:
            continue
        name = volume["name"]
        if allowed is not None and name == names.TOKEN_VOLUME and volume == INJECTED[name]:
            continue
        for source in projected.get("sources") or []:
            audience = (source.get("serviceAccountToken") or {}).get("audience") or ""
            if audience.startswith(names.AUDIENCE):
                yield Denial(
                    Reason.TOKEN_AUDIENCE,
                    f"volume {name} must not project a token for {audience}",
                    fix="ask for another audience",
                )
