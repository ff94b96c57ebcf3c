"""A release of what judges go by: one list of artefacts by digest, trusted as a whole.

It is trusted because its own digest was pinned (by an argument of the member, which the epoch's
record covers through ``Seat.judges``), or because enough of the administrators signed it. Nothing
else changes a threshold, a table, a baseline or a model: no traffic, and no answer of anybody.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import PublicKey
from quorate.statements import DigestText, Identifier, convert

VERSION: Final = 1
RELEASE_TYPE: Final = "application/vnd.quorate.judges.v1alpha1+json"
RELEASE_BYTES: Final = 64 * limits.KIB
ARTEFACT_BYTES: Final = 2 * limits.MIB
ARTEFACTS_MAX: Final = 32
FILE_NAME: Final = "release.json"
BUILT_IN: Final = Path(__file__).parent / "artefacts"
"""The release that comes with this program."""

_FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]*\.(json|npz)\Z", max_length=63)]


class Artefact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file. ``judge`` is whose it is."""

    judge: Identifier
    file: _FileName
    digest: DigestText


class ReleaseList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release says: its artefacts, each judge's once."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    artefacts: Annotated[tuple[Artefact, ...], msgspec.Meta(max_length=ARTEFACTS_MAX)]


@dataclass(frozen=True, slots=True)
class Release:
    """A trusted release, with the bytes of its artefacts by judge."""

    digest: str
    _artefacts: dict[str, tuple[Artefact, bytes]]

    def artefact(self, judge: str) -> tuple[str, bytes]:
        """Digest and bytes of what ``judge`` goes by. Raises InvalidInput if there is nothing."""
        found = self._artefacts.get(judge)
        if found is None:
            raise InvalidInput(f"has nothing for the judge {judge}", field="release")
        return found[0].digest, found[1]

    def document(self, judge: str) -> tuple[str, dict[str, Any]]:
        """Digest and JSON object of what ``judge`` goes by."""
        digest, data = self.artefact(judge)
        return digest, parse_object(data, bytes_max=ARTEFACT_BYTES, what=f"artefact of {judge}")


def encode(listed: ReleaseList) -> bytes:
    """The canonical form, which is pinned or signed."""
    return canonical(msgspec.to_builtins(listed))


def open_pinned(directory: Path, digest: str) -> Release:
    """Open the release in ``directory`` if its list has this digest (``sha256:<hex>``).

    Raises SubjectMismatch for any other bytes, of the list or of an artefact; InvalidInput.
    """
    data = _read(directory / FILE_NAME, RELEASE_BYTES)
    if digest_of_bytes(data) != digest:
        raise SubjectMismatch(
            f"the release has digest {digest_of_bytes(data)}, not the pinned {digest}"
        )
    return _open(directory, data)


def open_built_in() -> Release:
    """Open the release that came with this program: it is trusted as the program is."""
    return open_pinned(BUILT_IN, digest_of_bytes(_read(BUILT_IN / FILE_NAME, RELEASE_BYTES)))


def open_signed(
    directory: Path, envelope: bytes, keys: Iterable[PublicKey], needed: int
) -> Release:
    """Open the release in ``directory`` if ``needed`` of ``keys`` signed its list.

    Raises SignatureError if too few did, and what :func:`open_pinned` raises.
    """
    parsed = dsse.parse(envelope)
    data = dsse.verify(parsed, keys, needed, RELEASE_TYPE).payload
    return _open(directory, data)


def _open(directory: Path, data: bytes) -> Release:
    document = parse_object(data, bytes_max=RELEASE_BYTES, what="release")
    listed = convert(document, ReleaseList, "release")
    if encode(listed) != data:
        raise InvalidInput("is not in its canonical form", field="release")
    artefacts: dict[str, tuple[Artefact, bytes]] = {}
    for artefact in listed.artefacts:
        if artefact.judge in artefacts:
            raise InvalidInput(f"names {artefact.judge} twice", field="release.artefacts")
        content = _read(directory / artefact.file, ARTEFACT_BYTES)
        actual = digest_of_bytes(content)
        if actual != artefact.digest:
            raise SubjectMismatch(
                f"{artefact.file} has digest {actual}; the release says {artefact.digest}"
            )
        artefacts[artefact.judge] = (artefact, content)
    return Release(digest_of_bytes(data), artefacts)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=path.name) from None
    if len(data) > bytes_max:
        raise InvalidInput(f"has more than {bytes_max} bytes", field=path.name)
    return data


def digest_of_bytes(data: bytes) -> str:
    """``sha256:<hex>`` of the bytes of a file."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
