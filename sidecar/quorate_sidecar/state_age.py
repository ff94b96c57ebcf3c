"""Whether the signed state should have been renewed by now. Pure."""

from datetime import datetime

from quorate.signed_state import PodState


def overdue(state: PodState | None, now: datetime) -> str:
    """Why it is late, once half of the state's life has passed; empty before, and without one."""
    if state is None or now - state.issued_at <= (state.expires_at - state.issued_at) / 2:
        return ""
    ends = state.expires_at.isoformat(timespec="seconds")
    return f"no member gave a newer state than the one that ends at {ends}"
