"""One member's channel for asks, over the channels that everything else goes by."""

from typing import Final

from quorate.consensus import wire
from quorate_io import member_api
from quorate_io.member_channel import Request
from quorate_io.member_channels import MemberChannels

TIMEOUT: Final = wire.LEFT_MS_MAX / 1000 + 1.0
"""Seconds; whoever asks waits for less."""


class AskChannel:
    """The member ``name``; a :class:`quorate_io.asking.Channel`."""

    def __init__(self, channels: MemberChannels, name: str) -> None:
        self._channels = channels
        self._name = name

    async def exchange(self, message: bytes) -> bytes:
        """Send an ask, return the answer, unverified. Raises QuorateError if there is none."""
        request = Request(
            "POST",
            member_api.ASKS_PATH,
            wire.ANSWER_BYTES,
            TIMEOUT,
            message,
            content_type=member_api.ASKS_TYPE,
        )
        return await self._channels.call(self._name, request)
