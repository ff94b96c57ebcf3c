"""Reads manifests, lists of referrers and blobs by digest. Every byte is checked against one.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

import hashlib
import ssl
from types import TracebackType
from typing import Self

import aiohttp
import yarl

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded
from quorate.evidence.oci import INDEX_TYPE, MANIFEST_TYPE, Descriptor, Reference, parse_index
from quorate_io.registry.challenge import TOKEN_ANSWER_BYTES, parse_challenge, parse_token
from quorate_io.registry.credentials import Credentials
from quorate_io.registry.exchange import Answer, Asked, get
from quorate_io.registry.failures import RegistryFailed, Why
from quorate_io.registry.off_loop import OffLoop
from quorate_io.registry.resolver import GuardedResolver
from quorate_io.registry.rules import RegistryRules

CONNECTIONS = 32
PAGES_MAX = 8
"""Pages of one list of referrers."""


class RegistryClient:
    """Asks the registries that ``rules`` allow. Raises RegistryFailed, and nothing else.

    Use it as an asynchronous context manager, or call :meth:`close`.
    """

    def __init__(
        self, rules: RegistryRules, credentials: Credentials, context: ssl.SSLContext
    ) -> None:
        self._rules = rules
        self._credentials = credentials
        self._context = context
        self._session: aiohttp.ClientSession | None = None
        self.off_loop = OffLoop()
        """Where what registries answer is parsed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        self.off_loop.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def visit(self, reference: Reference) -> "Visit":
        """Ask about what ``reference`` names. Raises RegistryFailed if its registry may not be."""
        self._rules.origin(reference.registry)
        session, rules = self.opened(), self._rules
        return Visit(session, rules, self._credentials, reference, off_loop=self.off_loop)

    def opened(self) -> aiohttp.ClientSession:
        """The session that dials only what the rules allow."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._context, limit=CONNECTIONS, resolver=GuardedResolver(self._rules)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "quorate"},
            )
        return self._session


class Visit:
    """A few questions about one repository. What it was let in with is forgotten with it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        rules: RegistryRules,
        credentials: Credentials,
        reference: Reference,
        actions: str = "pull",
        off_loop: OffLoop | None = None,
    ) -> None:
        self._session = session
        self._off_loop = off_loop or OffLoop()
        self._actions = actions
        self._rules = rules
        self._reference = reference
        self._origin = rules.origin(reference.registry)
        self._credential = credentials.of(reference.registry)
        self._authorization = ""

    async def referrers(self, artifact_type: str) -> tuple[Descriptor, ...]:
        """What is attached to the reference, by its list of referrers or the fallback tag.

        Entries of another artifact type are left out.
        """
        url = self._url("referrers", self._reference.digest).with_query(artifactType=artifact_type)
        answer = await self._get(url, INDEX_TYPE, limits.OCI_INDEX_BYTES)
        if answer is None:
            # A registry without such a list answers 404.
            tag = self._url("manifests", self._reference.fallback_tag)
            answer = await self._get(tag, INDEX_TYPE, limits.OCI_INDEX_BYTES)
            return () if answer is None else _bounded(await self._entries(answer, artifact_type))
        found = await self._entries(answer, artifact_type)
        for _ in range(PAGES_MAX - 1):
            if answer.following is None or len(found) > limits.DOCUMENTS_PER_SOURCE:
                return _bounded(found)
            if answer.following.origin() != answer.url.origin():
                raise _malformed("the next page of the referrers is elsewhere")
            answer = await self._get(answer.following, INDEX_TYPE, limits.OCI_INDEX_BYTES)
            if answer is None:
                raise _malformed("the next page of the referrers is not there")
            found += await self._entries(answer, artifact_type)
        raise RegistryFailed(Why.TOO_MANY, f"the list of referrers has over {PAGES_MAX} pages")

    async def signatures(self) -> bytes | None:
        """The manifest of signatures under the image's own tag, None if there is no such tag.

        Nothing vouches for what a tag names: only the signatures in it count.
        """
        url = self._url("manifests", self._reference.signature_tag)
        answer = await self._get(url, MANIFEST_TYPE, limits.OCI_ARTIFACT_BYTES)
        if answer is not None and answer.content_type != MANIFEST_TYPE:
            raise _malformed(
                f"{self._reference.signature_tag} is of type {answer.content_type[:80]}"
            )
        return answer.body if answer else None

    async def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest that a descriptor names."""
        if descriptor.media_type != MANIFEST_TYPE:
            raise _malformed(f"a referrer is of type {descriptor.media_type[:80]}")
        return await self._checked("manifests", descriptor, limits.OCI_ARTIFACT_BYTES)

    async def blob(self, descriptor: Descriptor) -> bytes:
        """The blob that a descriptor names, as large as a document may be."""
        return await self._checked("blobs", descriptor, limits.EVIDENCE_BYTES)

    async def _entries(self, answer: Answer, artifact_type: str) -> list[Descriptor]:
        if answer.content_type != INDEX_TYPE:
            raise _malformed(f"the list of referrers is of type {answer.content_type[:80]}")
        body = answer.body
        try:
            entries = await self._off_loop.run(len(body), lambda: parse_index(body))
        except InvalidInput as error:
            if isinstance(error, LimitExceeded) and error.field == "manifests":
                raise RegistryFailed(Why.TOO_MANY, str(error)) from None
            raise _malformed(str(error)) from None
        # Filtering is the registry's choice.
        return [entry for entry in entries if entry.artifact_type == artifact_type]

    async def _checked(self, kind: str, descriptor: Descriptor, bytes_max: int) -> bytes:
        if descriptor.size > bytes_max:
            raise RegistryFailed(
                Why.TOO_LARGE,
                f"{descriptor.digest} has {descriptor.size} bytes; at most {bytes_max} are read",
            )
        url = self._url(kind, descriptor.digest)
        answer = await self._get(url, descriptor.media_type, descriptor.size)
        if answer is None:
            raise RegistryFailed(Why.NOT_FOUND, f"the registry has no {descriptor.digest}")
        found = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if (found, len(answer.body)) != (descriptor.digest, descriptor.size):
            raise RegistryFailed(
                Why.DIGEST_MISMATCH,
                f"the registry answered other bytes than {descriptor.digest}",
                fix="do not use this registry until it is known why",
            )
        return answer.body

    async def _get(self, url: yarl.URL, accept: str, bytes_max: int) -> Answer | None:
        """The answer if it is 200, None if it is 404."""
        answer = await self._ask(url, accept, bytes_max)
        if answer.status == 401 and not self._authorization:
            self._authorization = await self._authorize(answer)
            answer = await self._ask(url, accept, bytes_max)
        if answer.status in (200, 404):
            return answer if answer.status == 200 else None
        host = self._reference.registry
        if answer.status in (401, 403):
            raise RegistryFailed(
                Why.DENIED,
                f"{host} does not let us read {self._reference.repository}",
                fix="see the credentials: the chart value evidence.dockerConfig for the operator, "
                "the Docker configuration for the command line",
            )
        if answer.status == 429 or answer.status >= 500:
            raise RegistryFailed(Why.UNAVAILABLE, f"{host} answered HTTP {answer.status}")
        raise _malformed(f"{host} answered HTTP {answer.status}")

    async def _ask(self, url: yarl.URL, accept: str, bytes_max: int) -> Answer:
        asked = Asked(url, self._origin, accept, bytes_max, self._authorization)
        return await get(self._session, self._rules, asked)

    async def _authorize(self, answer: Answer) -> str:
        """The Authorization header that the registry asks for; empty if there is none to give."""
        challenge = parse_challenge(answer.challenge)
        basic = self._credential.header if self._credential else ""
        if challenge is None or challenge.scheme == "basic":
            return basic
        # The scope is ours: what is asked for is never more than is needed in this repository.
        query = {"scope": f"repository:{self._reference.repository}:{self._actions}"}
        if challenge.service:
            query["service"] = challenge.service
        try:
            realm = yarl.URL(challenge.realm)
            url = realm.update_query(query)
            # The credential is the registry's, so its own token server may have it.
            origin = url.origin()
        except ValueError:
            raise _malformed("the registry names no token server") from None
        self._rules.check(url, self._origin)
        asked = Asked(url, origin, "application/json", TOKEN_ANSWER_BYTES, basic)
        found = await get(self._session, self._rules, asked)
        if found.status != 200:
            return ""
        try:
            return f"Bearer {parse_token(found.body)}"
        except InvalidInput as error:
            raise _malformed(str(error)) from None

    def _url(self, kind: str, name: str) -> yarl.URL:
        return self._origin.with_path(f"/v2/{self._reference.repository}/{kind}/{name}")


def _bounded(found: list[Descriptor]) -> tuple[Descriptor, ...]:
    if len(found) > limits.DOCUMENTS_PER_SOURCE:
        raise RegistryFailed(
            Why.TOO_MANY,
            f"there are more than the {limits.DOCUMENTS_PER_SOURCE} referrers that are read",
            fix="remove those that are no longer needed, or use another artifactType",
        )
    return tuple(found)


def _malformed(message: str) -> RegistryFailed:
    return RegistryFailed(Why.MALFORMED, message)
