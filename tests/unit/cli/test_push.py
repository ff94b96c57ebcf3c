"""``push``: documents attached to an image, and the object that says where they are."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.document_source import BUNDLE_TYPE
from quorate.api.v1alpha1.meta import read
from quorate.evidence.oci import MANIFEST_TYPE, parse_artifact
from tests.fakes.registry import REPOSITORY, SUBJECT, SUBJECT_DIGEST
from tests.unit.cli.conftest import Quorate

DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"ghcr.io/team/demo@{DIGEST}"


class Store:
    """A registry that takes what is pushed, in a thread of its own."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests = {SUBJECT_DIGEST: SUBJECT}
        self.port = 0
        self.denies = False

    async def answer(self, request: web.Request) -> web.Response:
        """GET, POST and PUT as the specification has them; it lists referrers by itself."""
        if self.denies:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        kind, _, name = request.path.removeprefix(f"/v2/{REPOSITORY}/").partition("/")
        held: Any = self.manifests if kind == "manifests" else self.blobs
        if request.method == "GET":
            if name not in held:
                return web.Response(status=404)
            return web.Response(body=held[name], content_type=MANIFEST_TYPE)
        if request.method == "POST":
            location = f"/v2/{REPOSITORY}/blobs/upload?state=1"
            return web.Response(status=202, headers={"Location": location})
        data = await request.read()
        name = request.query.get("digest", name)
        assert name == f"sha256:{hashlib.sha256(data).hexdigest()}"
        held[name] = data
        return web.Response(status=201, headers={"OCI-Subject": SUBJECT_DIGEST})

    def serve(self, ready: threading.Event, end: threading.Event) -> None:
        """Serve until ``end``."""

        async def main() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self.answer)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            ready.set()
            await asyncio.to_thread(end.wait)
            await runner.cleanup()

        asyncio.run(main())


@pytest.fixture
def store() -> Iterator[Store]:
    """A registry that serves."""
    found, ready, end = Store(), threading.Event(), threading.Event()
    thread = threading.Thread(target=found.serve, args=(ready, end))
    thread.start()
    assert ready.wait(10)
    yield found
    end.set()
    thread.join(10)


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's own configuration is read."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def line(store: Store, *arguments: object) -> list[object]:
    """A call."""
    reference = f"127.0.0.1:{store.port}/{REPOSITORY}@{SUBJECT_DIGEST}"
    return ["push", reference, "--plain-http", *arguments]


@pytest.mark.requirement("push attaches signed documents to an image")
def test_a_bundle_is_attached(quorate: Quorate, store: Store, bundle: Path) -> None:
    """Byte for byte, about the image, under its type."""
    ran = quorate(*line(store, "--bundle", bundle, "--output", "json"))
    assert ran.code == 0, ran.err
    (digest,) = ran.document["referrers"]
    artifact = parse_artifact(store.manifests[digest])
    assert artifact.artifact_type == BUNDLE_TYPE
    assert artifact.subject is not None
    assert artifact.subject.digest == SUBJECT_DIGEST
    assert store.blobs[artifact.layers[0].digest] == bundle.read_bytes()
    assert quorate(*line(store, "--bundle", bundle)).code == 0


def test_what_cannot_be_attached(
    quorate: Quorate, store: Store, bundle: Path, tmp_path: Path
) -> None:
    """Nothing, another file, another reference, a registry that does not let us."""
    assert quorate(*line(store)).code != 0
    (tmp_path / "x.json").write_text("{}")
    assert quorate(*line(store, "--gate", tmp_path / "x.json")).code != 0
    assert quorate("push", "library/demo:v1", "--bundle", bundle).code != 0
    store.denies = True
    ran = quorate(*line(store, "--bundle", bundle))
    assert ran.code != 0
    assert "Docker configuration" in ran.err


def test_a_registry_that_is_away(quorate: Quorate, store: Store, bundle: Path) -> None:
    """Said in a line, not in a traceback."""
    ran = quorate("push", f"127.0.0.1:1/m@{DIGEST}", "--plain-http", "--bundle", bundle)
    assert ran.code != 0
    assert "did not answer" in ran.err


MANIFEST = ["model", "manifest", "--name", "demo", "--namespace", "team-a"]


def test_the_object_names_where_documents_are(quorate: Quorate) -> None:
    """References and ConfigMaps, in order, with the digest that nothing else says."""
    ran = quorate(
        *MANIFEST,
        *("--manifest-digest", DIGEST, "--source-image", IMAGE),
        *("--signatures-from", IMAGE, "--evidence-from", IMAGE),
        *("--evidence-from", "configmap/results/red-team.json"),
    )
    assert ran.code == 0, ran.err
    spec = read(AttestedModel, yaml.safe_load(ran.out)).spec
    assert spec.manifest_digest == DIGEST
    assert spec.signatures == []
    assert spec.signatures_from[0].oci_referrers is not None
    assert spec.signatures_from[0].oci_referrers.reference == IMAGE
    assert spec.evidence_from[1].config_map is not None
    assert spec.evidence_from[1].config_map.key == "red-team.json"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--signatures-from", IMAGE],
        ["--manifest-digest", DIGEST],
        ["--manifest-digest", "x", "--signatures-from", IMAGE],
        ["--manifest-digest", DIGEST, "--signatures-from", "ghcr.io/team/demo:v1"],
        ["--manifest-digest", DIGEST, "--signatures-from", "configmap/only"],
    ],
)
def test_objects_that_nobody_could_use(quorate: Quorate, arguments: list[str]) -> None:
    """Without a digest, without a signature, with a tag, with half a place."""
    assert quorate(*MANIFEST, "--source-image", IMAGE, *arguments).code != 0


def test_a_digest_that_the_bundle_contradicts(quorate: Quorate, bundle: Path) -> None:
    """What is signed is what is named."""
    ran = quorate(
        *MANIFEST, "--bundle", bundle, "--manifest-digest", DIGEST, "--source-image", IMAGE
    )
    assert ran.code != 0
    assert "different models" in ran.err
    assert json.dumps(DIGEST) not in ran.out


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
def test_an_images_signature_is_attached_to_its_image(
    quorate: Quorate, store: Store, key: Path, tmp_path: Path
) -> None:
    """As `cosign sign` attaches it, by its predicate type; to another image it is not."""
    out, reference = tmp_path / "image.json", f"127.0.0.1:{store.port}/{REPOSITORY}"
    image = f"{reference}@{SUBJECT_DIGEST}"
    quorate("sign", "--image", image, "--key", key, "--out", out)
    ran = quorate("push", image, "--bundle", out, "--plain-http", "--output", "json")
    (digest,) = ran.document["referrers"]
    assert parse_artifact(store.manifests[digest]).artifact_type == BUNDLE_TYPE
    annotations = json.loads(store.manifests[digest])["annotations"]
    assert annotations["dev.sigstore.bundle.predicateType"].endswith("cosign/sign/v1")
    other = f"{reference}@sha256:{'0' * 64}"
    ran = quorate("push", other, "--bundle", out, "--plain-http")
    assert ran.code == 2
    assert f"is about the image {SUBJECT_DIGEST}" in ran.err
