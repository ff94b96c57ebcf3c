"""Signatures that the cosign program made: read as it left them in a registry, and verified."""

import base64
import json
import ssl

import pytest

from quorate.api.v1alpha1.document_source import DocumentSource, SourceField
from quorate_io.registry import Credentials, RegistryClient, RegistryRules
from quorate_operator.sources.documents import Failed, Read
from quorate_operator.sources.reading import SourceReader
from tests.fakes.recorded_cosign import OTHER, Recorded, digest, recordings
from tests.fakes.registry import FakeRegistry
from tests.unit.operator.fake_api import Monotonic
from tests.unit.operator.test_sources_reading import Api

ALL = recordings()
RECORDED = {name: one for name, one in ALL.items() if "ed25519" not in name}


async def reading(recorded: Recorded, spoil: str = "") -> Read | Failed:
    """What the operator reads of the recorded image; ``spoil`` is content that was changed."""
    registry = FakeRegistry(lists=False)
    for tag, found in recorded.document["tags"].items():
        registry.manifests[tag] = (found["mediaType"], found["text"].encode())
    for name, found in recorded.document["contents"].items():
        data = found["text"].encode()
        if name == spoil:
            data = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
        registry.blobs[name] = data
        registry.manifests[name] = (found["mediaType"] or "application/json", data)
    async with registry.serving():
        hosts = frozenset({registry.host})
        context = ssl.create_default_context()
        async with RegistryClient(RegistryRules(hosts, hosts), Credentials(), context) as client:
            source = {
                "name": "r",
                "ociReferrers": {"reference": registry.reference(recorded.image)},
            }
            return await SourceReader(Api({}), client, Monotonic()).read(
                "", SourceField.SERVERS, DocumentSource.model_validate(source)
            )


def texts(found: Read | Failed) -> tuple[str, ...]:
    """What was read."""
    assert isinstance(found, Read), found
    return tuple(sorted(document.text for document in found.documents))


def test_every_form_was_recorded() -> None:
    """Both layouts, keys of every kind, certificates, several signers, beside an attestation."""
    kinds = {name.rpartition("-")[0] for name in RECORDED}
    for layout in ("tag", "bundle"):
        assert kinds >= {f"{layout}-{what}" for what in ("p256", "p384", "certificate", "two")}
    assert kinds >= {"mixed", "attested"}
    assert all(recorded.document["cosign"].startswith("v") for recorded in RECORDED.values())


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
async def test_what_cosign_wrote_is_its_images_signature(recorded: Recorded) -> None:
    """By everybody who signed, for that image, and no other although it lies beside it."""
    found = texts(await reading(recorded))
    assert found == recorded.documents()
    assert recorded.signed(*found) == {recorded.image}, recorded.judged(*found)


@pytest.mark.parametrize("name", ["bundle-ed25519-v3", "tag-ed25519-v3"])
def test_ed25519_of_cosign_is_refused(name: str) -> None:
    """It signs a hash of the message (Ed25519ph), which is another scheme than Ed25519."""
    recorded = ALL[name]
    (one,) = [o for o in recorded.judged(*recorded.documents()).unsigned if o.server.name == "a"]
    assert "none of 1 accepted keys signed" in one.why


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
async def test_content_that_was_changed_in_the_registry(recorded: Recorded) -> None:
    """Whichever part of what was recorded has other bytes: the source is not read."""
    for name in recorded.document["contents"]:
        found = await reading(recorded, spoil=name)
        assert isinstance(found, Failed), name
        assert found.reason == "DigestMismatch"


@pytest.mark.requirement("evidence for image X never admits image Y")
@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
def test_a_signature_that_was_made_to_name_another_image(recorded: Recorded) -> None:
    """Rewritten throughout, with every digest in order: it counts for neither."""
    for document in recorded.documents():
        changed = renamed(document, recorded.image)
        assert changed != document
        assert recorded.signed(changed) == set()


def renamed(document: str, image: str) -> str:
    """The document with another image's digest in what is signed."""
    found = json.loads(document)
    holder, field = (found, "data") if "data" in found else (found["dsseEnvelope"], "payload")
    payload = base64.b64decode(holder[field])
    payload = payload.replace(image.removeprefix("sha256:").encode(), OTHER[7:].encode())
    holder[field] = base64.b64encode(payload).decode()
    if "data" in found:
        found |= {"digest": digest(payload), "size": len(payload)}
    return json.dumps(found)
