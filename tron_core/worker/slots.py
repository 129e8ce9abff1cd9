"""A slot: one executor process, as the connection process sees it."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from tron_core.hub.protocol import Message
from tron_core.job import ErrorKind
from tron_core.worker import child
from tron_core.worker.messages import (
    MAX_LINE,
    CancelRun,
    Ended,
    Failed,
    Finished,
    FromChild,
    Ready,
    Run,
    Stop,
    line,
    parse_from_child,
)
from tron_core.worker.printed import read_printed

STOP_TIMEOUT = 5.0
"""Seconds that an idle executor process gets to end by itself."""
LAST_WORDS = 1.0
"""Seconds after a process's end in which what it sent before is still read."""
SPAWN = multiprocessing.get_context("spawn")

OnMessage = Callable[[FromChild], Awaitable[None]]


class ChildLost(Exception):
    """The executor process ended by itself; the text says how."""

    def __init__(self, message: str, kind: ErrorKind = ErrorKind.INTERNAL) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


def describe_end(exitcode: int | None) -> ChildLost:
    """How a process ended, from its exit code (negative: the signal, as multiprocessing has it)."""
    if exitcode is None or exitcode >= 0:
        return ChildLost(f"the executor process ended by itself with status {exitcode}")
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    if name == "SIGKILL":
        return ChildLost(
            "the executor process was killed by SIGKILL: most likely the machine ran out of memory",
            ErrorKind.OUT_OF_MEMORY,
        )
    return ChildLost(f"the executor process was ended by {name}")


