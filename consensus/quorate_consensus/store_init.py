"""``init``: makes the vote store of a new member, once, by somebody's explicit word.

A member never makes its own: one whose volume was lost would begin anew under the same key, and
say the opposite of what it said.
"""

import argparse
import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate_consensus import chain_peers, voting_settings
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.small_file import KEY_FILE_BYTES, read_file
from quorate_consensus.vote_key import is_seated, load_vote_key
from quorate_consensus.votes import store
from quorate_consensus.votes.store import Owner

COMMAND: Final = "init"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InitSettings:
    """Whose store to make, and where."""

    genesis: Path
    key: Path
    store: Path
    epochs: Path | None
    members_url: str = ""
    """Where the other members are; empty if nothing is to be learnt from them."""


def parse(arguments: Sequence[str]) -> InitSettings:
    """Read the command line after the command's name; argparse exits for errors."""
    parser = argparse.ArgumentParser(
        prog=f"python3 -m quorate_consensus {COMMAND}",
        description="Make the vote store of a new member, once.",
    )
    for option, text, metavar in (
        ("--genesis", "genesis document", "FILE"),
        ("--key", "identity key: PEM, Ed25519", "FILE"),
        ("--store", "directory of the store; empty, or with one of an earlier key", "DIR"),
    ):
        parser.add_argument(option, help=text, type=Path, required=True, metavar=metavar)
    parser.add_argument("--epochs", type=Path, metavar="DIR", help="epochs after number 0, if any")
    voting_settings.add_members_url(parser)
    found = parser.parse_args(arguments)
    members_url = voting_settings.members_url(found)
    return InitSettings(found.genesis, found.key, found.store, found.epochs, members_url)


def init(settings: InitSettings) -> None:
    """Make the store. Raises QuorateError if a file cannot be used, or there is a store."""
    genesis = parse_genesis(read_file(settings.genesis, GENESIS_BYTES_MAX))
    epochs = Epochs(genesis, ChainFiles(settings.epochs) if settings.epochs is not None else None)
    pem = read_file(settings.key, KEY_FILE_BYTES)
    if not is_seated(pem, epochs.head):
        # One that replaces another is in no epoch that it was told of.
        seated = partial(_is_seated, pem, epochs)
        asyncio.run(chain_peers.begin(settings.members_url, epochs, seated))
    identity = load_vote_key(pem, epochs.head)
    key_id = identity.signer.public_key.key_id
    owner = Owner(identity.seat.name, key_id, genesis.digest_text)
    made = store.init(settings.store, owner)
    what = "made" if made else "taken over from an earlier key, with what is in it,"
    log.info("the vote store of %s was %s in %s", owner.member, what, settings.store)


def _is_seated(pem: bytes, epochs: Epochs) -> bool:
    return is_seated(pem, epochs.head)
