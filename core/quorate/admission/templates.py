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
TEXTS_PER_MODEL = 4
"""Workloads of one model whose pods come in turn: a rollout beside a canary, a Job beside both."""

T = TypeVar("T")
Context = tuple[Selection, KnownModel, tuple[str, ...] | None]
"""What a yes depends on besides the spec: policies, model, access modes of its claim."""

_VOLUME = re.compile(rb'\{"name":"(kube-api-access-[a-z0-9]{5})","projected":')


Entry = tuple[Context, bytes, T]


class Templates(Generic[T]):
    """What was found for the text of a spec, for the last few texts of each model."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Entry[T], ...]] = {}
        self._texts = 0

    def recall(self, context: Context, plain: bytes) -> T | None:
        """What was found for this very text in this very context; None if nothing was."""
        for (selection, known, modes), text, found in self._found.get(_key(context), ()):
            if (
                text == plain
                and selection is context[0]
                and known is context[1]
                and modes == context[2]
            ):
                return found
        return None

    def remember(self, context: Context, plain: bytes, found: T) -> None:
        """Keep what was found, in place of the model's oldest text where there is no room."""
        key = _key(context)
        kept = self._found.pop(key, ())
        self._texts -= len(kept)
        # What was found while the model was another one is of no use any more.
        others = [
            entry
            for entry in kept
            if entry[0][1] is context[1] and (entry[1] != plain or entry[0][0] is not context[0])
        ]
        fresh = [] if len(plain) > TEXT_MAX else [(context, plain, found)]
        entries = tuple((fresh + others)[:TEXTS_PER_MODEL])
        while self._found and self._texts + len(entries) > REMEMBERED_MAX:
            self._texts -= len(self._found.pop(next(iter(self._found))))
        if entries:
            self._found[key] = entries
            self._texts += len(entries)


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
