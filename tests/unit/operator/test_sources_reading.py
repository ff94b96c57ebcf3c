import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from quorate import limits
from quorate.api.v1alpha1.document_source import (
    BUNDLE_TYPE,
    ENVELOPE_TYPE,
    DocumentSource,
    SourceField,
)
from quorate.evidence.oci import EMPTY_TYPE, INDEX_TYPE, MANIFEST_TYPE
from quorate_io.registry import Credentials, RegistryClient, RegistryRules
from quorate_operator.effects.api_server import ApiRefused, ApiUnavailable
from quorate_operator.sources import reading as module
from quorate_operator.sources.documents import Failed, Read
from quorate_operator.sources.reading import SourceReader
from tests.fakes.registry import REPOSITORY, FakeRegistry, descriptor, digest, drips, says
from tests.unit.operator.fake_api import Monotonic

LIST = f"/v2/{REPOSITORY}/referrers/"
BLOBS = f"/v2/{REPOSITORY}/blobs/"
CONFIG_MAP = DocumentSource.model_validate(
    {"name": "c", "configMap": {"name": "gates", "key": "k"}}
)


class Api:
    """Answers one ConfigMap, or fails."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.paths: list[str] = []

    async def get(self, path: str) -> dict[str, Any]:
        """What was set."""
        self.paths.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """A registry on loopback."""
    async with FakeRegistry().serving() as found:
        yield found


@pytest.fixture
async def client(registry: FakeRegistry) -> AsyncIterator[RegistryClient]:
    """A client that may ask it."""
    hosts = frozenset({registry.host})
    rules = RegistryRules(registries=hosts, plain_http=hosts)
    async with RegistryClient(rules, Credentials(), ssl.create_default_context()) as found:
        yield found


def reader(client: RegistryClient, clock: Monotonic | None = None) -> SourceReader:
    """A reader that needs no API server."""
    return SourceReader(Api({}), client, clock or Monotonic())


def referrers(registry: FakeRegistry, **details: Any) -> DocumentSource:
    """What is attached in this registry, as a source."""
    where = {"reference": registry.reference()} | details
    return DocumentSource.model_validate({"name": "r", "ociReferrers": where})


async def read(
    asking: SourceReader, source: DocumentSource, field: SourceField = SourceField.EVIDENCE
) -> Read | Failed:
    """One reading for a model of team-a."""
    return await asking.read("team-a", field, source)


def texts(result: Read | Failed) -> list[str]:
    """What was read."""
    assert isinstance(result, Read), result
    return sorted(document.text for document in result.documents)


# ConfigMaps -----------------------------------------------------------------------------------
async def config_map(answer: dict[str, Any] | Exception) -> Read | Failed:
    """Read the ConfigMap."""
    api = Api(answer)
    async with RegistryClient(
        RegistryRules(), Credentials(), ssl.create_default_context()
    ) as client:
        found = await read(SourceReader(api, client, Monotonic()), CONFIG_MAP)
    assert api.paths == ["/api/v1/namespaces/team-a/configmaps/gates"]
    return found


async def test_a_document_in_a_config_map() -> None:
    """In either form, from the model's own namespace only."""
    assert texts(await config_map({"data": {"k": ' {"one": 1}\n'}})) == ['{"one": 1}']
    encoded = base64.b64encode(b'{"one": 1}').decode()
    assert texts(await config_map({"binaryData": {"k": encoded}})) == ['{"one": 1}']


@pytest.mark.parametrize(
    ("answer", "reason", "settled"),
    [
        ({}, "NotFound", True),
        ({"data": None}, "NotFound", True),
        ({"data": {"other": "{}"}}, "NotFound", True),
        ({"binaryData": {"k": "!"}}, "Malformed", True),
        (ApiRefused(404, "NotFound", "no"), "NotFound", True),
        (ApiRefused(403, "Forbidden", "no"), "Forbidden", False),
        (ApiRefused(400, "BadRequest", "no"), "APIServerRefused", False),
        (ApiUnavailable("away"), "APIServerUnavailable", False),
        (RuntimeError("a fault"), "InternalError", False),
    ],
)
async def test_config_maps_that_cannot_be_read(answer: Any, reason: str, settled: bool) -> None:
    """Each with its reason; only what is known to be gone is settled."""
    found = await config_map(answer)
    assert isinstance(found, Failed)
    assert (found.reason, found.settled) == (reason, settled)


async def test_a_config_map_that_may_not_be_read_names_the_remedy() -> None:
    """The namespace lets the operator read; the platform gives no right over all of them."""
    found = await config_map(ApiRefused(403, "Forbidden", "no"))
    assert isinstance(found, Failed)
    assert "kubectl create rolebinding" in found.fix
    assert "-n team-a" in found.fix


