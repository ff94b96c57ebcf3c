"""What decides whether an image is built again, and what its digest depends on."""

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cluster.errors import ClusterError
from tools.images import catalog, context, oci, store
from tools.images.blobs import BadImage, BlobStore, sha256_digest
from tools.images.containerfile import BadContainerfile, copied_sources
from tools.images.pruning import prune

CONTAINERFILE = """\
ARG BASE=python
FROM ${BASE} AS build
# COPY ignored /x
COPY locks/a.txt \\
    core/pkg /app/
COPY ["one two", "/app/"]
COPY --chown=1:1 single /app/
RUN echo \\
    COPY not-this /x

FROM scratch
COPY --from=build /app /app
"""


def test_copied_sources_are_found() -> None:
    """Comments, other instructions and other stages do not count."""
    assert copied_sources(CONTAINERFILE) == ["core/pkg", "locks/a.txt", "one two", "single"]


@pytest.mark.parametrize(
    "line",
    [
        "ADD a /b",
        "COPY a",
        "COPY ../up /b",
        "COPY /abs /b",
        "COPY *.py /b",
        "COPY $X /b",
        "COPY a \\",
    ],
)
def test_a_source_that_cannot_be_followed_is_refused(line: str) -> None:
    """A change must never go unnoticed because its source was not understood."""
    with pytest.raises(BadContainerfile):
        copied_sources(f"FROM scratch\n{line}")


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No Containerfile leads to a traceback."""
    try:
        copied_sources(text)
    except BadContainerfile:
        return


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one image."""
    root = tmp_path / "checkout"
    (root / "room" / "pkg").mkdir(parents=True)
    (root / "room" / "pkg" / "a.py").write_text("a = 1\n")
    (root / "room" / "Containerfile").write_text("FROM scratch\nCOPY room/pkg /pkg\n")
    return root


def digest(checkout: Path, *extra: str) -> str:
    """The digest of the image's inputs."""
    return context.inputs_digest(checkout, checkout / "room" / "Containerfile", list(extra))


def test_only_what_is_copied_decides(checkout: Path) -> None:
    """Bytecode and files that no instruction copies do not rebuild the image."""
    before = digest(checkout)
    (checkout / "room" / "pkg" / "__pycache__").mkdir()
    (checkout / "room" / "pkg" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"x")
    (checkout / "room" / "README.md").write_text("not copied")
    os.utime(checkout / "room" / "pkg" / "a.py", (1, 1))
    assert digest(checkout) == before


def test_every_input_decides(checkout: Path) -> None:
    """Content, names, the executable bit, the Containerfile and the base each change the digest."""
    file = checkout / "room" / "pkg" / "a.py"
    seen = [digest(checkout), digest(checkout, "another base")]
    file.write_text("a = 2\n")
    seen.append(digest(checkout))
    file.chmod(0o755)
    seen.append(digest(checkout))
    file.rename(file.with_name("b.py"))
    seen.append(digest(checkout))
    with (checkout / "room" / "Containerfile").open("a") as containerfile:
        containerfile.write("USER 1\n")
    seen.append(digest(checkout))
    assert len(set(seen)) == len(seen)


def test_the_staged_context_holds_the_copied_files_only(checkout: Path, tmp_path: Path) -> None:
    """What the digest does not cover cannot reach the image."""
    (checkout / "room" / "pkg" / "stale.pyc").write_bytes(b"x")
    (checkout / "secret").write_text("not for the image")
    staged = tmp_path / "staged"
    staged.mkdir()
    context.stage(checkout, checkout / "room" / "Containerfile", staged)
    files = [path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()]
    assert files == ["room/pkg/a.py"]


def test_a_missing_source_is_named(checkout: Path) -> None:
    """The error says which Containerfile and which path."""
    (checkout / "room" / "Containerfile").write_text("FROM scratch\nCOPY gone /x\n")
    with pytest.raises(context.MissingSource, match=r"room/Containerfile copies gone"):
        digest(checkout)


def test_images_are_named_by_their_folder(checkout: Path) -> None:
    """Rooms, examples and test servers are found; two of one name are refused."""
    for folder in ("examples/01-first/server", "tests/assets/servers/slow"):
        (checkout / folder).mkdir(parents=True)
        (checkout / folder / "Containerfile").write_text("FROM scratch\n")
    assert sorted(catalog.find_images(checkout)) == ["room", "server", "slow"]
    (checkout / "tests/assets/servers/server").mkdir()
    (checkout / "tests/assets/servers/server/Containerfile").write_text("FROM scratch\n")
    with pytest.raises(ClusterError, match="two images are named server"):
        catalog.find_images(checkout)


def folder_digest(folder: Path, blobs: BlobStore) -> str:
    """The digest of a model image."""
    return oci.add_folder(blobs, folder, {})


