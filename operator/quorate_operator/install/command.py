"""``install``: all steps, until they succeed or the time is up."""

import asyncio
import logging
import time
from datetime import timedelta

from quorate.consensus.epoch import Admins
from quorate.errors import QuorateError
from quorate.genesis import NO_ADMINS
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.committee import install_committee
from quorate_operator.install.keys import Inconsistent
from quorate_operator.install.member import install_members
from quorate_operator.install.seats import Plan
from quorate_operator.install.token_keys import install_token_keys
from quorate_operator.install.webhook import install_webhook

RETRY_SECONDS = 3.0

log = logging.getLogger(__name__)


async def install(
    api: ApiServer,
    namespace: str,
    clock: Clock,
    leaf_life: timedelta,
    patience: float,
    plan: Plan,
    admins: Admins = NO_ADMINS,
) -> None:
    """Run every step, again and again until all went through in one run.

    Raises Inconsistent at once, and after ``patience`` seconds what was in the way last.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            genesis = await install_members(api, namespace, plan, admins)
            await install_token_keys(api, namespace)
            await install_committee(api)
            await install_webhook(api, namespace, clock, leaf_life)
        except Inconsistent:
            raise
        except QuorateError as error:
            # Parts of the release may not be there yet, or two runs meet.
            if time.monotonic() + RETRY_SECONDS > deadline:
                raise
            log.warning("not installed yet: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            log.info("installed; genesis %s", genesis.digest_text)
            return
