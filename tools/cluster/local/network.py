"""Links, addresses and routes of a local cluster.

Pods get routed veths (the CNI plugin ``ptp``), so nothing depends on br_netfilter, and the host
needs neither forwarding nor a packet filter rule: it is one more machine on the hub's bridge.
Pods have no way out to the internet; whatever they need comes from the cluster's registry.
"""

from __future__ import annotations

from tools.cluster.command import run
from tools.cluster.local.addresses import Addresses
from tools.cluster.naming import host_interface, node_name

_BRIDGE = "br0"
# Reverse path filters of the host's defaults would drop what a Service sends back by another way.
_SYSCTLS = ("ip_forward=1", "conf.all.rp_filter=0", "conf.default.rp_filter=0")


def pod_routes(addresses: Addresses, nodes: int, skip: int | None = None) -> list[str]:
    """Routes to every node's pods, except those of the node to skip."""
    return [
        f"route replace {addresses.pods_of(index)} via {addresses.node(index)}"
        for index in range(1, nodes + 1)
        if index != skip
    ]


def _service_route(addresses: Addresses) -> str:
    # The first node's kube-proxy answers for the hub and the host, which have none.
    return f"route replace {addresses.services} via {addresses.node(1)}"


def hub_batch(addresses: Addresses, nodes: int) -> str:
    """Commands of ``ip -batch`` for the hub's namespace."""
    lines = [
        "link set lo up",
        f"link add {_BRIDGE} type bridge",
        f"address add {addresses.hub}/{addresses.machines.prefixlen} dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
    ]
    for port in ("host", *(node_name(index) for index in range(1, nodes + 1))):
        lines += [f"link set {port} master {_BRIDGE}", f"link set {port} up"]
    return "\n".join([*lines, *pod_routes(addresses, nodes), _service_route(addresses)]) + "\n"


def node_batch(addresses: Addresses, index: int, nodes: int) -> str:
    """Commands of ``ip -batch`` for a node's namespace."""
    lines = [
        "link set lo up",
        f"address add {addresses.node(index)}/{addresses.machines.prefixlen} dev eth0",
        "link set eth0 up",
        f"route add default via {addresses.hub}",
    ]
    return "\n".join([*lines, *pod_routes(addresses, nodes, skip=index)]) + "\n"


def host_batch(name: str, addresses: Addresses, hub_pid: int, node_pids: list[int]) -> str:
    """Commands of ``ip -batch`` for the host: all links begin here and move to their place."""
    interface = host_interface(name)
    lines = [f"link add {interface} type veth peer name host netns {hub_pid}"]
    for index, pid in enumerate(node_pids, start=1):
        # Both ends are born in a namespace: a crash in between leaves nothing on the host.
        lines.append(
            f"link add name {node_name(index)} netns {hub_pid} type veth peer name eth0 netns {pid}"
        )
    lines += [
        f"address add {addresses.host}/{addresses.machines.prefixlen} dev {interface}",
        f"link set {interface} up",
    ]
    routes = [*pod_routes(addresses, len(node_pids)), _service_route(addresses)]
    return "\n".join([*lines, *routes]) + "\n"


def apply(batch: str, entering: list[str]) -> None:
    """Run a batch of ``ip`` commands in the namespaces that the words before it enter."""
    run([*entering, "ip", "-batch", "-"], stdin=batch)


def set_sysctls(entering: list[str]) -> None:
    """Let a namespace forward packets."""
    settings = "; ".join(
        f"echo {value} > /proc/sys/net/ipv4/{key.replace('.', '/')}"
        for key, _, value in (setting.partition("=") for setting in _SYSCTLS)
    )
    run([*entering, "/bin/sh", "-ec", settings])


def host_link_exists(name: str) -> bool:
    """Whether the cluster's interface is on the host."""
    interface = host_interface(name)
    return any(
        word.partition("@")[0] == interface
        for word in run(["ip", "-brief", "link", "show"]).split()
    )


def remove_host_link(name: str) -> None:
    """Delete the cluster's only trace in the host's network; its routes go with it."""
    if host_link_exists(name):
        run(["ip", "link", "delete", host_interface(name)])
