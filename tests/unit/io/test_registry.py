import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yarl
from aiohttp import ClientTimeout, web
from aiohttp.abc import AbstractResolver, ResolveResult

from quorate import limits
from quorate.api.v1alpha1.document_source import ENVELOPE_TYPE
from quorate.errors import InvalidInput
from quorate.evidence.oci import INDEX_TYPE, MANIFEST_TYPE, Descriptor, parse_reference
from quorate_io.registry import (
    Credential,
    Credentials,
    RegistryClient,
    RegistryFailed,
    RegistryRules,
    Why,
    exchange,
    parse_credentials,
)
from quorate_io.registry.challenge import parse_challenge
from quorate_io.registry.client import Visit
from quorate_io.registry.resolver import AddressRefused, GuardedResolver
from tests.fakes.registry import (
    REPOSITORY,
    FakeRegistry,
    digest,
    drips,
    pours,
    says,
)

LIST = f"/v2/{REPOSITORY}/referrers/"
BLOBS = f"/v2/{REPOSITORY}/blobs/"
JSON = {"Content-Type": INDEX_TYPE}


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """A registry on loopback."""
    async with FakeRegistry().serving() as found:
        yield found


def client(
    registry: FakeRegistry, credentials: Credentials | None = None, **rules: Any
) -> RegistryClient:
    """A client that may ask this registry, without TLS."""
    hosts = frozenset({registry.host})
    allowed = RegistryRules(registries=hosts, plain_http=hosts, **rules)
    context = ssl.create_default_context()
    return RegistryClient(allowed, credentials or Credentials(), context)


def visit(asking: RegistryClient, registry: FakeRegistry) -> Visit:
    """A visit to what everything is attached to."""
    return asking.visit(parse_reference(registry.reference()))


async def failure(registry: FakeRegistry, **details: Any) -> RegistryFailed:
    """Why the list of referrers was not read."""
    async with client(registry, **details) as asking:
        with pytest.raises(RegistryFailed) as caught:
            await visit(asking, registry).referrers(ENVELOPE_TYPE)
    return caught.value


# Reading --------------------------------------------------------------------------------------
@pytest.mark.requirement("evidence is read by digest, from the list of referrers")
@pytest.mark.parametrize("lists", [True, False])
async def test_attached_documents_are_found(registry: FakeRegistry, lists: bool) -> None:
    """By the list of referrers, or by the fallback tag where a registry has none."""
    registry.lists = lists
    registry.attach('{"one": 1}')
    registry.sign('{"another": "type"}')
    async with client(registry) as asking:
        asked = visit(asking, registry)
        (entry,) = await asked.referrers(ENVELOPE_TYPE)
        assert digest(await asked.manifest(entry)) == entry.digest
        blob = Descriptor(ENVELOPE_TYPE, digest(b'{"one": 1}'), 10)
        assert await asked.blob(blob) == b'{"one": 1}'


@pytest.mark.parametrize("lists", [True, False])
async def test_nothing_attached_is_an_empty_list(registry: FakeRegistry, lists: bool) -> None:
    """That nothing is there is an answer, not a failure."""
    registry.lists = lists
    async with client(registry) as asking:
        assert await visit(asking, registry).referrers(ENVELOPE_TYPE) == ()


async def test_pages_are_followed(registry: FakeRegistry) -> None:
    """Referrers of all pages count."""
    registry.attach('{"n": 1}')
    first = registry.index()
    registry.entries.clear()
    registry.attach('{"n": 2}')
    link = {"Link": f'<{LIST}next?page=2>; rel="next"'} | JSON
    registry.lies[f"{LIST}sha256"] = says(200, first, link)
    registry.lies[f"{LIST}next"] = says(200, registry.index(), JSON)
    async with client(registry) as asking:
        assert len(await visit(asking, registry).referrers(ENVELOPE_TYPE)) == 2


