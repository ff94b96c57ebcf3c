"""The channels to all members: whom to ask, by the newest epoch that is followed.

The chain says who they are, a template of a URL where each of them is.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from quorate.consensus.epoch import Epoch
from quorate.consensus.history import History
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.errors import InvalidInput, QuorateError, Unavailable
from quorate.manifest import check_digest
from quorate.names import MEMBER_MARK
from quorate.ports import Clock
from quorate_io import member_api
from quorate_io.member_channel import MemberChannel, MemberRefused, Request, member_url
from quorate_io.member_trust import Followed
from quorate_io.polling import Poll, Stragglers

ONE_NAME: Final = "member"
"""Names the only channel of a URL without a template, if nobody named its member."""
HISTORY_SECONDS = 30.0
"""How old what is known of the epochs may be before members are asked again. A statement of a newer
epoch is a reason to ask at once; a quarantine is heard of within this time though nobody names it.
"""
LEARN_SECONDS = 1.0
"""How long what is known waits for members that do not answer. They are heard when they do."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)
_SAID_MAX = 5
"""Members whose errors a message repeats."""
_SAID_CHARS = 500


class MemberChannels:
    """Channels by member. For one event loop."""

    def __init__(
        self,
        url: str,
        members: Sequence[str],
        genesis_digest: str,
        token_file: Path | None,
        clock: Clock,
    ) -> None:
        """``url`` is https://HOST[:PORT]; HOST may hold ``{member}``. ``members`` are asked until
        an epoch is known. Without a ``token_file`` no member is shown a token: that is enough for
        the epochs. Raises InvalidInput."""
        check_digest(genesis_digest, "genesis digest")
        member_url(_filled(url, "member"))
        if MEMBER_MARK in url and not 1 <= len(members) <= MEMBERS_MAX:
            raise InvalidInput(f"must be 1 to {MEMBERS_MAX}", field="members")
        if len(set(members)) != len(members) or not all(_NAME.match(name) for name in members):
            raise InvalidInput("must be distinct DNS labels", field="members")
        self._url = url
        self._token_file = token_file
        self._clock = clock
        self._followed = Followed(genesis_digest)
        self._seen: History | None = None
        self._learned_at = float("-inf")
        self._told = False
        """Whether a member ever told all that it knows."""
        self._learning = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._late = Stragglers()
        names = members if MEMBER_MARK in url else [members[0] if members else ONE_NAME]
        self._channels = {name: self._channel(name) for name in names}

    @property
    def known(self) -> History | None:
        """The epochs that are followed so far; None before any."""
        return self._followed.history

    def current(self) -> Mapping[str, MemberChannel]:
        """The channels to the members of the newest epoch whose word counts, by name."""
        history = self._followed.history
        if history is not self._seen and history is not None and MEMBER_MARK in self._url:
            self._seen = history
            self._follow(history)
        return self._channels

    def seated(self, epoch: Epoch) -> Mapping[str, str]:
        """Names of channels by the seats of ``epoch`` that they lead to."""
        current = self.current()
        if MEMBER_MARK in self._url:
            return {seat: seat for seat in epoch.members if seat in current}
        # One channel leads to a seat if there is one, or if it was verified whose it is.
        (name,) = current
        only = next(iter(epoch.members)) if len(epoch.members) == 1 else self.member(name)
        return {only: name} if only is not None else {}

    def member(self, name: str) -> str | None:
        """Whose channel ``name`` is, as far as that was verified and is one member's."""
        channel = self._channels.get(name)
        return channel.member if channel is not None else None

    def url_of(self, host: str) -> str:
        """The URL at which somebody serves whose name stands in the template instead of a member's.
        Raises Unavailable if there is no template, or for what is no part of a host's name."""
        if MEMBER_MARK not in self._url or _NAME.match(host) is None:
            raise Unavailable(f"it is not known where {host} is")
        return _filled(self._url, host)

    async def close(self) -> None:
        """Close all connections."""
        await self._late.close()
        await asyncio.gather(*self._closing, *(one.close() for one in self._channels.values()))

    async def history(self, *, newer: bool = False) -> History:
        """The epochs from the pinned genesis to the newest that a member told of.

        Members are asked again after HISTORY_SECONDS, and at once if ``newer``. What was certified
        stays true: while none of them answers, what is known counts. Raises QuorateError if no
        member ever told of any.
        """
        asked_at = asyncio.get_running_loop().time()
        async with self._learning:
            since = asked_at if newer else asked_at - HISTORY_SECONDS
            if not self._told or self._learned_at < since:
                await self._learn()
                self._learned_at = asyncio.get_running_loop().time()
            if self.known is None:
                raise Unavailable("no member answered")
            return self.known

    def ask(self, request: Request, late: Stragglers | None = None) -> Poll[bytes]:
        """Ask all members the same. Who is too late is left to ``late``, or to end by itself."""
        calls = {name: self.call(name, request) for name in self.current()}
        return Poll(calls, late or self._late)

    async def call(self, name: str, request: Request) -> bytes:
        """Ask one member, within the request's time-out. Raises as MemberChannel.call."""
        channel = self.current().get(name)
        if channel is None:
            raise Unavailable(f"{name} is no member any more")
        try:
            async with asyncio.timeout(request.timeout):
                return await channel.call(request)
        except TimeoutError:
            raise Unavailable(f"{name} did not answer within {request.timeout:g} s") from None

    async def _learn(self) -> None:
        """Ask all members for their chains. Raises QuorateError if none ever told all of it."""
        asked = self.current()
        failures = await self._hear(asked)
        if not self._told and self.current() is not asked:
            # Nobody who was named is a member any more; but they know who is.
            asked = self.current()
            failures = await self._hear(asked)
        if not self._told:
            raise failure(failures, 0, len(asked))

    async def _hear(self, channels: Mapping[str, MemberChannel]) -> dict[str, QuorateError]:
        """Follow what they tell; one that lies could keep the newest back.

        One more than may lie is enough; who is slow is not waited for if anything is known.
        """
        told, failures = 0, dict[str, QuorateError]()
        loop = asyncio.get_running_loop()
        end = loop.time() + LEARN_SECONDS
        calls = {name: channel.learn() for name, channel in channels.items()}
        async with Poll(calls, self._late) as poll:
            while not self._told or told <= self._tolerated():
                left = max(0.0, end - loop.time()) if self._told else None
                answer = await poll.next(left)
                if answer is None:
                    break
                name, outcome = answer
                if isinstance(outcome, QuorateError):
                    failures[name] = outcome
                else:
                    told, self._told = told + 1, True
        return failures

    def _tolerated(self) -> int:
        """How many may lie, as far as is known."""
        known = self.known
        return known.head.record.thresholds.r if known is not None else 0

    def _follow(self, history: History) -> None:
        """Take up the members that are new, and part from those that are none any more."""
        standing = [name for name in history.standing(history.head) if _NAME.match(name)]
        for name in set(self._channels) - set(standing):
            task = asyncio.ensure_future(self._channels[name].close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._channels = {
            name: self._channels.get(name) or self._channel(name) for name in standing
        }

    def _channel(self, name: str) -> MemberChannel:
        seat = name if MEMBER_MARK in self._url else None
        url = _filled(self._url, name)
        return MemberChannel(url, self._followed, self._token_file, self._clock, seat)


def failure(
    failures: Mapping[str, QuorateError], answered: int, asked: int, note: str = ""
) -> QuorateError:
    """What it comes to that only ``answered`` of the ``asked`` members did; ``note`` is said first.

    Of the only member it is its own error; MemberRefused if all gave the same reason.
    """
    errors = list(failures.values())
    if asked == 1 and len(errors) == 1:
        return errors[0]
    said = [f"{name}: {_without_fix(error)}" for name, error in sorted(failures.items())]
    if len(said) > _SAID_MAX:
        said[_SAID_MAX:] = [f"and {len(said) - _SAID_MAX} more"]
    heard = [f"{answered} of {asked} members answered", *([note] if note else [])]
    message = "; ".join([*heard, *said])
    refused = {(one.status, one.reason) for one in errors if isinstance(one, MemberRefused)}
    fix = next((error.fix for error in errors if error.fix), "")
    if len(refused) == 1 and all(isinstance(error, MemberRefused) for error in errors):
        ((status, reason),) = refused
        body = member_api.ErrorBody(reason=reason, message=message, fix=fix)
        return MemberRefused(status, body)
    return Unavailable(message, fix=fix)


def _without_fix(error: QuorateError) -> str:
    where = f"{error.field}: " if error.field else ""
    return f"{where}{error.message}"[:_SAID_CHARS]


def _filled(url: str, name: str) -> str:
    """The URL of one member. Raises InvalidInput unless only the host names it, if anything."""
    scheme, separator, rest = url.partition("://")
    host, colon, port = rest.rpartition(":")
    if not colon:
        host, port = rest, ""
    if MEMBER_MARK in scheme or MEMBER_MARK in port or host.count(MEMBER_MARK) > 1:
        raise InvalidInput(
            f"must be https://HOST[:PORT] with {MEMBER_MARK} in HOST at most", field=url
        )
    return f"{scheme}{separator}{host.replace(MEMBER_MARK, name)}{colon}{port}"
