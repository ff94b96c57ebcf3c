"""The order in which a local cluster comes up, and what each step waits for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.cluster.binaries import Binaries
from tools.cluster.local import bootstrap, hub, network, node, volumes
from tools.cluster.local.addresses import Addresses
from tools.cluster.local.api import ApiClient, accepts, dns_resolves, http_ok
from tools.cluster.local.layout import Layout
from tools.cluster.local.pki import API_PORT
from tools.cluster.local.processes import Component, Processes
from tools.cluster.naming import REGISTRY_PORT, node_name
from tools.cluster.progress import say
from tools.images import pause, store
from tools.images.registry import Registry

_HOLDER_SECONDS = 20.0
_COMPONENT_SECONDS = 60.0
_API_SECONDS = 120.0
_DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
_DNS_PROBE = f"kubernetes.default.svc.{hub.CLUSTER_DOMAIN}"


def _is_ready(api: ApiClient, name: str) -> bool:
    return name in api.ready_nodes()


@dataclass(frozen=True)
class Boot:
    """Everything the steps need."""

    cluster: str
    layout: Layout
    addresses: Addresses
    nodes: int
    binaries: Binaries
    processes: Processes

    @property
    def node_names(self) -> list[str]:
        """The nodes' names in order."""
        return [node_name(index) for index in range(1, self.nodes + 1)]

    def components(self) -> list[Component]:
        """Every component except the namespace holders, in the order of their start."""
        layout, addresses, binaries = self.layout, self.addresses, self.binaries
        listed = [
            hub.etcd(layout),
            hub.registry(layout, binaries),
            hub.api_server(layout, addresses, binaries),
            hub.controller_manager(layout, addresses, binaries),
            hub.scheduler(layout, addresses, binaries),
            hub.dns(layout, binaries),
        ]
        for index in range(1, self.nodes + 1):
            listed += node.components(index, addresses, binaries)
        return listed

    def create_namespaces(self) -> None:
        """Start the holders and wire their networks; only for a new cluster."""
        self.processes.start(hub.holder(self.layout))
        for name in self.node_names:
            self.processes.start(node.holder(name, self.layout, self.binaries))
        hub_mark = self.layout.data / "etcd" / hub.READY_MARK
        self._wait_mark(hub.HUB, hub_mark)
        for name in self.node_names:
            self._wait_mark(name, Path("/run/quorate/ready"))
        self._wire()
        say(f"namespaces and network {self.addresses.network} ready")

    def _wait_mark(self, holder: str, mark: Path) -> None:
        def made() -> bool:
            identity = self.processes.running(holder)
            return identity is not None and Path(f"/proc/{identity.pid}/root{mark}").exists()

        self.processes.wait(holder, made, _HOLDER_SECONDS, "its namespaces are made")

    def _wire(self) -> None:
        pids = [
            identity.pid for identity in map(self.processes.running, self.holders()) if identity
        ]
        network.apply(network.host_batch(self.cluster, self.addresses, pids[0], pids[1:]), [])
        for holder in self.holders():
            network.set_sysctls(self.processes.enter(holder))
        hub_batch = network.hub_batch(self.addresses, self.nodes)
        network.apply(hub_batch, self.processes.enter(hub.HUB))
        for index, name in enumerate(self.node_names, start=1):
            batch = network.node_batch(self.addresses, index, self.nodes)
            network.apply(batch, self.processes.enter(name))

    def holders(self) -> list[str]:
        """The components that keep namespaces: without them nothing can be mended."""
        return [hub.HUB, *self.node_names]

    def start(self) -> None:
        """Start what does not run, and wait until all of it works together."""
        waiting = {component.name: component for component in self.components()}

        def begin(*names: str) -> None:
            for name in names:
                self.processes.start(waiting.pop(name))

        begin("etcd", "registry", "kube-apiserver")
        begin(*[name for name in waiting if name.endswith("-containerd")])
        self._push_pause()
        api = ApiClient(self.layout, self.addresses)
        ready = partial(api.healthy, API_PORT, "/readyz")
        self.processes.wait("kube-apiserver", ready, _API_SECONDS, "it is ready")
        say("API server ready")
        for name in self.node_names:
            # A kubelet that finds nobody at containerd's socket gives up at once.
            self._wait_containerd(name)
            begin(f"{name}-kubelet")
        bootstrap.create_objects(api)
        volumes.offer(api, {name: self.layout.node(name) / "var" for name in self.node_names})
        begin(*list(waiting))
        self.wait_ready(api)

    def _push_pause(self) -> None:
        hub_address = str(self.addresses.hub)

        def answers() -> bool:
            return http_ok(hub_address, REGISTRY_PORT, "/v2/")

        self.processes.wait("registry", answers, _COMPONENT_SECONDS, "it answers")
        repository = node.PAUSE_IMAGE.partition("/")[2].rpartition(":")[0]
        with Registry(f"{hub_address}:{REGISTRY_PORT}") as registry:
            registry.push(store.blob_store(), pause.ensure(), repository, store.TAG)
        say("registry ready")

    def wait_ready(self, api: ApiClient) -> None:
        """Wait until nodes are Ready, DNS answers, Services are proxied and controllers run."""
        for index, name in enumerate(self.node_names, start=1):
            self._wait_containerd(name)
            self._wait_node(api, index, name)
        say(f"nodes Ready: {', '.join(self.node_names)}")
        for name, ready, what in (
            ("coredns", partial(dns_resolves, str(self.addresses.hub), _DNS_PROBE), _DNS_PROBE),
            (
                "kube-controller-manager",
                partial(api.healthy, hub.CONTROLLER_MANAGER_PORT),
                "it is healthy",
            ),
            ("kube-scheduler", partial(api.healthy, hub.SCHEDULER_PORT), "it is healthy"),
            (
                "kube-controller-manager",
                partial(api.exists, _DEFAULT_ACCOUNT),
                "the default service account is there",
            ),
        ):
            self.processes.wait(name, ready, _COMPONENT_SECONDS, what)
        say("DNS and controllers ready")

    def _wait_containerd(self, name: str) -> None:
        holder = self.processes.running(name)
        if holder is None:
            raise self.processes.failed(name, "its namespaces are gone")
        listens = partial(accepts, Path(f"/proc/{holder.pid}/root{node.CONTAINERD_SOCKET}"))
        self.processes.wait(f"{name}-containerd", listens, _COMPONENT_SECONDS, "it listens")

    def _wait_node(self, api: ApiClient, index: int, name: str) -> None:
        address = str(self.addresses.node(index))
        # A node stays Ready for most of a minute after its kubelet died, so each is asked itself.
        for component, ready, what in (
            (
                "kubelet",
                partial(http_ok, address, node.KUBELET_HEALTH_PORT, "/healthz"),
                "it is healthy",
            ),
            ("kubelet", partial(_is_ready, api, name), f"{name} is Ready"),
            (
                "kube-proxy",
                partial(http_ok, address, node.PROXY_HEALTH_PORT, "/healthz"),
                "it has synced",
            ),
        ):
            self.processes.wait(f"{name}-{component}", ready, _COMPONENT_SECONDS, what)
