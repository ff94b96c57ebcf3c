"""What the cluster's components are told."""

import tomllib
from ipaddress import IPv4Network
from pathlib import Path

from tools.cluster.local import addresses, api, hub, node, pki
from tools.cluster.naming import REGISTRY_NAME

CHOSEN = addresses.Addresses(IPv4Network("10.99.0.0/16"))


def test_containerd_finds_the_registry_by_its_stable_name() -> None:
    """The same reference works on every machine, because a node's hosts.toml resolves it."""
    config = tomllib.loads(node.containerd_config())
    images = config["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"].startswith(f"{REGISTRY_NAME}/")
    hosts = tomllib.loads(node.hosts_config(CHOSEN))
    assert hosts["server"] == f"http://{CHOSEN.hub}:5000"
    assert list(hosts["host"]) == [hosts["server"]]


def test_the_kubelet_serves_nobody_unknown() -> None:
    """Logs and exec need a client that the API server vouches for."""
    config = node.kubelet_config("quorate-0123abcd", 1, CHOSEN)
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"


def test_kube_proxy_leaves_kernel_wide_limits_alone() -> None:
    """The conntrack table's size is the host's, not the cluster's."""
    assert node.proxy_config(1, CHOSEN)["conntrack"]["maxPerCore"] == 0


def test_names_outside_the_cluster_are_answered_at_once() -> None:
    """An unknown name is NXDOMAIN from a block of its own, never a timeout."""
    blocks = hub.corefile(CHOSEN, Path("/config")).split("\n}\n")
    catching = [block for block in blocks if block.startswith(". {")]
    assert len(catching) == 1
    assert "rcode NXDOMAIN" in catching[0]
    assert "kubernetes {" not in catching[0]


def test_every_component_has_a_certificate_of_its_own() -> None:
    """Each identity that RBAC and NodeRestriction know by name is issued once."""
    subjects = [leaf.subject for leaf in pki.leaves(CHOSEN, 2)]
    assert len(set(subjects)) == len(subjects)
    assert "/O=system:nodes/CN=system:node:node-2" in subjects


def test_the_api_server_is_named_by_every_address_it_answers_at() -> None:
    """Clients on the host, in pods and by DNS verify the same certificate."""
    serving = next(leaf for leaf in pki.leaves(CHOSEN, 1) if leaf.name == "apiserver")
    names = set(serving.alternative_names)
    assert {f"IP:{CHOSEN.hub}", f"IP:{CHOSEN.kubernetes_service}"} <= names
    assert "DNS:kubernetes.default.svc.cluster.local" in names


def test_a_dns_question_is_well_formed() -> None:
    """One question, recursion desired, type A, class IN (RFC 1035)."""
    question = api.dns_query("a.bc")
    assert question[4:6] == b"\x00\x01"
    assert question[12:] == b"\x01a\x02bc\x00\x00\x01\x00\x01"
