"""Signatures of a policy's server images that the operator read from registries, as relayed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FetchedSignatures:
    """Bundles by the digest of the image they are attached to. They prove what they prove.

    Of images in ``unread`` it is not known yet what is attached to them.
    """

    bundles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unread: frozenset[str] = frozenset()
    version: str = field(init=False)
    """Stands for all of it."""

    def __post_init__(self) -> None:
        whole: list[Any] = [self.bundles, sorted(self.unread)]
        text = json.dumps(whole) if self.bundles or self.unread else ""
        version = hashlib.sha256(text.encode()).hexdigest() if text else ""
        object.__setattr__(self, "version", version)

    def of(self, digest: str) -> tuple[str, ...]:
        """The bundles of one image."""
        return next((bundles for image, bundles in self.bundles if image == digest), ())

    def or_held(self, held: "FetchedSignatures") -> "FetchedSignatures":
        """The same; for images that are unread, what ``held`` has of them."""
        known: Mapping[str, tuple[str, ...]] = dict(held.bundles)
        filled = {d for d in self.unread if d in known and d not in held.unread}
        if not filled:
            return self
        kept = tuple((digest, known[digest]) for digest in sorted(filled))
        return FetchedSignatures((*self.bundles, *kept), self.unread - filled)


NOTHING_FETCHED = FetchedSignatures()
