"""The signed state: what a committee tells one pod's containers, and how they check it.

A sidecar trusts neither the API server nor the channel, and no single member. Each member signs its
own word; :func:`read` verifies that it is about this very pod, that it is fresh, and that the
certificates in it verify; :func:`agree` takes what r + 1 members say alike.
"""

from quorate.signed_state.agreement import agree
from quorate.signed_state.reading import Word, read
from quorate.signed_state.statement import (
    PodState,
    PodSubject,
    PolicyState,
    StateDenial,
    StateDenied,
    StateStatement,
    issue,
)

__all__ = [
    "PodState",
    "PodSubject",
    "PolicyState",
    "StateDenial",
    "StateDenied",
    "StateStatement",
    "Word",
    "agree",
    "issue",
    "read",
]
