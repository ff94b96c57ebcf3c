"""Server images of each policy, judged once for all models that are judged under it."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from quorate.evidence.signatures import Context
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.server_images import NOT_ASKED, ServerImages, judge_servers
from quorate.ports import Sigstore

KEPT_SECONDS = 60
"""A judgement is used again for this long: a thousand models are judged in a burst."""
KEPT_MAX = 512
"""Policies whose images' judgement is kept."""


class JudgedImages:
    """Used by worker threads. Two of them may judge the same once each; both come to the same."""

    def __init__(self, sigstore: Sigstore | None) -> None:
        self._sigstore = sigstore
        self._kept: OrderedDict[tuple[str, str], tuple[datetime, datetime, ServerImages]]
        self._kept = OrderedDict()
        self._lock = Lock()

    def under(self, policy: CompiledPolicy, now: datetime) -> ServerImages:
        """How the images that ``policy`` names stand, as of now or a little earlier."""
        return self._judged(policy, now, lambda at, until: at <= now < until)

    def exactly(self, policy: CompiledPolicy, instant: datetime) -> ServerImages:
        """How they stand at that instant: what is signed of it is signed alike by all members."""
        return self._judged(policy, instant, lambda at, _: at == instant)

    def _judged(
        self,
        policy: CompiledPolicy,
        now: datetime,
        counts: Callable[[datetime, datetime], bool],
    ) -> ServerImages:
        if policy.server_signers is None:
            return NOT_ASKED
        with self._lock:
            known = self._kept.get(policy.judged_by)
        if known is not None and counts(known[0], known[1]):
            return known[2]
        images = judge_servers(policy, Context(now, self._sigstore))
        until = now + timedelta(seconds=KEPT_SECONDS)
        until = min(until, images.not_after) if images.not_after else until
        with self._lock:
            self._kept[policy.judged_by] = (now, until, images)
            self._kept.move_to_end(policy.judged_by)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return images
