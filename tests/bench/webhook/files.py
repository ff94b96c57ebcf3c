"""The files a webhook is started with, as the chart mounts them."""

import json
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from quorate.genesis import encode
from tests.unit.admission.world import World


def write_installation(directory: Path, world: World) -> None:
    """Write genesis.json, digest and injection.json."""
    genesis = world.committee.genesis
    (directory / "genesis.json").write_bytes(encode(genesis))
    (directory / "digest").write_text(genesis.digest_text + "\n")
    document: dict[str, Any] = to_builtins(world.snapshot.injection)
    # The webhook adds the digest of the genesis it mounts.
    del document["genesisDigest"]
    (directory / "injection.json").write_text(json.dumps(document))