# Lies -----------------------------------------------------------------------------------------
@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(200, b"<html>", {"Content-Type": "text/html"}), Why.MALFORMED),
        (says(200, b"{}", JSON), Why.MALFORMED),
        (says(200, b"[" * 5000, JSON), Why.MALFORMED),
        (says(200, b'{"schemaVersion": NaN}', JSON), Why.MALFORMED),
        (pours(limits.OCI_INDEX_BYTES + 10 * limits.MIB), Why.TOO_LARGE),
        (says(500), Why.UNAVAILABLE),
        (says(429), Why.UNAVAILABLE),
        (says(403), Why.DENIED),
        (says(401), Why.DENIED),
        (says(401, headers={"WWW-Authenticate": "Negotiate"}), Why.DENIED),
        (says(418), Why.MALFORMED),
        (says(200, b"", {"Content-Type": INDEX_TYPE, "Link": '<x>; rel="next"'}), Why.MALFORMED),
        (says(307, headers={"Location": "http://169.254.169.254/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://169.254.169.254/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://10.0.0.1/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://[::1]/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://[::ffff:127.0.0.1]/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://[64:ff9b::a9fe:a9fe]/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://[2002:a9fe:a9fe::]/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://localhost/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "file:///etc/passwd"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": "https://u:p@1.1.1.1/"}), Why.ADDRESS_NOT_ALLOWED),
        (says(307, headers={"Location": LIST}), Why.MALFORMED),
        (says(307), Why.MALFORMED),
    ],
)
async def test_answers_that_count_for_nothing(
    registry: FakeRegistry, answer: Any, why: Why
) -> None:
    """Each is a failure with its reason; nothing is dialled that must not be."""
    registry.lies[LIST] = answer
    assert (await failure(registry)).why is why


@pytest.mark.parametrize(
    ("count", "why"), [(33, Why.TOO_MANY), (4_000, Why.TOO_MANY), (10_000, Why.TOO_LARGE)]
)
async def test_more_referrers_than_are_read(registry: FakeRegistry, count: int, why: Why) -> None:
    """Is a failure: a choice among them could hide one."""
    registry.entries = [
        {
            "mediaType": MANIFEST_TYPE,
            "digest": f"sha256:{number:064x}",
            "size": 100,
            "artifactType": ENVELOPE_TYPE,
        }
        for number in range(count)
    ]
    assert (await failure(registry)).why is why


async def test_pages_without_end(registry: FakeRegistry) -> None:
    """A list that goes on and on is left after a few pages."""
    link = {"Link": f'<{LIST}next>; rel="next"'} | JSON
    registry.lies[LIST] = says(200, registry.index(), link)
    assert (await failure(registry)).why is Why.TOO_MANY
    assert len(registry.asked) < 12


@pytest.mark.parametrize("link", ["https://1.1.1.1/v2/", "http://169.254.169.254/"])
async def test_a_page_elsewhere(registry: FakeRegistry, link: str) -> None:
    """The next page must be where the first was."""
    registry.lies[LIST] = says(200, registry.index(), {"Link": f'<{link}>; rel="next"'} | JSON)
    assert (await failure(registry)).why is Why.MALFORMED


@pytest.mark.requirement("fault: a slow registry is left when its time is over")
async def test_a_registry_that_drips(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then is not an answer, however long it goes on."""
    timeout = ClientTimeout(total=0.3)
    monkeypatch.setattr(exchange, "_TIMEOUT", timeout)
    registry.lies[LIST] = drips()
    assert (await failure(registry)).why is Why.UNAVAILABLE


async def test_a_registry_that_is_away() -> None:
    """No connection is a failure that says so, in words that do not change."""
    async with FakeRegistry().serving() as registry:
        pass
    found = await failure(registry)
    assert found.why is Why.UNAVAILABLE
    assert str(registry.port) not in found.message


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(200, b'{"one": 2}'), Why.DIGEST_MISMATCH),
        (says(200, b'{"one": 1} '), Why.TOO_LARGE),
        (says(200, b""), Why.DIGEST_MISMATCH),
        (says(404), Why.NOT_FOUND),
        (pours(64 * limits.MIB), Why.TOO_LARGE),
    ],
)
async def test_blobs_that_are_not_what_was_named(
    registry: FakeRegistry, answer: Any, why: Why
) -> None:
    """Other bytes, or more of them, than the digest and size say are no document."""
    registry.lies[BLOBS] = answer
    async with client(registry) as asking:
        with pytest.raises(RegistryFailed) as caught:
            await visit(asking, registry).blob(Descriptor(ENVELOPE_TYPE, digest(b'{"one": 1}'), 10))
    assert caught.value.why is why


async def test_a_blob_that_says_it_is_huge_is_not_asked_for(registry: FakeRegistry) -> None:
    """The bound counts before the first byte."""
    async with client(registry) as asking:
        with pytest.raises(RegistryFailed, match="at most"):
            await visit(asking, registry).blob(Descriptor("a/b", digest(b""), 2**40))
        with pytest.raises(RegistryFailed, match="type"):
            await visit(asking, registry).manifest(Descriptor(INDEX_TYPE, digest(b""), 2))
    assert registry.asked == []


# Who is asked ---------------------------------------------------------------------------------
@pytest.mark.requirement("only registries that the platform lists are asked")
async def test_a_registry_that_is_not_listed(registry: FakeRegistry) -> None:
    """It is not asked, and the reason names the chart value."""
    asking = RegistryClient(RegistryRules(), Credentials(), ssl.create_default_context())
    with pytest.raises(RegistryFailed) as caught:
        visit(asking, registry)
    assert caught.value.why is Why.NOT_ALLOWED
    assert "evidence.registries" in caught.value.fix
    assert registry.asked == []


def test_plain_http_only_where_it_is_listed() -> None:
    """TLS unless the platform says otherwise; the hub has an address of its own."""
    rules = RegistryRules(frozenset({"a.test", "b.test:5000", "docker.io"}), frozenset({"a.test"}))
    assert str(rules.origin("a.test")) == "http://a.test"
    assert str(rules.origin("b.test:5000")) == "https://b.test:5000"
    assert rules.origin("docker.io").host == "registry-1.docker.io"


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("cdn.test", "1.1.1.1", True),
        ("cdn.test", "2606:4700::1111", True),
        ("cdn.test", "10.1.2.3", False),
        ("cdn.test", "127.0.0.1", False),
        ("cdn.test", "192.168.0.1", False),
        ("cdn.test", "100.64.0.1", False),
        ("cdn.test", "169.254.169.254", False),
        ("cdn.test", "0.0.0.0", False),  # noqa: S104 - an address to refuse
        ("cdn.test", "224.0.0.1", False),
        ("cdn.test", "fd00:ec2::254", False),
        ("cdn.test", "fe80::1", False),
        ("cdn.test", "::ffff:10.0.0.1", False),
        ("cdn.test", "64:ff9b::a00:1", False),
        ("cdn.test", "2002:a00:1::", False),
        ("registry.test", "10.1.2.3", True),
        ("registry.test", "127.0.0.1", True),
        ("registry.test", "169.254.169.254", False),
        ("registry.test", "::ffff:169.254.169.254", False),
        ("store.test", "10.1.2.3", True),
    ],
)
def test_addresses_that_may_be_dialled(host: str, address: str, allowed: bool) -> None:
    """Listed hosts anywhere but where clouds keep credentials; others at public addresses."""
    rules = RegistryRules(
        frozenset({"registry.test:5000"}), redirect_hosts=frozenset({"store.test"})
    )
    assert rules.may_dial(host, ipaddress.ip_address(address)) is allowed


class _Answers(AbstractResolver):
    """Resolves every name to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0)
            for a in self._addresses
        ]

    async def close(self) -> None:
        return None


