"""The SafetyCommittee: made empty, once. People and the operator write what is in it."""

import logging

from quorate import names
from quorate.api.v1alpha1.safety_committee import OBJECT
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.objects import create_once
from quorate_operator.kinds import SAFETY_COMMITTEE

log = logging.getLogger(__name__)


async def install_committee(api: ApiServer) -> None:
    """Make sure that it is there; what it holds is left alone. Raises QuorateError."""
    document = {
        "apiVersion": names.API_VERSION,
        "kind": SAFETY_COMMITTEE.name,
        "metadata": {"name": OBJECT},
        "spec": {"proposals": []},
    }
    _, created = await create_once(api, SAFETY_COMMITTEE, document)
    log.info("SafetyCommittee %s: %s", OBJECT, "created" if created else "found")
