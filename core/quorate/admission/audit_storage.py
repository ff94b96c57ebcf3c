"""Where injected sidecars keep their audit logs: a directory of the pod, or a claim.

Both are mounted alike, each pod in a sub-directory of its own, so that the injected container is
the same in either case and only the source of its volume differs.
"""

import re
from typing import Any

import msgspec

from quorate import limits, names
from quorate.admission.quantity import canonical_quantity, whole_bytes
from quorate.errors import InvalidInput

SIZE_MIN = 32 * limits.MIB
SIZE_MAX = 64 * 1024 * limits.MIB

_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class AuditStorage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The storage of audit logs; the same for every pod of an installation."""

    size_limit: str = "128Mi"
    """What one pod's log may take, as a Kubernetes quantity. The oldest records go first."""
    persistent_volume_claim: str = ""
    """Name of a claim that each enforced namespace provides; empty for a directory of the pod."""

    @property
    def source(self) -> dict[str, Any]:
        """The volume's source, as the API server stores it."""
        if self.persistent_volume_claim:
            return {"persistentVolumeClaim": {"claimName": self.persistent_volume_claim}}
        return {"emptyDir": {"sizeLimit": self.size_limit}}

    @property
    def volume(self) -> dict[str, Any]:
        """The injected volume."""
        return {"name": names.AUDIT_VOLUME, **self.source}

    @property
    def mount(self) -> dict[str, Any]:
        """The sidecar's mount. By the variable, no pod of a shared claim sees another's records."""
        return {
            "name": names.AUDIT_VOLUME,
            "mountPath": names.AUDIT_PATH,
            "subPathExpr": "$(QUORATE_POD_UID)",
        }

    @property
    def arguments(self) -> list[str]:
        """What the sidecar is told: where it is, how much it may take, and what to call it."""
        return [
            f"--audit={names.AUDIT_PATH}",
            f"--audit-size={self.size_limit}",
            f"--audit-claim={self.persistent_volume_claim}",
        ]


def checked(storage: AuditStorage, where: str) -> AuditStorage:
    """The storage with its size as the API server spells it. Raises InvalidInput."""
    claim = storage.persistent_volume_claim
    if claim and not _CLAIM.fullmatch(claim):
        raise InvalidInput(
            "must be the name of a claim, or empty", field=f"{where}.persistentVolumeClaim"
        )
    field = f"{where}.sizeLimit"
    if not SIZE_MIN <= whole_bytes(storage.size_limit, field) <= SIZE_MAX:
        raise InvalidInput("must be between 32Mi and 64Gi", field=field)
    return msgspec.structs.replace(
        storage, size_limit=canonical_quantity(storage.size_limit, field)
    )
