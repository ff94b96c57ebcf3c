"""The member's TLS certificate: an authority signed by its vote key, and leafs that never rest.

The authority is a function of the vote key and the member's name, so a restart changes nothing for
clients. Leafs have keys of their own that live in memory only.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.ports import Clock
from quorate_io import tls
from quorate_io.authority import issue_leaf, make_authority, renew_at

_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
"""Before any clock that works. The epoch says which key counts; the date adds nothing."""
_CHECK_SECONDS = 60.0
"""Longest time between two looks at the clock, which may be set while we sleep."""

log = logging.getLogger(__name__)


class MemberCertificate:
    """Keeps ``context`` supplied with a leaf for ``names`` that is valid now."""

    def __init__(
        self,
        member: str,
        key: ed25519.Ed25519PrivateKey,
        names: Sequence[str],
        clock: Clock,
        life: timedelta,
    ) -> None:
        self.context: ssl.SSLContext = tls.server_context()
        self._key = key
        self._authority = make_authority(f"quorate member {member}", key, not_before=_BEGINNING)
        self._names = tuple(names)
        self._clock = clock
        self._life = life
        self.renew()

    @property
    def authority_pem(self) -> str:
        """The authority's certificate."""
        return self._authority.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def renew(self) -> None:
        """Serve new connections with a new leaf from now on."""
        now = self._clock.now()
        leaf = issue_leaf(self._authority, self._key, self._names, now=now, life=self._life)
        tls.use_certificate(self.context, leaf.certificate_pem, leaf.key_pem)
        self.not_after = leaf.not_after
        self._renew_at = renew_at(now, leaf.not_after)

    async def renew_for_ever(self, renewed: Callable[[datetime], None]) -> None:
        """Renew at two thirds of every leaf's life; tells ``renewed`` when each one ends."""
        renewed(self.not_after)
        while True:
            wait = (self._renew_at - self._clock.now()).total_seconds()
            await asyncio.sleep(min(max(wait, 0.0), _CHECK_SECONDS))
            if self._clock.now() >= self._renew_at:
                self.renew()
                renewed(self.not_after)
                log.info("serving certificate renewed, valid until %s", self.not_after)
