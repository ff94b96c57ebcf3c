"""A node's components: containerd, kubelet, kube-proxy, and the files they read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tools.cluster.binaries import Binaries
from tools.cluster.local import pki
from tools.cluster.local.addresses import Addresses
from tools.cluster.local.hub import CLUSTER_DOMAIN
from tools.cluster.local.layout import NODE_BINARIES, NODE_CONFIG, NODE_STATIC_PODS, Layout
from tools.cluster.local.processes import Component
from tools.cluster.naming import IMAGE_PREFIX, REGISTRY_NAME, REGISTRY_PORT, node_name

_NAMESPACE_SCRIPT = Path(__file__).parent / "node-namespace.sh"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
_CNI_PLUGINS = "/usr/lib/cni"
PAUSE_IMAGE = f"{IMAGE_PREFIX}/pause:dev"
KUBELET_HEALTH_PORT = 10248
PROXY_HEALTH_PORT = 10256


def holder(node: str, layout: Layout, binaries: Binaries) -> Component:
    """The process that keeps a node's namespaces."""
    unshare = ("unshare", "--net", "--mount", "--propagation", "slave")
    script = ("/bin/sh", str(_NAMESPACE_SCRIPT), str(layout.node(node)), str(binaries.folder))
    return Component(node, (*unshare, *script))


def write_config(cluster: str, index: int, layout: Layout, addresses: Addresses) -> None:
    """Write everything the node reads below NODE_CONFIG."""
    node = node_name(index)
    folder = layout.node_config(node)
    hosts = folder / "certs.d" / REGISTRY_NAME / "hosts.toml"
    for parent in (folder / "cni", hosts.parent, layout.static_pods(node)):
        parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(layout.pki / "ca.crt", folder / "ca.crt")
    for suffix in ("crt", "key"):
        shutil.copy(layout.pki / f"{node}.{suffix}", folder / f"kubelet.{suffix}")
    for leaf, file in ((node, "kubelet"), ("kube-proxy", "kube-proxy")):
        path = folder / f"{file}.kubeconfig"
        pki.write_kubeconfig(path, layout.pki, leaf, addresses, cluster)
    documents = {
        "kubelet.json": kubelet_config(cluster, index, addresses),
        "kube-proxy.json": proxy_config(index, addresses),
        "cni/10-quorate.conflist": cni_config(index, addresses),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1))
    (folder / "resolv.conf").write_text(f"nameserver {addresses.hub}\n")
    (folder / "containerd.toml").write_text(containerd_config())
    hosts.write_text(hosts_config(addresses))


def containerd_config() -> str:
    """containerd's configuration; all paths are the node's own."""
    return f"""\
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "{CONTAINERD_SOCKET}"

[debug]
level = "warn"

[plugins.'io.containerd.internal.v1.opt']
path = "/var/lib/containerd/opt"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.images'.registry]
config_path = "{NODE_CONFIG}/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
# Without CAP_SYS_RESOURCE (a machine that is itself confined) no container could lower its
# score, and every sandbox would die in runc.
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{_CNI_PLUGINS}"]
conf_dir = "{NODE_CONFIG}/cni"
use_internal_loopback = true

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "runc"
SystemdCgroup = false
"""


def hosts_config(addresses: Addresses) -> str:
    """Where containerd finds the registry's stable name."""
    server = f"http://{addresses.hub}:{REGISTRY_PORT}"
    return f"""\
server = "{server}"

[host."{server}"]
capabilities = ["pull", "resolve"]
"""


def cni_config(index: int, addresses: Addresses) -> dict[str, Any]:
    """A routed veth per pod, addresses from the node's own range, host ports."""
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni/networks",
        "ranges": [[{"subnet": str(addresses.pods_of(index))}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "1.0.0", "name": "quorate", "plugins": plugins}


def kubelet_config(cluster: str, index: int, addresses: Addresses) -> dict[str, Any]:
    """The kubelet's configuration."""
    etc = str(NODE_CONFIG)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(addresses.node(index)),
        "healthzBindAddress": str(addresses.node(index)),
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{etc}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{etc}/kubelet.crt",
        "tlsPrivateKeyFile": f"{etc}/kubelet.key",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster}/{node_name(index)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "staticPodPath": str(NODE_STATIC_PODS),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [str(addresses.hub)],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{etc}/resolv.conf",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "serializeImagePulls": False,
        "maxParallelImagePulls": 4,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
        # The machine's disk is shared with everything else on it: only a full one evicts.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "logging": {"verbosity": 1},
    }


def proxy_config(index: int, addresses: Addresses) -> dict[str, Any]:
    """kube-proxy's configuration: nftables, and no write to kernel-wide conntrack limits."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        # Tests wait for this; the default of one second is for clusters with many Services.
        "nftables": {"minSyncPeriod": "100ms"},
        "hostnameOverride": node_name(index),
        "bindAddress": str(addresses.node(index)),
        "healthzBindAddress": f"{addresses.node(index)}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{addresses.node(index)}:10249",
        "clientConnection": {"kubeconfig": f"{NODE_CONFIG}/kube-proxy.kubeconfig"},
        "clusterCIDR": str(addresses.pods),
        "detectLocalMode": "ClusterCIDR",
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def components(index: int, addresses: Addresses, binaries: Binaries) -> list[Component]:
    """The node's programs in the order of their start."""
    node = node_name(index)

    def program(name: str) -> str:
        return str(NODE_BINARIES / binaries.path(name).relative_to(binaries.folder))

    containerd = program("containerd")
    kubelet = (
        program("kubelet"),
        f"--config={NODE_CONFIG}/kubelet.json",
        f"--kubeconfig={NODE_CONFIG}/kubelet.kubeconfig",
        f"--hostname-override={node}",
        f"--node-ip={addresses.node(index)}",
        "--root-dir=/var/lib/kubelet",
    )
    proxy = (program("kube-proxy"), f"--config={NODE_CONFIG}/kube-proxy.json", "--v=1")
    return [
        Component(
            f"{node}-containerd",
            (containerd, f"--config={NODE_CONFIG}/containerd.toml"),
            inside=node,
            # containerd looks its shim up in PATH.
            path=str(Path(containerd).parent),
        ),
        Component(f"{node}-kubelet", kubelet, inside=node),
        Component(f"{node}-kube-proxy", proxy, inside=node),
    ]
