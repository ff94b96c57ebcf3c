"""Server images that a policy wants signed: refused while unsigned, serving once signed."""

from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.command_line import quorate
from tests.e2e.tenant import Document, Tenant, eventually
from tests.fakes.vouching import EXEMPT_DIGEST

RELEASE = "keys/release"


class Release:
    """A platform's release key, used as a person does: with the command line."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self._tenant = tenant
        self._folder = folder
        self.public_key = self.keygen("release")

    def keygen(self, name: str) -> str:
        """Make a key; its public half (PEM)."""
        made = quorate(self._tenant.cluster, "keygen", "--out", str(self._folder / name))
        assert made.code == 0, made.errors
        return (self._folder / f"{name}.pub").read_text()

    def sign(self, digest: str, key: str = "release") -> list[dict[str, str]]:
        """``signatures`` of an image, made with a key."""
        out = self._folder / "bundle.json"
        out.unlink(missing_ok=True)
        arguments = ("--key", str(self._folder / f"{key}.key"), "--out", str(out))
        signed = quorate(self._tenant.cluster, "sign", "--image", digest, *arguments)
        assert signed.code == 0, signed.errors
        return [{"name": key, "bundle": out.read_text()}]


def asking(tenant: Tenant, release: Release, *signatures: dict[str, str]) -> Document:
    """The tenant's policy: the pod's server with these signatures, and another, signed image."""
    scripted = {"name": "scripted", "digest": tenant.server["digest"], "kind": "other"}
    other = {"name": "other", "digest": EXEMPT_DIGEST, "signatures": release.sign(EXEMPT_DIGEST)}
    return tenant.policy(
        servers=[scripted | {"signatures": list(signatures)}, other],
        serverSigners={"keys": [{"name": "release", "publicKey": release.public_key}]},
    )


def certificates(tenant: Tenant) -> set[str]:
    """The model's certificates."""
    status = tenant.get("attestedmodel", "demo")["status"]
    return {certificate["envelope"] for certificate in status.get("certificates", ())}


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
def test_an_unsigned_server_is_refused_and_a_signed_one_serves(
    tenant: Tenant, client: Client, tmp_path: Path
) -> None:
    """Nobody's signature and a stranger's are refused with the reason and what helps; with the
    right one in the policy the same pod serves, and it is said who signed."""
    release = Release(tenant, tmp_path)
    tenant.cluster.apply(asking(tenant, release), tenant.attested())
    tenant.certified()
    said = tenant.refused(tenant.pod("demo"))
    assert "ServerImageNotSigned" in said
    assert f"quorate sign --image {tenant.server['digest']}" in said
    release.keygen("stranger")
    strangers = release.sign(tenant.server["digest"], "stranger")
    before = certificates(tenant)
    tenant.cluster.apply(asking(tenant, release, *strangers))
    eventually(lambda: certificates(tenant).isdisjoint(before), "certified under the new policy")

    def refused_for_want_of_a_signature() -> bool:
        return "ServerImageNotSigned" in tenant.refused(tenant.pod("demo"))

    eventually(refused_for_want_of_a_signature, "the stranger's signature does not count")
    signatures = release.sign(tenant.server["digest"])
    tenant.cluster.apply(asking(tenant, release, *signatures))

    def created() -> bool:
        tenant.cluster.apply(tenant.pod("demo"), tenant.service("demo"))
        return True

    eventually(created, "the signed server is admitted")
    tenant.running("demo")
    answer = client.chat(f"demo.{tenant.namespace}.svc", "echo:signed")
    assert (answer.status, answer.text) == (200, "signed")
    told = quorate(tenant.cluster, "explain", "pod/demo", "-n", tenant.namespace)
    assert RELEASE in told.output
