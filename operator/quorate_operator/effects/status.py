"""Writing a status by server-side apply."""

from typing import Any

from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLUSTER_SAFETY_POLICY,
    SAFETY_COMMITTEE,
    SAFETY_POLICY,
)
from quorate_operator.reconcile.actions import ApplyStatus

KINDS = {
    kind.name: kind
    for kind in (ATTESTED_MODEL, CLUSTER_SAFETY_POLICY, SAFETY_POLICY, SAFETY_COMMITTEE)
}
Document = dict[str, Any]


def document(action: ApplyStatus) -> Document:
    """What is applied. The version keeps it from what was not looked at; a UID would not: the API
    server ignores it on the status of a custom resource."""
    key = action.target.key
    metadata = {"name": key.name, "resourceVersion": action.resource_version}
    if key.namespace:
        metadata["namespace"] = key.namespace
    return {
        "apiVersion": action.target.api_version,
        "kind": key.kind,
        "metadata": metadata,
        "status": action.status,
    }


async def apply_status(api: ApiServer, holder: Holder, action: ApplyStatus) -> Document | None:
    """Write, and return the object as it is now; None if it is gone or was changed by now:
    then its newer version will be looked at.

    Raises QuorateError if the API server refuses or does not answer.
    """
    check(holder)
    key = action.target.key
    try:
        return await api.apply_status(KINDS[key.kind], key, document(action))
    except ApiRefused as error:
        if error.status in (404, 409):
            return None
        raise
