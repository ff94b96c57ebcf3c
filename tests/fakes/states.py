"""A signed state as its pod sees it, in a committee whose members do not lie."""

from datetime import datetime

from quorate import signed_state
from quorate.consensus.history import History
from quorate.signed_state import PodState


def state_of(envelope: bytes, history: History, pod_uid: str, now: datetime) -> PodState:
    """What one member's word comes to where r is 0. Raises as read, or StateDenied."""
    return signed_state.agree([signed_state.read(envelope, history, pod_uid, now)], history)
