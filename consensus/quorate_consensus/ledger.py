"""Which certificates this member issued and they have not expired, and which of them it revoked."""

from dataclasses import dataclass, field
from datetime import datetime

from quorate.certificate import PolicyRef
from quorate_consensus.issuing import Issued

Subject = tuple[str, str, PolicyRef]
"""A model's namespace and name, and a policy."""

PER_SUBJECT_MAX = 64
"""Unexpired certificates remembered for one subject: 16 policies fill a state's 1,024 ids."""


@dataclass(slots=True)
class _Entry:
    issued: dict[str, datetime] = field(default_factory=dict)
    revoked: dict[str, datetime] = field(default_factory=dict)

    def prune(self, now: datetime) -> None:
        """Drop what expired, then what expires first if there is still too much."""
        for held in (self.issued, self.revoked):
            for certificate_id in [key for key, end in held.items() if end <= now]:
                del held[certificate_id]
            for certificate_id in sorted(held, key=held.__getitem__)[:-PER_SUBJECT_MAX]:
                del held[certificate_id]


class Ledger:
    """Remembers for as long as a certificate could be shown to somebody."""

    def __init__(self) -> None:
        self._entries: dict[Subject, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def issued(self, subject: Subject, issued: Issued, now: datetime) -> None:
        """Note a certificate. Noting it again changes nothing."""
        entry = self._entries.setdefault(subject, _Entry())
        entry.issued[issued.certificate_id] = issued.expires_at
        entry.prune(now)

    def revoke(self, subject: Subject, now: datetime) -> int:
        """Revoke every certificate for this subject; returns how many were not revoked yet."""
        entry = self._entries.get(subject)
        if entry is None:
            return 0
        entry.prune(now)
        count = len(entry.issued)
        entry.revoked |= entry.issued
        entry.issued.clear()
        entry.prune(now)
        if not entry.revoked:
            del self._entries[subject]
        return count

    def revoked(self, subjects: list[Subject], now: datetime) -> tuple[str, ...]:
        """Ids of the unexpired revoked certificates for these subjects, sorted."""
        entries = (self._entries[subject] for subject in subjects if subject in self._entries)
        return tuple(
            sorted(
                certificate_id
                for entry in entries
                for certificate_id, end in entry.revoked.items()
                if end > now
            )
        )

    def sweep(self, now: datetime) -> None:
        """Forget subjects with nothing left to remember."""
        for subject, entry in list(self._entries.items()):
            entry.prune(now)
            if not entry.issued and not entry.revoked:
                del self._entries[subject]
