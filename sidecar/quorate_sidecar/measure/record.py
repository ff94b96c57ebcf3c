"""The note that ``quorate-measure`` leaves for the sidecar of the same pod: measured, just now.

It is used up by the first sidecar that reads it. A sidecar that starts again finds none and
measures for itself: init containers do not run again when a container restarts.
"""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from quorate.statements import DigestText

FILE = "measurement.json"
CHANGED_FILE = "changed.txt"
BYTES_MAX = 4096
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What was measured, in which pod, since which boot of the node."""

    manifest_digest: DigestText
    pod_uid: str
    boot_id: str
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    marks_digest: DigestText
    """Of what the directory looked like when it was measured (quorate_io.scanning)."""


def boot_id(path: Path = BOOT_ID) -> str:
    """The kernel's id of this boot; a new one each time the node starts."""
    return path.read_text("ascii").strip()


def leave(directory: Path, measurement: Measurement) -> None:
    """Write the note, whole or not at all."""
    part = directory / f"{FILE}.part"
    part.write_bytes(msgspec.json.encode(measurement))
    os.replace(part, directory / FILE)


def leave_change(directory: Path, text: str) -> None:
    """Keep that the model was changed: a sidecar that starts again must not forget it."""
    (directory / CHANGED_FILE).write_text(text[:BYTES_MAX], encoding="utf-8")


def known_change(directory: Path) -> str:
    """What a sidecar of this pod found before; empty if it found nothing."""
    try:
        text = (directory / CHANGED_FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text or "the model was changed while it was served"


def forget_change(directory: Path) -> None:
    """The whole pod starts anew, its model server too."""
    (directory / CHANGED_FILE).unlink(missing_ok=True)


def take(directory: Path, pod_uid: str, boot: str) -> Measurement | None:
    """Use the note up: it counts once, for this pod, in this boot. None if there is none."""
    note = directory / FILE
    try:
        with note.open("rb") as file:
            data = file.read(BYTES_MAX)
        note.unlink()
        found = msgspec.json.decode(data, type=Measurement)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if (found.pod_uid, found.boot_id) == (pod_uid, boot) else None
