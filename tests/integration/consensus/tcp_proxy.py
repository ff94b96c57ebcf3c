"""A TCP proxy in front of a member: passes bytes on late, or in one direction, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

BYTES = 65_536


@dataclass
class TcpProxy:
    """Listens at ``host``:``port`` and passes on to ``to_port`` of the same host."""

    host: str
    port: int
    to_port: int
    seconds: float = 0.0
    """How late bytes of the member come."""
    hears: bool = True
    """Whether what is sent to the member arrives."""
    heard: bool = True
    """Whether what the member sends arrives."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["TcpProxy"]:
        """Serve while the block runs."""
        server = await asyncio.start_server(self._connected, self.host, self.port)
        try:
            yield self
        finally:
            server.close()
            self.drop()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def drop(self) -> None:
        """End all connections, as after a cut that lasted."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(self.host, self.to_port)
            self._writers.add(back)
            await asyncio.gather(
                self._pass(reader, back, late=False), self._pass(there, writer, late=True)
            )
        writer.close()

    async def _pass(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, late: bool
    ) -> None:
        """Until the end of one side."""
        with contextlib.suppress(OSError):
            while data := await source.read(BYTES):
                if not (self.heard if late else self.hears):
                    continue
                await asyncio.sleep(self.seconds if late else 0.0)
                if not (self.heard if late else self.hears):
                    continue
                to.write(data)
                await to.drain()
        to.close()
