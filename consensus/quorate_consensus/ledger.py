"""Which certificates are out, of models that this member may judge otherwise by now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quorate.certificate import Certificate, PolicyRef

Subject = tuple[str, str, PolicyRef]
"""A model's namespace and name, and a policy."""

PER_SUBJECT_MAX = 64
"""Unexpired certificates remembered for one subject: 16 policies fill a state's 1,024 ids."""


@dataclass(slots=True)
class _Entry:
    ends: dict[str, datetime] = field(default_factory=dict)
    """By certificate id."""
    denied: bool = False
    """Whether the last judgement of the subject was a denial: each is counted once."""

    def prune(self, now: datetime) -> None:
        """Drop what expired, then what expires first if there is still too much."""
        for certificate_id in [key for key, end in self.ends.items() if end <= now]:
            del self.ends[certificate_id]
        for certificate_id in sorted(self.ends, key=self.ends.__getitem__)[:-PER_SUBJECT_MAX]:
            del self.ends[certificate_id]


class Ledger:
    """Remembers for as long as a certificate could be shown to somebody.

    What is noted has verified: only a committee can fill this memory.
    """

    def __init__(self) -> None:
        self._entries: dict[Subject, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def noted(self, certificate: Certificate, now: datetime) -> int:
        """Note a certificate that was relayed; returns how many this revokes: one, or none."""
        statement = certificate.statement
        subject: Subject = (statement.namespace, statement.model, statement.policy)
        entry = self._entries.setdefault(subject, _Entry())
        fresh = certificate.certificate_id not in entry.ends and now < statement.expires_at
        entry.ends[certificate.certificate_id] = statement.expires_at
        entry.prune(now)
        return int(fresh and entry.denied)

    def judged(self, subject: Subject, now: datetime, *, allowed: bool) -> int:
        """A new judgement; returns how many certificates this revokes.

        One that allows supports what is out again: the same bytes hold the same policy.
        """
        entry = self._entries.get(subject)
        if entry is None:
            if allowed:
                return 0
            entry = self._entries[subject] = _Entry()
        entry.prune(now)
        revokes = not allowed and not entry.denied
        entry.denied = not allowed
        return len(entry.ends) if revokes else 0

    def out(self, subjects: Sequence[Subject], now: datetime) -> tuple[str, ...]:
        """Ids of the unexpired certificates for these subjects, sorted."""
        entries = (self._entries[subject] for subject in subjects if subject in self._entries)
        return tuple(
            sorted(
                certificate_id
                for entry in entries
                for certificate_id, end in entry.ends.items()
                if end > now
            )
        )

    def sweep(self, now: datetime) -> None:
        """Forget subjects with no certificate left."""
        for subject, entry in list(self._entries.items()):
            entry.prune(now)
            if not entry.ends:
                del self._entries[subject]
