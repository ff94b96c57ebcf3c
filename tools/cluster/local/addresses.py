"""Addresses of one cluster: one /16 per cluster, chosen by hash and probed for use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from tools.cluster.command import run
from tools.cluster.errors import ClusterError

_FIRST_SECOND_OCTET = 64
_CANDIDATES = 128
MAX_NODES = 8


@dataclass(frozen=True)
class Addresses:
    """Every address of a cluster, derived from its /16."""

    network: IPv4Network

    @property
    def machines(self) -> IPv4Network:
        """The network that hub, nodes and host share."""
        return IPv4Network((self.network.network_address, 24))

    @property
    def hub(self) -> IPv4Address:
        """Where API server, DNS and registry listen."""
        return self.machines[1]

    @property
    def host(self) -> IPv4Address:
        """The host's own address in the cluster."""
        return self.machines[254]

    @property
    def services(self) -> IPv4Network:
        """The range of Service addresses."""
        return IPv4Network((self.network[16 * 256], 20))

    @property
    def kubernetes_service(self) -> IPv4Address:
        """The API server's Service address."""
        return self.services[1]

    @property
    def pods(self) -> IPv4Network:
        """The range that holds every node's pods."""
        return IPv4Network((self.network[64 * 256], 18))

    def node(self, index: int) -> IPv4Address:
        """The address of the node with this index, counted from 1."""
        return self.machines[10 + index]

    def pods_of(self, index: int) -> IPv4Network:
        """The pod range of the node with this index, counted from 1."""
        return IPv4Network((self.pods[index * 256], 24))


def candidates(name: str) -> list[IPv4Network]:
    """All networks a cluster may use, beginning with the one its name's hash points at."""
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % _CANDIDATES
    octets = (_FIRST_SECOND_OCTET + (first + step) % _CANDIDATES for step in range(_CANDIDATES))
    return [IPv4Network(f"10.{octet}.0.0/16") for octet in octets]


def choose(name: str, taken: Iterable[IPv4Network]) -> Addresses:
    """The first candidate that overlaps nothing in use; ClusterError when there is none."""
    used = list(taken)
    for network in candidates(name):
        if not any(network.overlaps(other) for other in used):
            return Addresses(network)
    raise ClusterError("no free /16 between 10.64.0.0 and 10.191.255.255: see `ip route`")


def parse_routes(routes_json: str) -> list[IPv4Network]:
    """The destinations in the output of ``ip -json route``, without the default route."""
    destinations = {str(route.get("dst", "default")) for route in json.loads(routes_json)}
    destinations.discard("default")
    networks = [IPv4Network(destination, strict=False) for destination in sorted(destinations)]
    return [network for network in networks if network.prefixlen > 0]


def routed_networks() -> list[IPv4Network]:
    """Every network this host has a route to."""
    return parse_routes(run(["ip", "-json", "-4", "route", "show", "table", "all"]))