def test_a_model_image_depends_on_content_alone(tmp_path: Path) -> None:
    """Owner, time, umask and the order of creation leave the digest as it is; one byte does not."""
    blobs = BlobStore(tmp_path / "blobs")
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, ("a", "b")), (two, ("b", "a"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(name.encode() * 1000)
    (two / "a").chmod(0o600)
    os.utime(two / "b", (1, 1))
    assert folder_digest(one, blobs) == folder_digest(two, blobs)
    (two / "b").write_bytes(b"b" * 999 + b"c")
    assert folder_digest(one, blobs) != folder_digest(two, blobs)


def test_a_stored_image_is_whole(tmp_path: Path) -> None:
    """Every blob that the manifest names is there under its own digest."""
    blobs = BlobStore(tmp_path / "blobs")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(b"w" * 100)
    manifest = oci.read_manifest(blobs, folder_digest(folder, blobs))
    for blob in manifest.blobs:
        assert sha256_digest(blobs.path(blob).read_bytes()) == blob
    layers = [blob for blob in manifest.blobs if tarfile.is_tarfile(blobs.path(blob))]
    with tarfile.open(blobs.path(layers[0])) as layer:
        assert layer.getnames() == ["weights"]


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../x", "sha512:" + "0" * 64])
def test_a_digest_cannot_lead_out_of_the_store(tmp_path: Path, digest: str) -> None:
    """Only sha256 digests name blobs."""
    with pytest.raises(BadImage, match="not a sha256 digest"):
        BlobStore(tmp_path).path(digest)


def test_a_changed_blob_is_not_believed(tmp_path: Path) -> None:
    """A manifest is checked against its digest when it is read."""
    blobs = BlobStore(tmp_path)
    digest = blobs.add_bytes(b"{}")
    blobs.path(digest).write_bytes(b"[]")
    with pytest.raises(BadImage, match="does not match"):
        blobs.read(digest, 100)


def test_an_archive_of_another_builder_is_read(tmp_path: Path) -> None:
    """What `docker save` writes (a tar of an OCI layout, with an index) ends up in the store."""
    source, target = BlobStore(tmp_path / "source"), BlobStore(tmp_path / "target")
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"w")
    digest = folder_digest(model, source)
    layout = tmp_path / "layout"
    layout.mkdir()
    oci.write_layout(source, digest, layout)
    (layout / "blobs").unlink()
    with tarfile.open(tmp_path / "saved.tar", "w") as archive:
        archive.add(layout / "index.json", "index.json")
        archive.add(source.folder / "sha256", "blobs/sha256")
    assert oci.add_archive(target, tmp_path / "saved.tar") == digest
    assert all(target.holds(blob) for blob in oci.read_manifest(target, digest).blobs)


def test_an_index_for_other_machines_is_refused() -> None:
    """An image for another architecture is not taken for this machine's."""
    index = {"manifests": [{"digest": "sha256:0", "platform": {"architecture": "s390x"}}]}
    with pytest.raises(BadImage, match="no image for"):
        oci.own_platform(index)


def test_records_of_two_images_stand_side_by_side(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording an image leaves the others' lines as they are; references carry the digest."""
    monkeypatch.setenv("QUORATE_CACHE", str(tmp_path / "cache"))
    store.record(checkout, "one", "sha256:1", "sha256:a")
    store.record(checkout, "two", "sha256:2", "sha256:b")
    store.record(checkout, "one", "sha256:3", "sha256:c")
    recorded = store.read(checkout)
    assert {name: image.digest for name, image in recorded.items()} == {
        "one": "sha256:3",
        "two": "sha256:2",
    }
    assert recorded["one"].reference == "registry.quorate.test:5000/quorate/one@sha256:3"


def test_an_image_whose_blobs_are_gone_counts_as_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that was partly deleted leads to a build, not to an error at load."""
    monkeypatch.setenv("QUORATE_CACHE", str(tmp_path))
    digest = store.blob_store().add_bytes(b"manifest")
    store.remember("sha256:inputs", digest)
    assert store.built_digest("sha256:inputs") == digest
    store.blob_store().path(digest).unlink()
    assert store.built_digest("sha256:inputs") is None


def test_the_cache_forgets_what_was_used_least_recently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images beyond the bound go with the blobs only they name; shared blobs stay."""
    monkeypatch.setenv("QUORATE_CACHE", str(tmp_path))
    blobs = store.blob_store()
    digests = []
    for number in range(3):
        folder = tmp_path / f"model-{number}"
        folder.mkdir()
        # The first and the last share their only layer and differ in what runs.
        (folder / "weights").write_bytes(b"same" if number != 1 else b"other")
        digests.append(oci.add_folder(blobs, folder, {"Cmd": [str(number)]}))
        store.remember(f"sha256:inputs{number}", digests[-1])
    files = {path.name: path for path in store.built_files()}
    for number, used in ((0, 3000), (1, 2000), (2, 1000)):
        os.utime(files[f"inputs{number}"], (used, used))
    for path in (blobs.folder / "sha256").iterdir():
        os.utime(path, (0, 0))
    assert store.built_digest("sha256:inputs2") == digests[2]
    prune(images_max=2)
    assert store.built_digest("sha256:inputs1") is None
    assert not blobs.holds(digests[1])
    for kept in (digests[0], digests[2]):
        assert all(blobs.holds(blob) for blob in oci.read_manifest(blobs, kept).blobs)
