"""Pods of one template: what was found for one is not worked out again for the next.

The API server writes a Deployment's pods to the same bytes but for the random name of the volume
that ServiceAccount admission adds. So the text of a spec is kept without that name, and the next
one is compared with it, whole: nothing is hashed, nothing else is left out, equal is equal.

Leaving the name out is safe because no rule sees more of it than its prefix, which stays: policies
cannot declare a projected volume by name, and mounts that refer to it are renamed with it. A spec
that speaks of the name anywhere else, such as in an argument, is kept as it is.

Kept is a yes, or a patch, and only while policies, model and claim are the very objects it was for.
"""

import re
from typing import Generic, TypeVar

from quorate.admission.model import KnownModel
from quorate.admission.selection import Selection

REMEMBERED_MAX = 512
"""Texts kept, of some ten KiB each."""
TEXT_MAX = 65_536
"""A longer text is read every time."""

T = TypeVar("T")
Context = tuple[Selection, KnownModel, tuple[str, ...] | None]
"""What a yes depends on besides the spec: policies, model, access modes of its claim."""

_VOLUME = re.compile(rb'\{"name":"(kube-api-access-[a-z0-9]{5})","projected":')


class Templates(Generic[T]):
    """What was found for the text of a spec, for the last text of each model."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Context, bytes, T]] = {}

    def recall(self, context: Context, plain: bytes) -> T | None:
        """What was found for this very text in this very context; None if nothing was."""
        kept = self._found.get(_key(context))
        if kept is None:
            return None
        (selection, known, modes), text, found = kept
        if selection is not context[0] or known is not context[1] or modes != context[2]:
            return None
        return found if text == plain else None

    def remember(self, context: Context, plain: bytes, found: T) -> None:
        """Keep what was found in place of what was for the model's last text."""
        key = _key(context)
        self._found.pop(key, None)
        if len(plain) > TEXT_MAX:
            return
        if len(self._found) >= REMEMBERED_MAX:
            del self._found[next(iter(self._found))]
        self._found[key] = context, plain, found


def _key(context: Context) -> tuple[str, str]:
    return context[1].namespace, context[1].name


def plain_text(spec: bytes) -> bytes:
    """The text without the random part of the API token's volume, if it names that only."""
    found = _VOLUME.search(spec)
    if found is None:
        return spec
    name = found[1]
    # Quotes inside a string are escaped: these bytes are a member of an object, nowhere else.
    parts = spec.split(b'"name":"%b"' % name)
    if spec.count(name) != len(parts) - 1:
        return spec
    return b'"name":"kube-api-access-"'.join(parts)
