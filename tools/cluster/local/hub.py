"""The control plane's components: etcd, API server, controllers, scheduler, DNS, registry."""

from __future__ import annotations

import json
from pathlib import Path

from tools.cluster.binaries import Binaries
from tools.cluster.local import pki
from tools.cluster.local.addresses import Addresses
from tools.cluster.local.layout import Layout
from tools.cluster.local.processes import Component
from tools.cluster.naming import REGISTRY_HOST, REGISTRY_PORT

HUB = "hub"
READY_MARK = ".ready"
CLUSTER_DOMAIN = "cluster.local"
DNS_READY_PORT = 8181
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
_ISSUER = f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}"
_ETCD_URL = "http://127.0.0.1:2379"
_CONTROLLER_IDENTITIES = ("controller-manager", "scheduler", "coredns")


def holder(layout: Layout) -> Component:
    """The process that keeps the hub's namespaces; etcd's data lies in memory there."""
    # Nothing of the cluster outlives `down`, so nothing is worth an fsync on a slow disk.
    script = 'mount -t tmpfs -o mode=0700 tmpfs "$1" && : > "$1/$2" && exec sleep infinity'
    etcd = str(layout.data / "etcd")
    unshare = ("unshare", "--net", "--mount", "--propagation", "slave")
    return Component(HUB, (*unshare, "/bin/sh", "-c", script, "sh", etcd, READY_MARK))


def write_config(layout: Layout, addresses: Addresses, context: str) -> None:
    """Write the files that the components read."""
    for folder in ("etcd", "registry"):
        (layout.data / folder).mkdir(mode=0o700, exist_ok=True)
    for identity in _CONTROLLER_IDENTITIES:
        path = layout.config / f"{identity}.kubeconfig"
        pki.write_kubeconfig(path, layout.pki, identity, addresses, context)
    pki.write_kubeconfig(layout.kubeconfig, layout.pki, "admin", addresses, context)
    (layout.config / "Corefile").write_text(corefile(addresses, layout.config))
    (layout.config / "registry.yml").write_text(registry_config(addresses, layout.data))


def corefile(addresses: Addresses, config: Path) -> str:
    """The DNS server's configuration: cluster names, the registry's name, nothing else."""
    # Three server blocks, because plugins run in CoreDNS's own order, not in the file's: in one
    # block `template` would answer before `kubernetes` is asked.
    return f"""\
{CLUSTER_DOMAIN} in-addr.arpa {{
    bind {addresses.hub}
    errors
    ready {addresses.hub}:{DNS_READY_PORT}
    kubernetes {{
        kubeconfig {config}/coredns.kubeconfig
        pods insecure
        ttl 5
    }}
}}
{REGISTRY_HOST} {{
    bind {addresses.hub}
    errors
    hosts /dev/null {{
        {addresses.hub} {REGISTRY_HOST}
        ttl 30
        reload 0
    }}
}}
. {{
    bind {addresses.hub}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def registry_config(addresses: Addresses, data: Path) -> str:
    """The registry's configuration (JSON is YAML too)."""
    document = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(data / "registry")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"{addresses.hub}:{REGISTRY_PORT}"},
    }
    return json.dumps(document, indent=1)


def etcd(layout: Layout) -> Component:
    """etcd on the hub's own loopback, without fsync."""
    argv = (
        "etcd",
        f"--data-dir={layout.data / 'etcd'}",
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    )
    return Component("etcd", argv, inside=HUB)


def api_server(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """The API server with the admission plugins that are on by default, and NodeRestriction."""
    keys = layout.pki
    argv = (
        str(binaries.path("kube-apiserver")),
        f"--etcd-servers={_ETCD_URL}",
        f"--bind-address={addresses.hub}",
        f"--advertise-address={addresses.hub}",
        f"--secure-port={pki.API_PORT}",
        f"--service-cluster-ip-range={addresses.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # A webhook Service is dialled at its endpoints: the hub has no kube-proxy.
        "--enable-aggregator-routing=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--client-ca-file={keys}/ca.crt",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet.key",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={keys}/service-account.key",
        f"--service-account-signing-key-file={keys}/service-account.key",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys}/front-proxy.crt",
        f"--proxy-client-key-file={keys}/front-proxy.key",
        "--shutdown-delay-duration=0s",
        "--v=1",
    )
    return Component("kube-apiserver", argv, inside=HUB)


def controller_manager(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """All controllers, each with its own service account; alone, so without leader election."""
    config = layout.config / "controller-manager.kubeconfig"
    argv = (
        str(binaries.path("kube-controller-manager")),
        f"--bind-address={addresses.hub}",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--tls-cert-file={layout.pki}/controller-manager.crt",
        f"--tls-private-key-file={layout.pki}/controller-manager.key",
        f"--client-ca-file={layout.pki}/ca.crt",
        f"--root-ca-file={layout.pki}/ca.crt",
        f"--service-account-private-key-file={layout.pki}/service-account.key",
        f"--cluster-signing-cert-file={layout.pki}/ca.crt",
        f"--cluster-signing-key-file={layout.pki}/ca.key",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
        "--v=1",
    )
    return Component("kube-controller-manager", argv, inside=HUB)


def scheduler(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """The scheduler; alone, so without leader election."""
    config = layout.config / "scheduler.kubeconfig"
    argv = (
        str(binaries.path("kube-scheduler")),
        f"--bind-address={addresses.hub}",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--tls-cert-file={layout.pki}/scheduler.crt",
        f"--tls-private-key-file={layout.pki}/scheduler.key",
        f"--client-ca-file={layout.pki}/ca.crt",
        "--leader-elect=false",
        "--v=1",
    )
    return Component("kube-scheduler", argv, inside=HUB)


def dns(layout: Layout, binaries: Binaries) -> Component:
    """CoreDNS beside the API server: pods ask its address, so DNS needs no pod and no proxy."""
    argv = (str(binaries.path("coredns")), "-conf", str(layout.config / "Corefile"))
    return Component("coredns", argv, inside=HUB)


def registry(layout: Layout, binaries: Binaries) -> Component:
    """The image registry; plain HTTP, reachable only from this machine and its pods."""
    argv = (str(binaries.path("registry")), "serve", str(layout.config / "registry.yml"))
    return Component("registry", argv, inside=HUB, env={"OTEL_TRACES_EXPORTER": "none"})
