"""Publishing and reading documents with a registry that people run."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quorate import limits
from quorate.api.v1alpha1.document_source import (
    BUNDLE_TYPE,
    ENVELOPE_TYPE,
    DocumentSource,
    SourceField,
)
from quorate_io.registry import RegistryFailed, Why
from quorate_operator.sources.documents import Failed, Read
from quorate_operator.sources.reading import SourceReader
from tests.integration.registry.real_registry import RealRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RealRegistry]:
    """A registry that serves."""
    with RealRegistry(tmp_path).running() as found:
        yield found


class NoApi:
    """No test here reads a ConfigMap."""

    async def get(self, path: str) -> dict[str, Any]:
        """Never called."""
        raise AssertionError(path)


async def read(
    registry: RealRegistry, reference: str, field: SourceField = SourceField.EVIDENCE
) -> Read | Failed:
    """One reading by a reader that has just begun."""
    source = {"name": "r", "ociReferrers": {"reference": reference}}
    async with registry.client() as client:
        reader = SourceReader(NoApi(), client, time.monotonic)
        return await reader.read("team-a", field, DocumentSource.model_validate(source))


def texts(found: Read | Failed) -> list[str]:
    """What was read."""
    assert isinstance(found, Read), found
    return sorted(document.text for document in found.documents)


@pytest.mark.requirement("evidence is read from OCI referrers of a real registry")
async def test_what_is_published_is_read(registry: RealRegistry) -> None:
    """By its type; published twice it is there once, and others are not lost."""
    reference = await registry.put_model()
    assert texts(await read(registry, reference)) == []
    first = await registry.attach(reference, '{"gate": 1}', ENVELOPE_TYPE)
    assert await registry.attach(reference, '{"gate": 1}', ENVELOPE_TYPE) == first
    await registry.attach(reference, '{"gate": 2}', ENVELOPE_TYPE)
    await registry.attach(reference, '{"bundle": 1}', BUNDLE_TYPE)
    assert texts(await read(registry, reference)) == ['{"gate": 1}', '{"gate": 2}']
    assert texts(await read(registry, reference, SourceField.SIGNATURES)) == ['{"bundle": 1}']


async def test_documents_at_the_bound(registry: RealRegistry) -> None:
    """As many and as large as may be are read; one more is a failure with its reason."""
    reference = await registry.put_model()
    for number in range(limits.DOCUMENTS_PER_SOURCE):
        await registry.attach(reference, f'{{"n": {number}}}', ENVELOPE_TYPE)
    assert len(texts(await read(registry, reference))) == limits.DOCUMENTS_PER_SOURCE
    await registry.attach(reference, '{"one": "more"}', ENVELOPE_TYPE)
    found = await read(registry, reference)
    assert isinstance(found, Failed)
    assert found.reason == "TooManyDocuments"


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
async def test_a_registry_whose_bytes_were_changed(registry: RealRegistry) -> None:
    """A document that was changed where it lies is no document."""
    reference = await registry.put_model()
    await registry.attach(reference, '{"gate": "aaaa"}', ENVELOPE_TYPE)
    registry.corrupt('{"gate": "aaaa"}')
    found = await read(registry, reference)
    assert isinstance(found, Failed)
    assert found.reason == "DigestMismatch"


@pytest.mark.requirement("fault: a registry that is away is named, and found again")
async def test_a_registry_that_comes_back(tmp_path: Path) -> None:
    """Nothing of the outage is remembered by the next reader."""
    registry = RealRegistry(tmp_path)
    with registry.running():
        reference = await registry.put_model()
        await registry.attach(reference, '{"gate": 1}', ENVELOPE_TYPE)
    found = await read(registry, reference)
    assert isinstance(found, Failed)
    assert (found.reason, found.settled) == ("RegistryUnavailable", False)
    with registry.running():
        assert texts(await read(registry, reference)) == ['{"gate": 1}']


async def test_nothing_is_attached_to_what_is_not_there(registry: RealRegistry) -> None:
    """A reference to nothing is refused before anything is written."""
    reference = await registry.put_model()
    other = f"{reference.partition('@')[0]}@sha256:{'0' * 64}"
    with pytest.raises(RegistryFailed) as caught:
        await registry.attach(other, "{}", ENVELOPE_TYPE)
    assert caught.value.why is Why.NOT_FOUND


async def test_many_readings_at_once(registry: RealRegistry) -> None:
    """Of one place by many models, within the time that one has."""
    reference = await registry.put_model()
    await registry.attach(reference, '{"gate": 1}', ENVELOPE_TYPE)
    source = DocumentSource.model_validate({"name": "r", "ociReferrers": {"reference": reference}})
    async with registry.client() as client:
        reader = SourceReader(NoApi(), client, time.monotonic)
        found = await asyncio.gather(
            *(reader.read("team-a", SourceField.EVIDENCE, source) for _ in range(200))
        )
    assert all(texts(result) == ['{"gate": 1}'] for result in found)
