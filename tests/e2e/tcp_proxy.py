"""A TCP proxy whose lines can be cut: the network between a worker and the hub."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

CHUNK = 64 * 1024


def _ignore(data: bytes) -> None:
    pass


class TcpProxy:
    """Carries connections to ``port`` of this machine, in a thread of its own, until it is closed. ``watch`` is called
    with what clients send.

    ``stall``: nothing passes any more, and nobody is told, as when a cable is pulled; what was sent arrives after
    ``mend``. ``lose``: the same for the present connections and for ever, as when an address changes; new ones are
    fine. ``cut``: connections break, and new ones are refused.
    """

    def __init__(self, port: int, watch: Callable[[bytes], None] | None = None) -> None:
        self._target = port
        self._watch = watch or _ignore
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stall(self) -> None:
        self._loop.call_soon_threadsafe(self._flows.clear)

    def lose(self) -> None:
        self._call(self._lose())

    def cut(self) -> None:
        self._call(self._break())

    def mend(self) -> None:
        self._refuses = False
        self._loop.call_soon_threadsafe(self._flows.set)

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _lose(self) -> None:
        self._flows.clear()
        self._flows = asyncio.Event()
        self._flows.set()

    async def _break(self) -> None:
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._break()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink, watch in ((reader, there_writer, self._watch), (there_reader, writer, _ignore)):
            self._writers.add(sink)
            task = self._loop.create_task(self._carry(source, sink, watch, self._flows))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        watch: Callable[[bytes], None],
        flows: asyncio.Event,
    ) -> None:
        try:
            while data := await source.read(CHUNK):
                watch(data)
                await flows.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass  # one side is gone, and now the other hears of it
        finally:
            self._writers.discard(sink)
            sink.close()
