"""Name resolution that leaves out the addresses that must not be dialled.

The check is on what is dialled, so a name whose address changes between two answers gains nothing.
"""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from quorate_io.registry.rules import RegistryRules


class AddressRefused(OSError):
    """The host is at no address that may be dialled."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is at no address that may be dialled")
        self.host = host


class GuardedResolver(AbstractResolver):
    """Resolves with the system's resolver, and keeps what the rules allow."""

    def __init__(self, rules: RegistryRules, inner: AbstractResolver | None = None) -> None:
        self._rules = rules
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of ``host`` that may be dialled. Raises OSError if there is none."""
        found = await self._inner.resolve(host, port, family)
        kept = [
            result
            for result in found
            if self._rules.may_dial(host, ipaddress.ip_address(result["host"].partition("%")[0]))
        ]
        if not kept:
            raise AddressRefused(host)
        return kept

    async def close(self) -> None:
        """Close the resolver within."""
        await self._inner.close()
