"""The last words of a container: what ``kubectl describe pod`` shows when it failed."""

import logging
from pathlib import Path

BYTES_MAX = 4096
"""What the kubelet reads."""

log = logging.getLogger(__name__)


def say(path: Path, text: str) -> None:
    """Write ``text`` to the termination log, cut to what the kubelet reads."""
    data = text.encode("utf-8", "replace")[:BYTES_MAX].decode("utf-8", "ignore")
    try:
        path.write_text(data, encoding="utf-8")
    except OSError as error:
        log.warning("the termination message could not be written: %s", error)
