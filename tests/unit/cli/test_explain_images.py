"""``explain`` where server images must be signed: who signed, and what would help."""

from typing import Any

import pytest

from quorate.certificate import ServerImage
from quorate.evidence.image_signing import sign_image
from quorate_cli.explain.explanation import Explanation, ImageLine
from quorate_cli.explain.text import render
from tests.fakes.vouching import SERVER_DIGEST, signer, signers
from tests.unit.cli.fake_cluster import FakeCluster, answers, refusals

RELEASE = signer()
SIGNED = ServerImage(SERVER_DIGEST, ("keys/key-0",))
PLACE = "registry.example.com/serving/server"
REPORT = {"name": "ServersSigned", "status": "True", "reason": "Verified", "message": ""}


def put(
    cluster: FakeCluster,
    *images: ServerImage,
    server: dict[str, Any] | None = None,
    certified: bool = True,
    **claims: Any,
) -> None:
    """A floor that wants the image signed, and a certificate with these images."""
    model = cluster.floor()["model"] | {"serverSigners": signers(RELEASE)}
    entry = {"name": "server", "digest": SERVER_DIGEST, "signatureRepository": PLACE}
    cluster.put_floor({"model": model | {"servers": [entry if server is None else server]}})
    (policy,) = cluster.policies()
    report = cluster.report(policy)
    report["requirements"].append(REPORT)
    held = [cluster.certificate(policy, servers=images, **claims)] if certified else []
    cluster.put_model(status={"policies": [report], "certificates": held})


def line(explained: Explanation) -> ImageLine:
    """The one image."""
    (standing,) = explained.standings
    (found,) = standing.images
    return found


@pytest.mark.requirement("explain shows who signed the server image")
def test_a_certified_image_is_shown_with_its_signer(cluster: FakeCluster) -> None:
    """As the committee certified; nothing is fetched here."""
    put(cluster, SIGNED)
    explained = cluster.explain()
    assert answers(explained)["run"] == "yes"
    assert (line(explained).signed, line(explained).signed_by) == (True, ("keys/key-0",))
    text = "\n".join(render(explained, 200))
    assert "server image server is signed by keys/key-0" in text
    assert "asks for Signed, ServersSigned, Gate/red-team" in text


def test_an_unsigned_image_has_its_commands(cluster: FakeCluster) -> None:
    """Sign it and attach the signature; the policy says whose would count."""
    put(cluster)
    explained = cluster.explain()
    assert answers(explained)["run"] == "no"
    assert line(explained).signed is False
    found = refusals(explained)["ServerImageNotSigned"]
    image = f"{PLACE}@{SERVER_DIGEST}"
    assert found.remedy.commands[0].startswith(f"kubectl quorate sign --image {image} --key KEY")
    assert found.remedy.commands[1].startswith(f"kubectl quorate push {image} --bundle")
    assert "wants 1 of key-0" in found.remedy.text
    assert f"is not signed (looked for in {PLACE})" in "\n".join(render(explained, 200))


def test_an_image_that_was_not_read_is_neither(cluster: FakeCluster) -> None:
    """The pod waits, and so it says."""
    put(cluster, servers_unread=(SERVER_DIGEST,))
    explained = cluster.explain()
    assert line(explained).signed is None
    assert answers(explained) == {"create": "yes", "run": "no"}
    assert list(refusals(explained)) == ["VerificationPending"]


def test_without_a_certificate_only_the_policy_speaks(cluster: FakeCluster) -> None:
    """A signature inside it is verified here; what a registry holds is not known."""
    put(cluster, certified=False)
    explained = cluster.explain()
    assert line(explained).signed is None
    inside = [{"name": "s", "bundle": sign_image(SERVER_DIGEST, RELEASE).decode()}]
    entry = {"name": "server", "digest": SERVER_DIGEST, "signatures": inside}
    put(cluster, server=entry, certified=False)
    assert line(cluster.explain()).signed_by == ("keys/key-0",)
    stranger = [{"name": "s", "bundle": sign_image(SERVER_DIGEST, signer()).decode()}]
    put(cluster, server=entry | {"signatures": stranger}, certified=False)
    found = line(cluster.explain())
    assert found.signed is False
    assert "none of 1 accepted keys signed" in found.message