class Slot:
    """Starts, feeds and, where it must, kills one executor process. Runs one attempt at a time.

    ``show`` takes what the process prints, ``on_lost`` is called when it ends while nothing runs. Every method is
    called on the event loop.
    """

    def __init__(
        self,
        number: int,
        sections: Mapping[str, Mapping[str, Any]],
        *,
        cancel_grace: float,
        show: Callable[[str], None],
        on_lost: Callable[[Slot], None],
    ) -> None:
        self.number = number
        self._sections = {name: dict(section) for name, section in sections.items()}
        self._cancel_grace = cancel_grace
        self._show = show
        self._on_lost = on_lost
        self._process: BaseProcess | None = None
        self._link: Link | None = None
        self._ended: asyncio.Future[int | None]
        self._serial = 0
        self._running = False
        self._stopping = False
        self._killed = False
        self._kill_timer: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    async def start(self) -> Ready:
        """Start the process and wait until its executors are loaded; raises ChildLost."""
        self._running, self._stopping, self._killed = True, False, False
        self._ended = asyncio.get_running_loop().create_future()
        link, theirs, printing = await Link.open(self._show)
        self._link = link
        self._process = SPAWN.Process(target=child.main, args=(theirs, printing, self._sections))
        self._process.start()
        theirs.close()
        printing.close()
        self._watch(self._process, self._ended)
        message = await self._next()
        if not isinstance(message, Ready):
            await self._end()
            raise ChildLost(f"the executor process began with {type(message).__name__}, not with Ready")
        self._running = False
        return message

    def next_serial(self) -> int:
        """The number of the next run."""
        self._serial += 1
        return self._serial

    async def run(self, run: Run, on_message: OnMessage) -> Ended:
        """Run to the end, however it comes: by a result, an error, a cancel, or the end of the process."""
        self._running = True
        deadline = asyncio.get_running_loop().call_later(run.deadline_s, self.cancel)
        try:
            await self._write(run)
            while not isinstance(message := await self._next(), Finished | Failed):
                await on_message(message)
            return message
        except ValueError as error:  # a line too long, or none of ours
            await self._end()
            return Failed(kind=ErrorKind.INTERNAL, message=f"the executor process is broken: {error}", retryable=True)
        except ChildLost as error:
            return self._failed(error)
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            self._running = False
            deadline.cancel()
            if self._kill_timer is not None:
                self._kill_timer.cancel()
                self._kill_timer = None

    def _failed(self, error: ChildLost) -> Failed:
        if self._stopping:
            return Failed(kind=ErrorKind.INTERNAL, message="the worker was ended while it ran", retryable=True)
        if self._killed:
            return Failed(kind=ErrorKind.INTERNAL, message="cancelled", retryable=False, cancelled=True)
        return Failed(kind=error.kind, message=error.message, retryable=True)

    def cancel(self) -> None:
        """Ask the run to stop, and kill the process after the grace time if it does not."""
        if self._running and self._link is not None and self._kill_timer is None:
            self._link.writer.write(line(CancelRun(serial=self._serial)))
            self._kill_timer = asyncio.get_running_loop().call_later(self._cancel_grace, self.kill)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._killed = True
            self._process.kill()

    async def stop(self) -> None:
        """End the process: kindly where it is idle, at once where it runs."""
        if self._process is None or self._link is None:
            return
        self._stopping = True
        if self._running:
            self.kill()
        else:
            await self._write(Stop())
            await asyncio.wait([self._ended], timeout=STOP_TIMEOUT)
            self.kill()
        await self._ended
        link = self._clear()
        if link is not None:
            await link.closed()

    async def _next(self) -> FromChild:
        assert self._link is not None
        text = await self._link.reader.readline()
        if not text:
            raise describe_end(await self._end())
        return parse_from_child(text)

    async def _end(self) -> int | None:
        """See to it that the process is gone, once its socket is of no more use; its exit code."""
        await asyncio.wait([self._ended], timeout=LAST_WORDS)
        if self._process is not None and not self._ended.done():
            self._process.kill()
        exitcode = await self._ended
        self._clear()
        return exitcode

    async def _write(self, message: Message) -> None:
        assert self._link is not None
        try:
            self._link.writer.write(line(message))
            await self._link.writer.drain()
        except ConnectionError:
            pass  # the process is gone, which the next read says, and how

    def _clear(self) -> Link | None:
        link, self._link, self._process = self._link, None, None
        if link is not None:
            link.close()
        return link

    def _watch(self, process: BaseProcess, ended: asyncio.Future[int | None]) -> None:
        """Wait for the process's end in a thread: a program that it started may keep its socket open for ever."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            process.join()
            try:
                loop.call_soon_threadsafe(self._process_ended, ended, process.exitcode)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more

        threading.Thread(target=wait, name=f"tron-slot-{self.number}", daemon=True).start()

    def _process_ended(self, ended: asyncio.Future[int | None], exitcode: int | None) -> None:
        if not ended.done():
            ended.set_result(exitcode)
        if self._running and self._link is not None:
            asyncio.get_running_loop().call_later(LAST_WORDS, self._link.writer.close)
        elif not self._stopping:
            self._clear()
            self._on_lost(self)


class Link:
    """The two sockets between the processes: messages both ways, and what the executor process prints."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        printed: asyncio.StreamReader,
        printed_writer: asyncio.StreamWriter,
        show: Callable[[str], None],
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._printed_writer = printed_writer
        self._printing = asyncio.create_task(read_printed(printed, show))

    @classmethod
    async def open(cls, show: Callable[[str], None]) -> tuple[Link, socket.socket, socket.socket]:
        """A link, and the ends that go to the executor process: for messages, and for what it prints."""
        ours, theirs = socket.socketpair()
        printed, printing = socket.socketpair()
        streams = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        printed_streams = await asyncio.open_connection(sock=printed)
        return cls(*streams, *printed_streams, show), theirs, printing

    def close(self) -> None:
        """Free the sockets; what was printed before the process's end is still shown."""
        self.writer.close()
        asyncio.get_running_loop().call_later(LAST_WORDS, self._printed_writer.close)
        self._printing.add_done_callback(lambda task: self._printed_writer.close())

    async def closed(self) -> None:
        """Wait until nothing of it is left."""
        await asyncio.wait([self._printing], timeout=LAST_WORDS)
        self._printing.cancel()
        self._printed_writer.close()
        await asyncio.gather(self.writer.wait_closed(), self._printed_writer.wait_closed(), return_exceptions=True)
