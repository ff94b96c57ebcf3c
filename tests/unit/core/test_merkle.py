"""Merkle inclusion, against RFC 9162's own definitions written out a second time."""

import hashlib

import pytest

from quorate import merkle


def mth(entries: list[bytes]) -> bytes:
    """Section 2.1.1, by recursion on the largest power of two: the other way to write the tree."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1 << ((len(entries) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """Section 2.1.3.1, likewise."""
    if len(entries) == 1:
        return []
    k = 1 << ((len(entries) - 1).bit_length() - 1)
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def entries_of(count: int) -> list[bytes]:
    """``count`` different entries."""
    return [b"entry %d" % number for number in range(count)]


# The seven entries of the example in RFC 9162 section 2.1.5, with leaves and nodes hashed by hand.
EXAMPLE = [b"L1", b"L2", b"L3", b"L4", b"L5", b"L6", b"L7"]


def test_the_tree_of_the_rfcs_example() -> None:
    """Section 2.1.5's picture: the root over a..j joined as drawn, and the paths it lists."""
    leaf = [hashlib.sha256(b"\x00" + data).digest() for data in EXAMPLE]
    a, b, c, d, e, f, j = leaf

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    g, h, i = node(a, b), node(c, d), node(e, f)
    k, el = node(g, h), node(i, j)
    assert merkle.root_of(leaf) == node(k, el)
    assert merkle.path_of(leaf, 0) == (b, h, el)
    assert merkle.path_of(leaf, 3) == (c, g, el)
    assert merkle.path_of(leaf, 4) == (f, j, k)
    assert merkle.path_of(leaf, 6) == (i, k)


def test_a_single_leaf_is_hashed_with_its_tag() -> None:
    """The hash of one empty entry is a published constant."""
    empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"").hex() == empty
    assert merkle.root_of([merkle.leaf_hash(b"")]).hex() == empty


@pytest.mark.parametrize("size", range(1, 34))
def test_roots_and_paths_are_the_rfcs(size: int) -> None:
    """Every size up to 33, every leaf: the same root and path as the recursive definition, and the
    verifier accepts it."""
    entries = entries_of(size)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    root = merkle.root_of(leaves)
    assert root == mth(entries)
    for index, leaf in enumerate(leaves):
        shown = merkle.path_of(leaves, index)
        assert list(shown) == path(index, entries)
        assert merkle.includes(root, leaf, index, size, shown)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 12])
def test_any_other_place_is_refused(size: int) -> None:
    """A leaf is included at its own number in its own size only, and only with its own path; where
    two sizes have the same path for a number, the root tells them apart."""
    leaves = [merkle.leaf_hash(entry) for entry in entries_of(size)]
    root = merkle.root_of(leaves)
    for index, leaf in enumerate(leaves):
        shown = merkle.path_of(leaves, index)
        for other in range(-1, size + 3):
            found = merkle.includes(root, leaf, other, size, shown)
            assert found == (other == index)
        longer, shorter = (*shown, bytes(32)), shown[:-1]
        assert not merkle.includes(root, leaf, index, size, longer)
        assert not shown or not merkle.includes(root, leaf, index, size, shorter)
        assert not merkle.includes(root, merkle.leaf_hash(b"other"), index, size, shown)
        assert not merkle.includes(bytes(32), leaf, index, size, shown)
        for at in range(len(shown)):
            bent = (*shown[:at], bytes(32), *shown[at + 1 :])
            assert not merkle.includes(root, leaf, index, size, bent)


def test_a_size_that_fits_the_path_only_at_another_depth_is_refused() -> None:
    """The last leaf of a full tree is not the last of a larger one."""
    leaves = [merkle.leaf_hash(entry) for entry in entries_of(4)]
    root = merkle.root_of(leaves)
    shown = merkle.path_of(leaves, 3)
    sizes = [size for size in range(10) if merkle.includes(root, leaves[3], 3, size, shown)]
    assert sizes == [4]


def test_a_node_is_no_leaf() -> None:
    """The tags keep an inner node from being shown as an entry: no second preimage."""
    leaves = [merkle.leaf_hash(entry) for entry in entries_of(4)]
    root = merkle.root_of(leaves)
    inner = merkle.root_of(leaves[:2])
    joined = leaves[0] + leaves[1]
    assert merkle.leaf_hash(joined) != inner
    assert not merkle.includes(root, merkle.leaf_hash(joined), 0, 2, (merkle.root_of(leaves[2:]),))


def test_sizes_are_bounded() -> None:
    """Numbers beyond LEAVES_MAX are no place in a tree."""
    leaf = merkle.leaf_hash(b"")
    assert not merkle.includes(leaf, leaf, 0, merkle.LEAVES_MAX + 1, ())
    assert not merkle.includes(leaf, leaf, 0, 0, ())
