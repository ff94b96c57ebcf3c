"""Addresses and names of clusters: derived, never shared."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cluster import naming
from tools.cluster.errors import ClusterError
from tools.cluster.local import addresses, network

CHOSEN = addresses.Addresses(IPv4Network("10.99.0.0/16"))


def test_two_checkouts_have_two_names(tmp_path: Path) -> None:
    """The name follows from the absolute path, and differs between checkouts."""
    one, two = tmp_path / "a", tmp_path / "b"
    assert naming.cluster_name(one) == naming.cluster_name(tmp_path / "b" / ".." / "a")
    assert naming.cluster_name(one) != naming.cluster_name(two)


def test_the_host_interface_fits_the_kernels_limit(tmp_path: Path) -> None:
    """An interface's name has at most 15 characters."""
    assert len(naming.host_interface(naming.cluster_name(tmp_path))) <= 15


@given(st.text(max_size=40))
def test_the_first_free_candidate_is_stable(name: str) -> None:
    """The same name chooses the same network as long as it is free."""
    assert addresses.choose(name, []) == addresses.choose(name, [IPv4Network("192.0.2.0/24")])


@given(st.text(max_size=40), st.sets(st.integers(0, 255), max_size=60))
def test_a_network_in_use_is_never_chosen(name: str, octets: set[int]) -> None:
    """The choice overlaps nothing that is routed, not even a small part of it."""
    taken = [IPv4Network(f"10.{octet}.7.0/30") for octet in sorted(octets)]
    chosen = addresses.choose(name, taken).network
    assert not any(chosen.overlaps(network) for network in taken)


def test_no_free_network_is_an_error_not_a_clash() -> None:
    """With all of 10.0.0.0/8 routed there is no cluster."""
    with pytest.raises(ClusterError, match="no free /16"):
        addresses.choose("any", [IPv4Network("10.0.0.0/8")])


def test_ranges_of_one_cluster_do_not_overlap() -> None:
    """Machines, Services and every node's pods have ranges of their own inside the /16."""
    pods = [CHOSEN.pods_of(index) for index in range(1, addresses.MAX_NODES + 1)]
    ranges = [CHOSEN.machines, CHOSEN.services, *pods]
    assert all(one.subnet_of(CHOSEN.network) for one in ranges)
    assert all(one.subnet_of(CHOSEN.pods) for one in pods)
    pairs = [(one, two) for one in ranges for two in ranges if one is not two]
    assert not any(one.overlaps(two) for one, two in pairs)
    nodes = {CHOSEN.node(index) for index in range(1, addresses.MAX_NODES + 1)}
    assert not nodes & {CHOSEN.hub, CHOSEN.host}


def test_routes_are_read_without_the_default_route() -> None:
    """The default route would make every network look taken."""
    text = '[{"dst":"default"},{"dst":"0.0.0.0/0"},{"dst":"10.70.0.0/16"},{"dst":"10.71.0.1"}]'
    wanted = [IPv4Network("10.70.0.0/16"), IPv4Network("10.71.0.1/32")]
    assert addresses.parse_routes(text) == wanted


def test_a_node_has_no_route_to_its_own_pods_through_itself() -> None:
    """Its pods are on its own veths; the others' pods are behind their nodes."""
    batch = network.node_batch(CHOSEN, 1, 3)
    assert f"{CHOSEN.pods_of(1)} via" not in batch
    assert f"route replace {CHOSEN.pods_of(2)} via {CHOSEN.node(2)}" in batch
    assert f"route replace {CHOSEN.pods_of(3)} via {CHOSEN.node(3)}" in batch


def test_links_between_nodes_and_hub_never_exist_on_the_host() -> None:
    """A crash while links are made leaves at most the one interface that `down` deletes."""
    name = "quorate-0123abcd"
    batch = network.host_batch(name, CHOSEN, 11, [22, 33])
    made = [line for line in batch.splitlines() if line.startswith("link add")]
    assert [line for line in made if " netns 11 type veth" not in line] == [
        f"link add {naming.host_interface(name)} type veth peer name host netns 11"
    ]
