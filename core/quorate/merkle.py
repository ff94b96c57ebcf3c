"""Inclusion in a Merkle tree as RFC 9162 (Certificate Transparency 2.0) hashes it, section 2.1."""

import hashlib
from collections.abc import Sequence

LEAVES_MAX = 2**20


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; at least one."""
    level = list(leaves)
    while len(level) > 1:
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        # An odd one out moves up: the same tree as splitting at the largest power of two.
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def path_of(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The inclusion path of leaf ``index``, from the bottom."""
    level, path = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
        index //= 2
    return tuple(path)


def includes(root: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    """Whether ``path`` leads from ``leaf``, number ``index`` of ``size``, to ``root`` (2.1.3.2)."""
    if not 0 <= index < size <= LEAVES_MAX:
        return False
    position, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position % 2 or position == last:
            hashed = _node(sibling, hashed)
            while position and not position % 2:
                position //= 2
                last //= 2
        else:
            hashed = _node(hashed, sibling)
        position //= 2
        last //= 2
    return last == 0 and hashed == root
