"""Keys and certificates of a local cluster, made by the openssl command (no Python library)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.command import run
from tools.cluster.local.addresses import Addresses
from tools.cluster.local.state import write_atomically
from tools.cluster.naming import node_name

_DAYS = "3650"
API_PORT = 6443


@dataclass(frozen=True)
class Leaf:
    """A certificate to issue: who it names and where it serves."""

    name: str
    common_name: str
    organization: str = ""
    alternative_names: tuple[str, ...] = ()
    issuer: str = "ca"

    @property
    def subject(self) -> str:
        """The subject in openssl's notation."""
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"


def leaves(addresses: Addresses, nodes: int) -> list[Leaf]:
    """Every certificate below the two authorities of a cluster."""
    service = "kubernetes.default.svc"
    names = ("kubernetes", "kubernetes.default", service, f"{service}.cluster.local", "localhost")
    api = tuple(f"DNS:{name}" for name in names)
    api += tuple(f"IP:{ip}" for ip in (addresses.hub, addresses.kubernetes_service, "127.0.0.1"))
    hub = (f"IP:{addresses.hub}",)
    issued = [
        Leaf("apiserver", "kube-apiserver", alternative_names=api),
        Leaf("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Leaf("front-proxy", "front-proxy-client", issuer="front-proxy-ca"),
        Leaf("admin", "quorate-admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager", alternative_names=hub),
        Leaf("scheduler", "system:kube-scheduler", alternative_names=hub),
        Leaf("kube-proxy", "system:kube-proxy"),
        Leaf("coredns", "system:coredns"),
    ]
    for index in range(1, nodes + 1):
        node = node_name(index)
        serving = (f"DNS:{node}", f"IP:{addresses.node(index)}")
        issued.append(Leaf(node, f"system:node:{node}", "system:nodes", serving))
    return issued


def _extensions(leaf: Leaf | None) -> str:
    head = "[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n"
    if leaf is None:
        return head + "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    text = head + "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth,serverAuth\n"
    if leaf.alternative_names:
        text += f"subjectAltName={','.join(leaf.alternative_names)}\n"
    return text


def _issue(folder: Path, name: str, subject: str, extensions: str, issuer: str | None) -> None:
    config = folder / f"{name}.cnf"
    config.write_text(extensions)
    argv: list[str | Path] = ["openssl", "req", "-x509", "-config", config, "-subj", subject]
    argv += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
    argv += ["-days", _DAYS, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"]
    if issuer is not None:
        argv += ["-CA", folder / f"{issuer}.crt", "-CAkey", folder / f"{issuer}.key"]
    run(argv)
    config.unlink()


def create(folder: Path, addresses: Addresses, nodes: int) -> None:
    """Make all keys and certificates of a new cluster."""
    for authority in ("ca", "front-proxy-ca"):
        _issue(folder, authority, f"/CN=quorate-{authority}", _extensions(None), None)
    for leaf in leaves(addresses, nodes):
        _issue(folder, leaf.name, leaf.subject, _extensions(leaf), leaf.issuer)
    # RS256 is the signature of service account tokens that every client library can check.
    run(["openssl", "genrsa", "-out", folder / "service-account.key", "2048"])


def kubeconfig(folder: Path, leaf: str, server: str, context: str) -> str:
    """A kubeconfig as JSON (which is YAML too) that holds its keys itself."""

    def embedded(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    credentials = {
        "client-certificate-data": embedded(f"{leaf}.crt"),
        "client-key-data": embedded(f"{leaf}.key"),
    }
    cluster = {"server": server, "certificate-authority-data": embedded("ca.crt")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": leaf, "user": credentials}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": leaf}}],
    }
    return json.dumps(document, indent=1)


def write_kubeconfig(
    path: Path, folder: Path, leaf: str, addresses: Addresses, context: str
) -> None:
    """Write a kubeconfig for the identity of a leaf certificate."""
    server = f"https://{addresses.hub}:{API_PORT}"
    write_atomically(path, kubeconfig(folder, leaf, server, context))
