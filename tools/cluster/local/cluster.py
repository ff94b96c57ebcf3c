"""The provider ``local``: create, mend, inspect and remove a cluster of real processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tools.cluster import binaries, packages
from tools.cluster.errors import ClusterError, ComponentFailed
from tools.cluster.flocks import locked
from tools.cluster.identity import boot_id
from tools.cluster.local import addresses as addressing
from tools.cluster.local import cgroups, hub, inotify, network, node, pki, removal, state
from tools.cluster.local.api import ApiClient
from tools.cluster.local.boot import Boot
from tools.cluster.local.layout import Layout, state_base
from tools.cluster.local.processes import Processes
from tools.cluster.naming import REGISTRY_NAME, REGISTRY_PORT, cluster_name, node_name
from tools.cluster.progress import say
from tools.cluster.provider import DEFAULT_NODES, Status
from tools.images import store
from tools.images.registry import Registry

_LOCK_SECONDS = 900.0


class LocalProvider:
    """One checkout's cluster on this machine."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self.name = cluster_name(checkout)
        self.layout = Layout(state_base() / self.name)
        self._processes = Processes(self.name, self.layout)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        if os.geteuid() != 0:
            raise ClusterError(
                "the local provider makes namespaces and mounts, so it needs root; "
                "with a Docker engine and kind no root is needed"
            )
        with locked(self._checkout, f"the cluster {self.name}", _LOCK_SECONDS):
            yield

    def up(self, nodes: int | None) -> None:
        """Create the cluster, mend it after a crash, or see that it is well."""
        if nodes is not None and not 1 <= nodes <= addressing.MAX_NODES:
            raise ClusterError(f"nodes must be between 1 and {addressing.MAX_NODES}")
        with self._exclusively():
            packages.ensure(packages.CLUSTER_PACKAGES)
            built = binaries.ensure()
            recorded = state.load(self.layout.state_file)
            wanted = nodes or (recorded.nodes if recorded else DEFAULT_NODES)
            if recorded is not None and recorded.nodes == wanted and self._mend(recorded, built):
                return
            if removal.traces(self.name, self.layout):
                say("removing what an earlier cluster left")
                removal.remove(self.name, self.layout)
            self._create(wanted, built)

    def _boot(self, recorded: state.ClusterState, built: binaries.Binaries) -> Boot:
        return Boot(
            self.name,
            self.layout,
            recorded.addresses,
            recorded.nodes,
            built,
            self._processes,
        )

    def _mendable(self, recorded: state.ClusterState, built: binaries.Binaries) -> bool:
        boot = self._boot(recorded, built)
        return (
            recorded.complete
            and recorded.boot_id == boot_id()
            and recorded.binaries == built.digest
            and all(self._processes.running(name) for name in boot.holders())
            and network.host_link_exists(self.name)
        )

    def _mend(self, recorded: state.ClusterState, built: binaries.Binaries) -> bool:
        """Whether the recorded cluster is well now; False: it must be made anew."""
        if not self._mendable(recorded, built):
            return False
        boot = self._boot(recorded, built)
        stopped = [one.name for one in boot.components() if not self._processes.running(one.name)]
        if stopped:
            say(f"starting again: {', '.join(stopped)}")
        try:
            boot.start()
        except ComponentFailed as failure:
            say(f"cannot be mended, making it anew: {failure}")
            return False
        say(f"cluster {self.name} is up")
        return True

    def _create(self, nodes: int, built: binaries.Binaries) -> None:
        say(f"creating cluster {self.name} with {nodes} nodes")
        recorded = self._choose_network(nodes, built)
        self._write_files(recorded)
        cgroups.create(self.name, [node_name(index) for index in range(1, nodes + 1)])
        boot = self._boot(recorded, built)
        boot.create_namespaces()
        boot.start()
        state.save(self.layout.state_file, replace(recorded, complete=True))
        say(f"cluster {self.name} is up: export KUBECONFIG={self.layout.kubeconfig}")

    def _choose_network(self, nodes: int, built: binaries.Binaries) -> state.ClusterState:
        base = self.layout.root.parent
        base.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(base, "choosing a network", _LOCK_SECONDS):
            others = (state.load(path) for path in base.glob("*/state.json"))
            taken = [other.addresses.network for other in others if other is not None]
            chosen = addressing.choose(self.name, [*taken, *addressing.routed_networks()])
            recorded = state.ClusterState(
                name=self.name,
                checkout=str(self._checkout),
                boot_id=boot_id(),
                network=str(chosen.network),
                nodes=nodes,
                binaries=built.digest,
                complete=False,
            )
            self.layout.make()
            inotify.raise_limit(base)
            state.save(self.layout.state_file, recorded)
        return recorded

    def _write_files(self, recorded: state.ClusterState) -> None:
        chosen = recorded.addresses
        pki.create(self.layout.pki, chosen, recorded.nodes)
        hub.write_config(self.layout, chosen, self.name)
        for index in range(1, recorded.nodes + 1):
            node.write_config(self.name, index, self.layout, chosen)

    def down(self) -> None:
        """Remove the cluster; nothing of it is left but the caches."""
        with self._exclusively():
            if not removal.traces(self.name, self.layout):
                say(f"cluster {self.name} is not there")
                return
            removal.remove(self.name, self.layout)
            say(f"cluster {self.name} removed")

    def _recorded(self) -> state.ClusterState:
        recorded = state.load(self.layout.state_file)
        if recorded is None or not recorded.complete:
            raise ClusterError("the cluster is not up: run `python -m tools.cluster up`")
        return recorded

    def load(self, digest: str, repository: str, tag: str) -> None:
        """Push a built image to the cluster's registry."""
        address = f"{self._recorded().addresses.hub}:{REGISTRY_PORT}"
        with Registry(address) as registry:
            registry.push(store.blob_store(), digest, repository, tag)

    def stop(self, component: str) -> None:
        """End one component; the rest goes on without it."""
        with self._exclusively():
            self._recorded()
            if component not in self._processes.names():
                known = ", ".join(self._processes.names())
                raise ClusterError(f"no component {component}; there are: {known}")
            self._processes.stop(component)
            say(f"{component} stopped")

    def start(self, component: str) -> None:
        """Start one component again and wait until the whole cluster is well."""
        with self._exclusively():
            recorded = self._recorded()
            boot = self._boot(recorded, binaries.ensure())
            named = [one for one in boot.components() if one.name == component]
            if not named:
                raise ClusterError(f"no component {component}")
            self._processes.start(named[0])
            boot.wait_ready(ApiClient(self.layout, recorded.addresses))
            say(f"{component} started")

    def static_pod(self, node: str, name: str, manifest: str | None) -> None:
        """Give a node's kubelet the manifest of a static pod, or with None take it away."""
        folder = self.layout.static_pods(node)
        if "/" in f"{node}{name}" or not folder.is_dir():
            raise ClusterError(f"no node {node}, or {name} is no name")
        target = folder / f"{name}.json"
        if manifest is None:
            target.unlink(missing_ok=True)
            return
        # The kubelet reads whatever appears here, but for names that begin with a dot.
        unfinished = folder / f".{name}"
        unfinished.write_text(manifest)
        unfinished.rename(target)

    def status(self) -> Status:
        """What is there now; never builds, never waits long."""
        recorded = state.load(self.layout.state_file)
        built = binaries.cached()
        problems = self._problems(recorded, built)
        registry = f"{recorded.addresses.hub}:{REGISTRY_PORT}" if recorded else ""
        count = recorded.nodes if recorded else 0
        return Status(
            name=self.name,
            provider="local",
            up=not problems,
            kubeconfig=str(self.layout.kubeconfig),
            kubectl=str(built.path("kubectl")) if built else "",
            helm=str(built.path("helm")) if built else "",
            registry=registry,
            registryName=REGISTRY_NAME,
            nodes=[node_name(index) for index in range(1, count + 1)],
            problems=problems,
        )

    def _problems(
        self, recorded: state.ClusterState | None, built: binaries.Binaries | None
    ) -> list[str]:
        if recorded is None:
            return ["not created"]
        if built is None:
            return ["the pinned binaries are not built"]
        boot = self._boot(recorded, built)
        wanted = [*boot.holders(), *(one.name for one in boot.components())]
        problems = [f"{name} does not run" for name in wanted if not self._processes.running(name)]
        if not recorded.complete:
            problems.append("its creation was interrupted")
        if not problems:
            ready = ApiClient(self.layout, recorded.addresses).ready_nodes()
            problems = [f"{name} is not Ready" for name in boot.node_names if name not in ready]
        return problems
