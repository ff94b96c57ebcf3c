"""Judges before their first request: what they make when first asked is made before anybody waits.

A first judgement takes a hundred times as long as the next. Too late is a denial, and a denial
stays: whoever asks a member that has just started must not pay for that.
"""

import logging
from collections.abc import Sequence
from typing import Final

from quorate.consensus.request import (
    VERSION,
    Band,
    Call,
    Message,
    Principal,
    Request,
    Risk,
    Role,
)
from quorate_consensus.judges.reader import Reader

_DIGEST: Final = "sha256:" + "0" * 64
SAMPLE: Final = Request(
    version=VERSION,
    principal=Principal("none", "none", "none", _DIGEST, (_DIGEST,)),
    capability="undeclared",
    tool="look_up",
    action_class="unknown",
    arguments={"words": "aGVyYnMgdGhhdCBncm93IGluIHRoZSBzaGFkZQ==", "count": 3},
    conversation=(
        Message(Role.SYSTEM, "Answer briefly.", "", "", ()),
        Message(Role.USER, "Which herbs gr\u043ew in the shade? %57%68ich?", "", "", ()),
        Message(Role.ASSISTANT, "", "", "", (Call("c1", "look_up", {"words": "herbs"}),)),
        Message(Role.TOOL, "Mint, see https://example.com/mint", "look_up", "c1", ()),
    ),
    omitted=0,
    risk=Risk(700, Band.HIGH),
)
"""Something of everything that is read: roles, calls, what is hidden in other spellings."""

log = logging.getLogger(__name__)


def warm(found: Sequence[Reader]) -> None:
    """Have each reader read the sample. What it says of it is nobody's verdict."""
    for reader in found:
        try:
            reader.read(SAMPLE)
        except Exception:  # of a judge that fails, the panel makes a denial, each time
            log.exception("judge %s fails", reader.identity.name)
