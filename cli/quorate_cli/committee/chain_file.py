"""A committee's chain in a file: it proves itself from the genesis on, offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.consensus import history as histories
from quorate.consensus.epoch import Epoch, EpochRecord
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import InvalidInput
from quorate.genesis import parse_genesis
from quorate.statements import convert
from quorate_cli.files import read_file, write_file

CHAIN_BYTES: Final = 64 * limits.MIB
RECORDS_MAX: Final = 65_536
"""As many as a member keeps."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Also what ``GET /v1/genesis`` answers."""

    genesis: EpochRecord
    chain: Annotated[tuple[CertifiedRecord, ...], msgspec.Meta(max_length=RECORDS_MAX)] = ()
    ca_certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """The pinned epoch, and the records after it; nothing of them is verified by being here."""

    genesis: Epoch
    records: Sequence[CertifiedRecord] = ()

    def history(self) -> History:
        """All of it, verified. Raises as :func:`quorate.consensus.history.follow`."""
        return histories.follow(histories.begin(self.genesis), self.records, KeySignatures())

    def epochs(self) -> list[Epoch]:
        """Every epoch of it, long past ones too. Raises as :meth:`history`."""
        history, signatures = histories.begin(self.genesis), KeySignatures()
        found = [self.genesis]
        for certified in self.records:
            history = histories.extend(history, certified, signatures)
            found.append(history.head)
        return found


def load(path: Path, digest: str | None) -> Chain:
    """Read a chain; its genesis must have ``digest``, if one is pinned. Raises InvalidInput naming
    the file, SubjectMismatch."""
    try:
        document = parse_object(read_file(path, CHAIN_BYTES), bytes_max=CHAIN_BYTES, what="chain")
        if "clusterId" in document:
            # The genesis itself, as it is kept in the cluster.
            document = {"genesis": document}
        file = convert(document, _File, "chain")
        genesis = parse_genesis(canonical(msgspec.to_builtins(file.genesis)), digest)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=str(path)) from None
    return Chain(genesis, file.chain)


def save(path: Path, chain: Chain) -> None:
    """Write it, for :func:`load`."""
    file = {
        "genesis": msgspec.to_builtins(chain.genesis.record),
        "chain": msgspec.to_builtins(tuple(chain.records)),
    }
    write_file(path, canonical(file))
