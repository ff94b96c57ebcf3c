"""The provider ``kind``: the cluster as Docker containers.

Not run by this project's own CI, which has no Docker engine: the commands follow kind's
documentation (https://kind.sigs.k8s.io/docs/user/local-registry/).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from tools.cluster import binaries
from tools.cluster.command import run
from tools.cluster.errors import ClusterError, CommandFailed
from tools.cluster.flocks import locked
from tools.cluster.naming import REGISTRY_NAME, cluster_name
from tools.cluster.progress import say
from tools.cluster.provider import DEFAULT_NODES, Status
from tools.images import store
from tools.images.registry import Registry

_CREATE_SECONDS = 600
_LOCK_SECONDS = 900.0
_REGISTRY_IMAGE = "registry:3"
_MANIFESTS = "/etc/kubernetes/manifests"
_STOPPED = "/etc/kubernetes/stopped"


def state_base() -> Path:
    """Where kubeconfigs lie: QUORATE_STATE, or the user's state folder (no root is needed)."""
    chosen = os.environ.get("QUORATE_STATE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(base).absolute() / "quorate"


def with_workers(config: str, nodes: int) -> str:
    """The text of kind-config.yaml with workers appended; it ends with its list of nodes."""
    present = config.count("- role: worker")
    if nodes < present:
        raise ClusterError(f"kind-config.yaml already names {present} workers, more than {nodes}")
    return config.rstrip("\n") + "\n" + "  - role: worker\n" * (nodes - present)


class KindProvider:
    """One checkout's cluster in Docker."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self.name = cluster_name(checkout)
        self._state = state_base() / self.name
        self._kubeconfig = self._state / "kubeconfig"
        self._registry = f"{self.name}-registry"

    def up(self, nodes: int | None) -> None:
        """Create the cluster, or make it anew when it does not answer."""
        with locked(self._checkout, f"the cluster {self.name}", _LOCK_SECONDS):
            status = self.status()
            workers = len(status.nodes) - 1
            if status.up and nodes in (None, workers):
                say(f"cluster {self.name} is up")
                return
            self._remove()
            self._create(nodes or DEFAULT_NODES)
            say(f"cluster {self.name} is up: export KUBECONFIG={self._kubeconfig}")

    def _create(self, nodes: int) -> None:
        say(f"creating cluster {self.name} with {nodes} workers by kind")
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = with_workers((self._checkout / "kind-config.yaml").read_text(), nodes)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            config.write(text)
            config.flush()
            create = ["kind", "create", "cluster", "--name", self.name, "--config", config.name]
            create += ["--kubeconfig", str(self._kubeconfig), "--wait", "180s"]
            run(create, timeout_seconds=_CREATE_SECONDS)
        say("starting the registry")
        publish = ["--publish", "127.0.0.1::5000", "--network", "kind"]
        delete = ["--env", "REGISTRY_STORAGE_DELETE_ENABLED=true"]
        name = ["--name", self._registry]
        run(
            ["docker", "run", "--detach", *name, *publish, *delete, _REGISTRY_IMAGE],
            timeout_seconds=_CREATE_SECONDS,
        )
        for node in self._nodes():
            self._point_to_registry(node)

    def _point_to_registry(self, node: str) -> None:
        folder = f"/etc/containerd/certs.d/{REGISTRY_NAME}"
        server = f"http://{self._registry}:5000"
        hosts = f'server = "{server}"\n\n[host."{server}"]\ncapabilities = ["pull", "resolve"]\n'
        script = f"mkdir -p '{folder}' && cat > '{folder}/hosts.toml'"
        run(["docker", "exec", "--interactive", node, "sh", "-c", script], stdin=hosts)

    def _nodes(self) -> list[str]:
        return sorted(run(["kind", "get", "nodes", "--name", self.name]).split())

    def down(self) -> None:
        """Remove the cluster, its registry and its kubeconfig."""
        with locked(self._checkout, f"the cluster {self.name}", _LOCK_SECONDS):
            self._remove()
            say(f"cluster {self.name} removed")

    def _remove(self) -> None:
        kubeconfig = ["--kubeconfig", str(self._kubeconfig)]
        run(["kind", "delete", "cluster", "--name", self.name, *kubeconfig], timeout_seconds=300)
        if self._registry_exists():
            run(["docker", "rm", "--force", "--volumes", self._registry])
        if self._state.exists():
            shutil.rmtree(self._state)

    def _registry_exists(self) -> bool:
        listed = run(["docker", "ps", "--all", "--format", "{{.Names}}"])
        return self._registry in listed.split()

    def _push_address(self) -> str:
        try:
            return run(["docker", "port", self._registry, "5000/tcp"]).split()[0]
        except (CommandFailed, IndexError):
            return ""

    def load(self, digest: str, repository: str, tag: str) -> None:
        """Push a built image to the cluster's registry."""
        address = self._push_address()
        if not address:
            raise ClusterError("the cluster is not up: run `python -m tools.cluster up`")
        with Registry(address) as registry:
            registry.push(store.blob_store(), digest, repository, tag)

    def stop(self, component: str) -> None:
        """End a component of the control plane by taking its static pod's manifest away."""
        self._move_manifest(component, _MANIFESTS, _STOPPED)

    def start(self, component: str) -> None:
        """Put a static pod's manifest back and wait until the cluster is well."""
        self._move_manifest(component, _STOPPED, _MANIFESTS)
        ready = ["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s"]
        run([self._program("kubectl"), "--kubeconfig", self._kubeconfig, *ready])

    def static_pod(self, node: str, name: str, manifest: str | None) -> None:
        """Give a node's kubelet the manifest of a static pod, or with None take it away."""
        if "/" in name or node not in self._nodes():
            raise ClusterError(f"no node {node}, or {name} is no name")
        target = f"{_MANIFESTS}/{name}.json"
        if manifest is None:
            run(["docker", "exec", node, "rm", "-f", target])
            return
        # The kubelet reads whatever appears here, but for names that begin with a dot.
        unfinished = f"{_MANIFESTS}/.{name}"
        script = f"cat > {unfinished} && mv {unfinished} {target}"
        run(["docker", "exec", "--interactive", node, "sh", "-c", script], stdin=manifest)

    def _move_manifest(self, component: str, source: str, target: str) -> None:
        if "/" in component:
            raise ClusterError(f"no component {component}")
        script = f"mkdir -p {target} && mv {source}/{component}.yaml {target}/"
        run(["docker", "exec", f"{self.name}-control-plane", "sh", "-c", script])

    @staticmethod
    def _program(name: str) -> str:
        # kind's users need no Go: their own kubectl and Helm do where none was built.
        built = binaries.cached()
        found = str(built.path(name)) if built else shutil.which(name)
        if not found:
            raise ClusterError(f"{name} is neither built (tools.cluster binaries) nor on PATH")
        return found

    def status(self) -> Status:
        """What is there now."""
        problems: list[str] = []
        nodes = self._nodes() if self._kubeconfig.exists() else []
        if not nodes:
            problems.append("not created")
        elif not self._push_address():
            problems.append("the registry does not run")
        else:
            problems = self._unready()
        return Status(
            name=self.name,
            provider="kind",
            up=not problems,
            kubeconfig=str(self._kubeconfig),
            kubectl=self._program("kubectl"),
            helm=self._program("helm"),
            registry=self._push_address() if nodes else "",
            registryName=REGISTRY_NAME,
            nodes=nodes,
            problems=problems,
        )

    def _unready(self) -> list[str]:
        argv = [self._program("kubectl"), "--kubeconfig", str(self._kubeconfig)]
        try:
            text = run([*argv, "get", "nodes", "--output", "json"], timeout_seconds=15)
        except CommandFailed as failure:
            return [f"the API server does not answer: {failure}"]
        problems = []
        for node in json.loads(text)["items"]:
            conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
            if conditions.get("Ready") != "True":
                problems.append(f"{node['metadata']['name']} is not Ready")
        return problems