async def test_names_that_lead_inside() -> None:
    """A public name with a private address is dialled at its public ones only, or not at all."""
    rules = RegistryRules()
    both = GuardedResolver(rules, _Answers("10.0.0.1", "1.1.1.1"))
    assert [found["host"] for found in await both.resolve("cdn.test", 443)] == ["1.1.1.1"]
    with pytest.raises(AddressRefused):
        await GuardedResolver(rules, _Answers("10.0.0.1")).resolve("cdn.test", 443)


def test_redirects_to_the_registry_itself_need_no_tls() -> None:
    """It was asked without TLS already; anywhere else must have it."""
    rules = RegistryRules(frozenset({"a.test"}), frozenset({"a.test"}))
    origin = rules.origin("a.test")
    rules.check(yarl.URL("http://a.test/elsewhere"), origin)
    rules.check(yarl.URL("https://cdn.test/blob"), origin)
    with pytest.raises(RegistryFailed):
        rules.check(yarl.URL("http://cdn.test/blob"), origin)


# Credentials ----------------------------------------------------------------------------------
SECRET = Credential("robot", "s3cret")


async def test_a_token_is_fetched_and_shown(registry: FakeRegistry) -> None:
    """The credential goes to the token server, for reading this repository, and nowhere else."""
    realm = f'Bearer realm="http://{registry.host}/token",service="here",scope="all:*:*"'

    async def listed(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == "Bearer t0ken":
            return web.Response(body=registry.index(), content_type=INDEX_TYPE)
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    registry.lies[LIST] = listed
    registry.lies["/token"] = says(200, b'{"token": "t0ken"}')
    async with client(registry, Credentials({registry.host: SECRET})) as asking:
        assert await visit(asking, registry).referrers(ENVELOPE_TYPE) == ()
    token = next(request for request in registry.asked if request.path == "/token")
    assert token.query["scope"] == f"repository:{REPOSITORY}:pull"
    assert token.headers["Authorization"] == SECRET.header


async def test_a_token_server_inside_is_not_asked(registry: FakeRegistry) -> None:
    """A registry must not have us ask addresses of its choice, least of all with a password."""
    for realm in ("http://169.254.169.254/t", "https://10.0.0.1/t", "https://localhost/t", "::"):
        registry.lies[LIST] = says(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
        found = await failure(registry, credentials=Credentials({registry.host: SECRET}))
        assert found.why in (Why.ADDRESS_NOT_ALLOWED, Why.MALFORMED)
        assert "s3cret" not in str(found)


async def test_credentials_do_not_follow_redirects(registry: FakeRegistry) -> None:
    """Where a registry sends on to sees no credential of it."""
    async with FakeRegistry().serving() as other:
        other.lies["/"] = says(200, registry.index(), JSON)

        async def listed(request: web.Request) -> web.Response:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
            location = f"http://{other.host}/elsewhere"
            return web.Response(status=307, headers={"Location": location})

        registry.lies[LIST] = listed
        found = await failure(registry, credentials=Credentials({registry.host: SECRET}))
        # Without TLS it is not even followed.
        assert found.why is Why.ADDRESS_NOT_ALLOWED
        assert other.asked == []


def test_docker_configurations() -> None:
    """Both spellings, keyed by exactly the registry; the hub by its old name."""
    found = parse_credentials(
        json.dumps(
            {
                "auths": {
                    "a.test:5000": {"auth": "cm9ib3Q6czNjcmV0"},
                    "https://b.test/v1/": {"username": "robot", "password": "s3cret"},
                    "https://index.docker.io/v1/": {"auth": "cm9ib3Q6czNjcmV0"},
                }
            }
        ).encode()
    )
    assert found.of("a.test:5000") == found.of("b.test") == found.of("docker.io") == SECRET
    assert found.of("a.test") is None
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"auths": []},
        {"auths": {"a": 1}},
        {"auths": {"a": {}}},
        {"auths": {"a": {"auth": "!"}}},
        {"auths": {"a": {"auth": "eA=="}}},
    ],
)
def test_malformed_docker_configurations(document: dict[str, Any]) -> None:
    """Refused with the field, showing nothing of what is in it."""
    with pytest.raises(InvalidInput):
        parse_credentials(json.dumps(document).encode())


def test_challenges() -> None:
    """Parameters in any order; what is not understood is no challenge."""
    found = parse_challenge('Bearer service="s",realm="https://t/",scope="x"')
    assert found is not None
    assert (found.realm, found.service) == ("https://t/", "s")
    assert parse_challenge("Bearer realm=unquoted") is None
    assert parse_challenge('Bearer service="s"') is None


async def test_questions_at_once_share_the_session(registry: FakeRegistry) -> None:
    """Many questions at once are answered, and closing twice is harmless."""
    async with client(registry) as asking:
        found = await asyncio.gather(
            *(visit(asking, registry).referrers(ENVELOPE_TYPE) for _ in range(20))
        )
        assert found == [()] * 20
        await asking.close()
