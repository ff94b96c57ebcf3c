"""The release: nothing a judge goes by is believed but by digest or by enough signatures."""

import json
import shutil
from pathlib import Path

import pytest

from quorate.canonical import canonical
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import LocalSigner
from quorate_consensus.judges import release
from quorate_consensus.judges.release import ARTEFACT_BYTES, BUILT_IN, FILE_NAME, RELEASE_TYPE
from tests.fakes import vouching

PINNED = release.digest_of_bytes((BUILT_IN / FILE_NAME).read_bytes())


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the release that comes with the program."""
    return Path(shutil.copytree(BUILT_IN, tmp_path / "release"))


def signed(directory: Path, *keys: LocalSigner, kind: str = RELEASE_TYPE) -> bytes:
    """The list in ``directory``, signed."""
    return dsse.sign((directory / FILE_NAME).read_bytes(), kind, list(keys))


@pytest.mark.requirement("judges: thresholds, models and tables come only from a verified release")
def test_a_pinned_release_opens() -> None:
    """The built-in release opens by its digest and by no other."""
    opened = release.open_pinned(BUILT_IN, PINNED)
    digest, _ = opened.document("rules")
    assert digest == release.digest_of_bytes((BUILT_IN / "rules.json").read_bytes())
    with pytest.raises(SubjectMismatch):
        release.open_pinned(BUILT_IN, f"sha256:{'0' * 64}")


def test_every_artefact_is_checked(copied: Path) -> None:
    """One byte more in any file, and the release does not open."""
    for path in sorted(copied.iterdir()):
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        with pytest.raises(QuorateError):
            release.open_pinned(copied, PINNED)
        path.unlink()
        with pytest.raises(QuorateError):
            release.open_pinned(copied, PINNED)
        path.write_bytes(before)
    release.open_pinned(copied, PINNED)


def test_a_signed_release_needs_enough_signatures(copied: Path) -> None:
    """k of the administrators, distinct, over this very list."""
    one, two, stranger = (vouching.member_signer() for _ in range(3))
    keys = [one.public_key, two.public_key]
    release.open_signed(copied, signed(copied, one, two), keys, 2)
    release.open_signed(copied, signed(copied, one, stranger), keys, 1)
    for envelope in (
        signed(copied, one),
        signed(copied, one, stranger),
        signed(copied, stranger),
        signed(copied, one, two, kind="application/json"),
        b"{}",
        (copied / FILE_NAME).read_bytes(),
    ):
        with pytest.raises(QuorateError):
            release.open_signed(copied, envelope, keys, 2)


def test_a_signed_list_is_the_envelopes_and_not_the_files(copied: Path) -> None:
    """Swapping the list beside the envelope changes nothing; swapping an artefact is found."""
    key = vouching.member_signer()
    envelope = signed(copied, key)
    (copied / FILE_NAME).write_text("{}")
    release.open_signed(copied, envelope, [key.public_key], 1)
    (copied / "tools.json").write_text((copied / "tools.json").read_text().replace("deny", "none"))
    with pytest.raises(SubjectMismatch):
        release.open_signed(copied, envelope, [key.public_key], 1)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"extra": 1},
        {
            "artefacts": [
                {"judge": "rules", "file": "../rules.json", "digest": "sha256:" + "0" * 64}
            ]
        },
        {"artefacts": [{"judge": "rules", "file": "/etc/passwd", "digest": "sha256:" + "0" * 64}]},
        {"artefacts": [{"judge": "rules", "file": "rules.json", "digest": "md5:0"}]},
        {"artefacts": [{"judge": "", "file": "rules.json", "digest": "sha256:" + "0" * 64}]},
    ],
)
def test_a_list_that_is_refused(copied: Path, change: dict[str, object]) -> None:
    """Paths, other digests and unknown fields are refused, also if the digest is pinned."""
    document = json.loads((copied / FILE_NAME).read_bytes())
    data = canonical(document | change)
    (copied / FILE_NAME).write_bytes(data)
    with pytest.raises(QuorateError):
        release.open_pinned(copied, release.digest_of_bytes(data))


def test_a_judge_twice_and_another_spelling(copied: Path) -> None:
    """A judge listed twice, or a list that is not canonical, is refused."""
    document = json.loads((copied / FILE_NAME).read_bytes())
    twice = canonical(document | {"artefacts": document["artefacts"] * 2})
    for data in (twice, json.dumps(document, indent=1).encode()):
        (copied / FILE_NAME).write_bytes(data)
        with pytest.raises(InvalidInput):
            release.open_pinned(copied, release.digest_of_bytes(data))


def test_a_release_has_no_more_than_it_lists() -> None:
    """A judge without an artefact cannot be made from it."""
    with pytest.raises(InvalidInput, match="nothing for the judge"):
        release.open_pinned(BUILT_IN, PINNED).artefact("oracle")


def test_an_artefact_is_bounded(copied: Path) -> None:
    """A file that grows for ever is not read for ever."""
    (copied / "rules.json").write_bytes(b" " * (ARTEFACT_BYTES + 1))
    with pytest.raises(InvalidInput, match="more than"):
        release.open_pinned(copied, PINNED)
