"""A TCP proxy whose server seems far away: what the server says arrives later by a fixed time.

``python -m tests.bench.committee.delay LISTEN TARGET MILLISECONDS`` serves until it is ended, and
says ``ready`` on standard output. Bytes are delayed, not slowed: any number may be under way.
"""

import asyncio
import sys
from dataclasses import dataclass

import uvloop

CHUNK = 65_536


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host, int(port)


@dataclass(frozen=True)
class Delay:
    """Forwards to ``target``; its answers arrive after ``seconds``."""

    target: tuple[str, int]
    seconds: float

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, until either side has ended it."""
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._carry(reader, far_writer, 0.0), self._carry(far_reader, writer, self.seconds)
        )

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, seconds: float
    ) -> None:
        loop = asyncio.get_running_loop()
        data = b"begin"
        while data:
            try:
                data = await source.read(CHUNK)
            except OSError:
                data = b""
            if not seconds:
                _deliver(sink, data)
            else:
                loop.call_later(seconds, _deliver, sink, data)


def _deliver(sink: asyncio.StreamWriter, data: bytes) -> None:
    if sink.is_closing():
        return
    if data:
        sink.write(data)
    else:
        sink.close()


async def _main(listen: str, target: str, milliseconds: str) -> None:
    delay = Delay(address(target), int(milliseconds) / 1000)
    host, port = address(listen)
    server = await asyncio.start_server(delay.serve, host, port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
