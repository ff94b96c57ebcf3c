"""What the members say of the chain: whether they sign a record, and how far each of them is."""

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

from quorate.consensus.history import History
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import QuorateError
from quorate_io.member_api import Proposal
from quorate_io.operator_client import MemberLink, OperatorClient
from quorate_operator.reconcile.committee_chain import Tail
from quorate_operator.reconcile.committee_plan import Answer

ASK_SECONDS = 20.0
"""For the answers of all members. One that recomputes large evidence takes seconds; who is later is
asked again."""

log = logging.getLogger(__name__)


class CommitteeMembers:
    """All members, asked at once."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client

    def links(self) -> Sequence[MemberLink]:
        """All of them, in the order of their seats."""
        return self._client.members()

    async def history(self, *, newer: bool = False) -> History:
        """What they know of the epochs. Raises QuorateError."""
        return await self._client.history(newer=newer)

    async def endorsements(
        self, proposal: Proposal, names: Iterable[str]
    ) -> AsyncGenerator[tuple[str, Answer], None]:
        """Ask these members to sign; each answer as it comes, and who did not at the end."""
        wanted = set(names)
        tasks = {
            asyncio.ensure_future(_asked(link, proposal)): link.name
            for link in self._client.members()
            if link.name in wanted
        }
        for name in sorted(wanted - set(tasks.values())):
            yield name, "it is not known where it is yet"
        end = asyncio.get_running_loop().time() + ASK_SECONDS
        waiting = set(tasks)
        try:
            while waiting:
                left = max(0.0, end - asyncio.get_running_loop().time())
                done, waiting = await asyncio.wait(
                    waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in done:
                    yield tasks[task], task.result()
            for task in waiting:
                yield tasks[task], f"no answer within {ASK_SECONDS:g} s"
        finally:
            for task in tasks:
                task.cancel()

    async def told(self, after: int) -> dict[str, Tail]:
        """What each member that answers knows beyond epoch ``after``. None of it is verified."""
        links = self._client.members()
        found = await asyncio.gather(*(_told(link, after) for link in links))
        return {
            link.name: tail for link, tail in zip(links, found, strict=True) if tail is not None
        }

    async def show(self, names: Iterable[str], tail: Tail) -> None:
        """Show these members every record of ``tail``, in order. What one refuses is logged."""
        wanted = set(names)
        links = [link for link in self._client.members() if link.name in wanted]
        await asyncio.gather(*(_shown(link, tail) for link in links))


async def _asked(link: MemberLink, proposal: Proposal) -> Answer:
    try:
        answer = await link.propose(proposal)
    except QuorateError as error:
        return str(error)
    found = answer.endorsement or answer.declined
    return found if found is not None else "it said neither yes nor no"


async def _told(link: MemberLink, after: int) -> Tail | None:
    try:
        return await link.chain(after)
    except QuorateError as error:
        log.info("%s does not tell its chain: %s", link.name, error)
        return None


async def _shown(link: MemberLink, tail: Iterable[CertifiedRecord]) -> None:
    for certified in tail:
        try:
            await link.show(certified)
        except QuorateError as error:
            # An earlier one may be missing there, and is learnt from other members.
            log.info("%s does not take epoch %d: %s", link.name, certified.record.number, error)


def evidence_in(config_map: Mapping[str, Any], key: str) -> bytes:
    """The value of ``key`` in a ConfigMap: in ``binaryData``, or in ``data``, where kubectl puts
    what is text. Raises ValueError."""
    binary = (config_map.get("binaryData") or {}).get(key)
    if binary is not None:
        try:
            return base64.b64decode(binary, validate=True)
        except binascii.Error as error:
            raise ValueError(f"binaryData {key} is not Base64: {error}") from None
    text = (config_map.get("data") or {}).get(key)
    if text is None:
        raise ValueError(f"holds no {key}")
    return str(text).encode("utf-8")
