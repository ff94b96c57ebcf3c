"""Which registries may be asked, how, and at which addresses.

Tenants write references, so they choose the host; only the platform says which hosts there are.
A registry on the list may send on to any public address, as those with blob storage elsewhere do,
and to private ones only where the platform lists the host. Link-local addresses, where clouds
serve credentials, are never dialled.
"""

import ipaddress
from dataclasses import dataclass

import yarl

from quorate_io.registry.failures import RegistryFailed, Why

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"
"""Where the registry that people call docker.io is served."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """What the platform allows. Every entry is ``host`` or ``host:port``."""

    registries: frozenset[str] = frozenset()
    plain_http: frozenset[str] = frozenset()
    """Those of ``registries`` that are asked without TLS."""
    redirect_hosts: frozenset[str] = frozenset()
    """Hosts at private addresses to which registries may send on, or for their tokens."""

    def origin(self, registry: str) -> yarl.URL:
        """Where to ask a registry. Raises RegistryFailed unless it is on the list."""
        if registry not in self.registries:
            raise RegistryFailed(
                Why.NOT_ALLOWED,
                f"registry {registry} is not one that this cluster reads from",
                fix=f"have the platform team add {registry} to the chart value evidence.registries",
            )
        scheme = "http" if registry in self.plain_http else "https"
        host = HUB_HOST if registry == HUB else registry
        return yarl.URL(f"{scheme}://{host}")

    def check(self, url: yarl.URL, origin: yarl.URL) -> None:
        """Raise RegistryFailed unless a registry at ``origin`` may have us go to ``url``."""
        address = _literal(url.host or "")
        if not url.host or (address is not None and not self.may_dial(url.host, address)):
            raise self.refused(url.host or "an address without host")
        if url.origin() == origin.origin():
            return
        if url.scheme != "https" or url.user is not None:
            raise RegistryFailed(
                Why.ADDRESS_NOT_ALLOWED, f"{origin.host} sends on to {url.scheme}, not to https"
            )

    def may_dial(self, host: str, address: Address) -> bool:
        """Whether ``host`` may be dialled at ``address``."""
        address = _within(address)
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if host in self._listed_hosts():
            return True
        return address.is_global and not _is_tunnel(address)

    def refused(self, host: str) -> RegistryFailed:
        """The failure for a host that is at no address we may dial."""
        return RegistryFailed(
            Why.ADDRESS_NOT_ALLOWED,
            f"{host} is at no public address",
            fix=f"if it belongs to the registry, have the platform team add {host} to the chart "
            "value evidence.redirectHosts",
        )

    def _listed_hosts(self) -> set[str]:
        return {entry.rpartition(":")[0] or entry for entry in self.registries} | {
            entry.rpartition(":")[0] or entry for entry in self.redirect_hosts
        }


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _within(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_tunnel(address: Address) -> bool:
    """Whether the address leads through a tunnel to an IPv4 address of the sender's choice."""
    if not isinstance(address, ipaddress.IPv6Address):
        return False
    return address.sixtofour is not None or address.teredo is not None