# Registries -----------------------------------------------------------------------------------
async def test_attached_documents_are_read_by_their_type(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """Signatures and statements have types of their own; a source may name another."""
    registry.attach('{"gate": 1}')
    registry.attach('{"gate": 2}')
    registry.sign('{"bundle": 1}')
    registry.attach('{"other": 1}', "application/x-other")
    asking = reader(client)
    source = referrers(registry)
    assert texts(await read(asking, source)) == ['{"gate": 1}', '{"gate": 2}']
    signatures = await read(asking, source, SourceField.SIGNATURES)
    assert texts(signatures) == ['{"bundle": 1}']
    other = referrers(registry, artifactType="application/x-other")
    assert texts(await read(asking, other)) == ['{"other": 1}']
    assert BUNDLE_TYPE != ENVELOPE_TYPE


async def test_what_has_a_digest_is_fetched_once(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """A second reading asks for the list alone."""
    registry.attach('{"gate": 1}')
    asking = reader(client)
    await read(asking, referrers(registry))
    before = len(registry.asked)
    await read(asking, referrers(registry))
    assert len(registry.asked) == before + 1


async def test_models_that_name_the_same_place_share_a_reading(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """A hundred at once are one list, one manifest, one blob."""
    registry.attach('{"gate": 1}')
    asking = reader(client)
    found = await asyncio.gather(*(read(asking, referrers(registry)) for _ in range(100)))
    assert all(texts(result) == ['{"gate": 1}'] for result in found)
    assert len(registry.asked) == 3


async def test_a_reader_that_gives_up_does_not_end_the_reading_of_others(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """One of two who wait is cancelled; the other gets its answer."""
    registry.attach('{"gate": 1}')
    asking = reader(client)
    first = asyncio.create_task(read(asking, referrers(registry)))
    second = asyncio.create_task(read(asking, referrers(registry)))
    await asyncio.sleep(0)
    first.cancel()
    assert texts(await second) == ['{"gate": 1}']


async def failed(asking: SourceReader, source: DocumentSource) -> Failed:
    """Why the source was not read."""
    found = await read(asking, source)
    assert isinstance(found, Failed), found
    return found


async def test_a_registry_that_is_not_listed_is_settled(client: RegistryClient) -> None:
    """The platform decided; nothing read before counts."""
    source = {"reference": f"evil.test/m@sha256:{'a' * 64}"}
    found = await failed(
        reader(client), DocumentSource.model_validate({"name": "r", "ociReferrers": source})
    )
    assert (found.reason, found.settled) == ("RegistryNotAllowed", True)
    assert "evidence.registries" in found.fix


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
@pytest.mark.parametrize(
    "lie",
    ["bytes", "huge", "subject", "layers", "index", "total", "redirect", "missing", "manifest"],
)
async def test_lies_that_a_reading_finds(
    registry: FakeRegistry, client: RegistryClient, lie: str
) -> None:
    """Whatever is wrong with one document, the source as a whole was not read."""
    registry.attach('{"gate": 1}')
    name = registry.attach('{"gate": 2}')
    wanted = "MalformedAnswer"
    if lie == "bytes":
        registry.blobs[digest(b'{"gate": 2}')] = b'{"gate": 3}'
        wanted = "DigestMismatch"
    elif lie == "huge":
        large = json.dumps({"x": "y" * limits.EVIDENCE_BYTES})
        registry.attach(large)
        wanted = "TooLarge"
    elif lie == "subject":
        registry.attach('{"gate": 4}', subject=digest(b"another"))
    elif lie == "layers":
        for number in range(limits.DOCUMENTS_PER_SOURCE):
            registry.attach(json.dumps({"n": number}))
        wanted = "TooManyDocuments"
    elif lie == "index":
        registry.entries.append(descriptor(b"{}", INDEX_TYPE, artifactType=ENVELOPE_TYPE))
    elif lie == "total":
        for number in range(3):
            registry.attach(json.dumps({"n": number, "x": "y" * 400_000}))
        wanted = "TooLarge"
    elif lie == "redirect":
        registry.lies[BLOBS] = says(307, headers={"Location": "http://169.254.169.254/"})
        wanted = "AddressNotAllowed"
    elif lie == "missing":
        registry.blobs.clear()
        wanted = "NotFound"
    elif lie == "manifest":
        registry.manifests[name] = (MANIFEST_TYPE, b"{}")
        wanted = "DigestMismatch"
    found = await failed(reader(client), referrers(registry))
    assert (found.reason, found.settled) == (wanted, False)


async def test_an_empty_blob_is_no_document(registry: FakeRegistry, client: RegistryClient) -> None:
    """A referrer that says all it has to say in its annotations holds none."""
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ENVELOPE_TYPE,
            "config": descriptor(b"{}", EMPTY_TYPE),
            "layers": [descriptor(b"{}", EMPTY_TYPE)],
            "subject": {
                "mediaType": MANIFEST_TYPE,
                "digest": registry.reference().rpartition("@")[2],
                "size": 1,
            },
        }
    ).encode()
    registry.manifests[digest(manifest)] = (MANIFEST_TYPE, manifest)
    registry.entries.append(descriptor(manifest, MANIFEST_TYPE, artifactType=ENVELOPE_TYPE))
    assert texts(await read(reader(client), referrers(registry))) == []


SIGNED = {"dev.cosignproject.cosign/signature": "c2ln"}


def layers(found: Read | Failed) -> list[dict[str, Any]]:
    """What was read, parsed."""
    return [json.loads(text) for text in texts(found)]


async def test_signatures_under_the_images_tag_are_read_beside_its_referrers(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """Each with its content, also if two are over the same bytes; only for server images."""
    subject = registry.reference().rpartition("@")[2]
    registry.sign('{"bundle": 1}')
    other = {"dev.cosignproject.cosign/signature": "b3RoZXI="}
    registry.sign_by_tag((b'{"a": 1}', SIGNED), (b'{"a": 1}', other), subject=subject)
    asking, source = reader(client), referrers(registry)
    found = layers(await read(asking, source, SourceField.SERVERS))
    tagged = [layer for layer in found if "data" in layer]
    assert len(found) == 3
    assert {base64.b64decode(layer["data"]) for layer in tagged} == {b'{"a": 1}'}
    assert sorted(layer["annotations"].popitem()[1] for layer in tagged) == ["b3RoZXI=", "c2ln"]
    assert texts(await read(asking, source, SourceField.SIGNATURES)) == ['{"bundle": 1}']


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
@pytest.mark.parametrize(
    ("lie", "wanted"),
    [
        ("bytes", "DigestMismatch"),
        ("missing", "NotFound"),
        ("many", "MalformedAnswer"),
        ("with referrers", "TooManyDocuments"),
        ("large", "TooLarge"),
        ("type", "MalformedAnswer"),
        ("junk", "MalformedAnswer"),
        ("annotations", "MalformedAnswer"),
    ],
)
async def test_lies_under_the_tag(
    registry: FakeRegistry, client: RegistryClient, lie: str, wanted: str
) -> None:
    """Read whole or not at all, with the bounds of referrers."""
    subject = registry.reference().rpartition("@")[2]
    count = {"many": 33, "with referrers": 32, "large": 2}.get(lie, 1)
    text = b"x" * 600_000 if lie == "large" else b"{}"
    found = [(text + str(number).encode(), SIGNED) for number in range(count)]
    tag = registry.sign_by_tag(*found, subject=subject)
    if lie == "bytes":
        registry.blobs[digest(b"{}0")] = b"{}1"
    elif lie == "missing":
        registry.blobs.clear()
    elif lie == "with referrers":
        registry.sign('{"bundle": 1}')
    elif lie == "type":
        registry.manifests[tag] = (INDEX_TYPE, registry.manifests[tag][1])
    elif lie == "junk":
        registry.manifests[tag] = (MANIFEST_TYPE, b"[" * 10_000)
    elif lie == "annotations":
        data = registry.manifests[tag][1].replace(b'"c2ln"', b"1")
        registry.manifests[tag] = (MANIFEST_TYPE, data)
    result = await read(reader(client), referrers(registry), SourceField.SERVERS)
    assert isinstance(result, Failed), result
    assert (result.reason, result.settled) == (wanted, False)


@pytest.mark.requirement("fault: a slow registry holds nobody up")
async def test_a_registry_that_does_not_answer_is_left_alone_for_a_while(
    registry: FakeRegistry, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later readings of it fail at once with the same reason, until it is asked again."""
    monkeypatch.setattr(module, "READING_SECONDS", 0.3)
    registry.lies[LIST] = drips()
    clock = Monotonic()
    asking = reader(client, clock)
    assert (await failed(asking, referrers(registry))).reason == "RegistryUnavailable"
    before = len(registry.asked)
    again = await failed(asking, referrers(registry))
    assert again.reason == "RegistryUnavailable"
    assert len(registry.asked) == before
    registry.lies.clear()
    clock.time += module.AWAY_SECONDS
    assert texts(await read(asking, referrers(registry))) == []
