"""Signatures of server images with a registry that people run: attached, read, verified."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.document_source import BUNDLE_TYPE, SourceField
from quorate.api.v1alpha1.meta import read as read_object
from quorate.evidence.image_signing import sign_image
from quorate.evidence.signatures import Context
from quorate.policy.compiled import compile_policy
from quorate.policy.fetched import FetchedSignatures
from quorate.policy.server_images import ServerImages, judge_servers
from quorate_operator.sources.documents import Failed, Read
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.integration.registry.real_registry import RealRegistry
from tests.integration.registry.test_real_registry import read, texts

RELEASE = vouching.signer()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RealRegistry]:
    """A registry that serves."""
    with RealRegistry(tmp_path).running() as found:
        yield found


def judged(reference: str, found: Read | Failed) -> ServerImages:
    """What a member says of the image, told what was read."""
    repository, _, digest = reference.partition("@")
    server = {"name": "server", "digest": digest, "signatureRepository": repository}
    model = {"servers": [server], "serverSigners": vouching.signers(RELEASE)}
    policy = compile_policy(read_object(ClusterSafetyPolicy, vouching.policy({"model": model})))
    bundles = tuple(texts(found)) if isinstance(found, Read) else ()
    return judge_servers(
        replace(policy, fetched=FetchedSignatures(((digest, bundles),))), Context(NOW)
    )


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
async def test_what_is_attached_to_an_image_is_its_signature(registry: RealRegistry) -> None:
    """A stranger's bundle and one about another image lie beside it and count for nothing."""
    reference = await registry.put_model()
    digest = reference.partition("@")[2]
    for bundle in (
        sign_image(digest, vouching.signer()),
        sign_image(f"sha256:{'0' * 64}", RELEASE),
        vouching.bundle(vouching.model_files(), RELEASE).encode(),
    ):
        await registry.attach(reference, bundle.decode(), BUNDLE_TYPE)
    found = await read(registry, reference, SourceField.SERVERS)
    assert len(texts(found)) == 3
    assert judged(reference, found).signed == ()
    await registry.attach(reference, sign_image(digest, RELEASE).decode(), BUNDLE_TYPE)
    (image,) = judged(reference, await read(registry, reference, SourceField.SERVERS)).signed
    assert (image.digest, image.signed_by) == (digest, ("keys/key-0",))


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
async def test_a_registry_that_changes_a_signature(registry: RealRegistry) -> None:
    """The source fails, and the image is not signed."""
    reference = await registry.put_model()
    bundle = sign_image(reference.partition("@")[2], RELEASE).decode()
    await registry.attach(reference, bundle, BUNDLE_TYPE)
    registry.corrupt(bundle)
    found = await read(registry, reference, SourceField.SERVERS)
    assert isinstance(found, Failed)
    assert found.reason == "DigestMismatch"
    assert judged(reference, found).signed == ()
