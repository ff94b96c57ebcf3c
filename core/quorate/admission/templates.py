"""Pods of one template: what was found good once is not read again.

The API server writes a Deployment's pods to the same bytes but for the random name of the volume
that ServiceAccount admission adds. So the text of a good spec is kept without that name, and the
next one is compared with it, whole: nothing is hashed, nothing else is left out, equal is equal.

Leaving the name out is safe because no rule sees more of it than its prefix, which stays: policies
cannot declare a projected volume by name, and mounts that refer to it are renamed with it. A spec
that speaks of the name anywhere else, such as in an argument, is kept as it is.

Only a yes is kept, and only while policies, model and claim are the very objects it was for.
"""

import re

from quorate.admission.model import KnownModel
from quorate.admission.selection import Selection

REMEMBERED_MAX = 512
"""Texts kept, of some ten KiB each."""
TEXT_MAX = 65_536
"""A longer text is read every time."""

Context = tuple[Selection, KnownModel, tuple[str, ...] | None]
"""What a yes depends on besides the spec: policies, model, access modes of its claim."""

_VOLUME = re.compile(rb'\{"name":"(kube-api-access-[a-z0-9]{5})","projected":')


class Templates:
    """Texts of specs that were found good, one for each model."""

    def __init__(self) -> None:
        self._good: dict[tuple[str, str], tuple[Context, bytes]] = {}

    def hold(self, context: Context, plain: bytes) -> bool:
        """Whether this very text was found good in this very context."""
        found = self._good.get(_key(context))
        if found is None:
            return False
        (selection, known, modes), text = found
        if selection is not context[0] or known is not context[1] or modes != context[2]:
            return False
        return text == plain

    def remember(self, context: Context, plain: bytes) -> None:
        """A text was found good; it takes the place of the model's last one."""
        key = _key(context)
        self._good.pop(key, None)
        if len(plain) > TEXT_MAX:
            return
        if len(self._good) >= REMEMBERED_MAX:
            del self._good[next(iter(self._good))]
        self._good[key] = context, plain


def _key(context: Context) -> tuple[str, str]:
    return context[1].namespace, context[1].name


def plain_text(spec: bytes) -> bytes:
    """The text without the random part of the API token's volume, if it names that only."""
    found = _VOLUME.search(spec)
    if found is None:
        return spec
    name = found[1]
    # Quotes inside a string are escaped: these bytes are a member of an object, nowhere else.
    member = b'"name":"%b"' % name
    if spec.count(name) != spec.count(member):
        return spec
    return spec.replace(member, b'"name":"kube-api-access-"')
