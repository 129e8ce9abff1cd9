"""The worker: puts connection, slots and attempts together, and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import platform
import re
import shutil
import socket
import tempfile
import time
from collections import deque
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tron_core.errors import ConfigError
from tron_core.hub.protocol import (
    Cancel,
    ErrorMessage,
    Fault,
    FromHub,
    Hardware,
    Hello,
    Idle,
    JobMessage,
    Message,
    Notice,
    ResultMessage,
    Settled,
    Ticket,
    Welcome,
)
from tron_core.job import ErrorKind
from tron_core.worker.address import HubAddress, hub_address
from tron_core.worker.attempts import Attempts, HeldAttempt, Key
from tron_core.worker.config import WorkerSettings
from tron_core.worker.connection import HubConnection
from tron_core.worker.console import LONG_JOB, LogConsole, SlotView, WorkerConsole, WorkerView
from tron_core.worker.hardware import find_hardware
from tron_core.worker.pool import SlotPool
from tron_core.worker.slots import Slot
from tron_core.worker.tokens import TOKEN_PATH, TokenSource, WorkerAuth
from tron_core.worker.transfer import Inputs, http_client
from tron_core.worker.uploads import AttemptUploads, Uploader, mentions
from tron_core.worker.work import Work

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT = 10.0
"""Seconds that the connection gets to end in good order, once nothing is held any more."""


async def run_worker(
    settings: WorkerSettings,
    auth: WorkerAuth,
    *,
    stop: asyncio.Event,
    console: WorkerConsole | None = None,
    allow_plaintext: bool = False,
    random: Random | None = None,
) -> None:
    """Work for the hub until ``stop`` is set; then finish what runs, see it settled, and return.

    Cancelling ends it at once: running attempts are given up, and the hub hands them to others. ``random`` decides
    how long to wait between tries. Raises ConfigError for settings that cannot be used, WorkerStopped where going on
    is of no use.
    """
    if settings.hub.url is None:
        raise ConfigError("hub.url is not set: say which hub to work for, for example --hub wss://hub.example.org:6789")
    hub = settings.hub
    address = hub_address(
        settings.hub.url,
        http=hub.http or auth.http,
        ca=hub.ca,
        certificate=hub.certificate,
        key=hub.key,
        allow_plaintext=allow_plaintext,
    )
    scratch = Path(tempfile.mkdtemp(prefix="tron-worker-"))
    try:
        async with http_client(address) as http:
            token_url = auth.token_url or address.http + TOKEN_PATH
            tokens = TokenSource(auth, token_url, http, path=settings.hub.auth)
            worker = Worker(
                settings,
                address,
                tokens,
                http,
                console=console or LogConsole(),
                scratch=scratch,
                random=random or Random(),
            )
            await worker.run(stop)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def default_name() -> str:
    """This machine's name, in the characters that a worker's name may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "worker"


class Worker:
    """One worker: what the hub says becomes work in the slots, and what comes of it is held until it is settled."""

    def __init__(
        self,
        settings: WorkerSettings,
        address: HubAddress,
        tokens: TokenSource,
        http: httpx.AsyncClient,
        *,
        console: WorkerConsole,
        scratch: Path,
        random: Random,
    ) -> None:
        name, count = settings.worker.name or default_name(), settings.worker.slots
        self._software = f"tron-core/{version('tron-core')} Python/{platform.python_version()}"
        self._scratch = scratch
        self._console = console
        self._view = WorkerView(name, address.websocket, [SlotView() for _ in range(count)])
        self._hardware = Hardware()
        self._attempts = Attempts()
        self._works: dict[Key, Work] = {}
        self._waiting: deque[Work] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._nothing_held = asyncio.Event()
        self._nothing_held.set()
        self._serial = 0
        self._inputs = Inputs(http, random)
        self._connection = HubConnection(address, tokens, self, user_agent=self._software, random=random)
        self._uploader = Uploader(http, random, self._connection.send_when_online)
        self._pool = SlotPool(
            self._view.slots,
            settings.executors,
            cancel_grace=settings.worker.cancel_grace,
            console=console,
            random=random,
            tell=lambda status: self._spawn(self._send(status)),
            free=self._start_waiting,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """As ``run_worker``."""
        self._console.begin(self._view)
        try:
            if not await _unless(stop, self._start()):
                return
            connection = asyncio.create_task(self._connection.run())
            drain = asyncio.create_task(self._drain(stop))
            try:
                await asyncio.wait({connection, drain}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({connection}, timeout=CLOSE_TIMEOUT)
                if connection.done():
                    connection.result()
            finally:
                await _cancel({connection, drain})
        finally:
            await self._end()
            self._console.end()

    async def _start(self) -> None:
        self._hardware, _ = await asyncio.gather(find_hardware(), self._pool.start())
        self._view.capabilities = tuple(self._pool.announced)
        self._console.tell("info", f"{self._view.name} offers {', '.join(self._view.capabilities)}")

    async def _drain(self, stop: asyncio.Event) -> None:
        await stop.wait()
        held = len(self._attempts)
        jobs = "1 job is" if held == 1 else f"{held} jobs are"
        self._console.tell("info", f"stopping: {jobs} finished first" if held else "stopping")
        await self._connection.drain()
        await self._nothing_held.wait()
        await self._connection.close()

    async def _end(self) -> None:
        self._waiting.clear()
        await self._pool.stop()
        await _cancel(self._tasks)
        await asyncio.gather(*(work.uploads.stop() for work in self._works.values()))

    # The connection's Peer

    @property
    def holding(self) -> bool:
        return len(self._attempts) > 0

    def hello(self) -> Hello:
        return Hello(
            worker=self._view.name,
            software=self._software,
            capabilities=self._pool.announced,
            slots=len(self._view.slots),
            hardware=self._hardware,
            resuming=self._attempts.resuming(),
        )

    async def welcomed(self, welcome: Welcome) -> None:
        resumed = {(held.job, held.attempt) for held in welcome.resume}
        for held in self._attempts:
            if held.key not in resumed:
                self._forget(held.key)
                continue
            for message in held.restart():
                await self._send(message)

    def received(self, message: FromHub) -> None:
        if isinstance(message, JobMessage):
            self._job(message)
        elif isinstance(message, Settled):
            self._forget((message.job, message.attempt))
        elif isinstance(message, Ticket):
            work = self._works.get((message.job, message.attempt))
            if work is not None:
                work.uploads.ticket(message)
        elif isinstance(message, Cancel):
            self._cancelled(message)
        elif isinstance(message, Idle):
            self._view.idle = ", ".join(f"{count} × {reason}" for reason, count in message.skipped.items())
            self._console.tell("debug", f"waiting jobs that this worker does not get: {self._view.idle}")
        elif isinstance(message, Notice):
            self._console.tell("warning", f"from the operator: {message.message}")
        elif isinstance(message, Fault):
            self._fault(message.message)

    def disconnected(self) -> None:
        self._attempts.disconnected()
        for work in self._works.values():
            work.uploads.disconnected()

    def connection_changed(self, text: str) -> None:
        self._view.connection = text
        self._console.tell("info", text)

    # Attempts

    def _job(self, message: JobMessage) -> None:
        held = self._attempts.take(message)
        if held is None:
            self._repeat(message)
            return
        self._nothing_held.clear()
        self._view.idle = ""
        work = self._works[held.key] = self._work(held)
        slot = self._pool.take()
        if slot is not None:
            self._spawn(self._execute(work, slot))
        elif len(self._waiting) < len(self._view.slots):
            self._waiting.append(work)  # the hub counts a slot as free as soon as it has cancelled what runs there
        else:
            self._spawn(
                self._report(work, work.error(ErrorKind.TRANSIENT, "no slot is free on this worker", retryable=True))
            )

    def _work(self, held: HeldAttempt) -> Work:
        self._serial += 1
        return Work(
            held,
            self._scratch / str(self._serial),
            inputs=self._inputs,
            uploads=AttemptUploads(held.message.job, held.message.attempt, self._uploader),
            send=self._connection.send,
            changed=self._pool.changed,
        )

    def _repeat(self, message: JobMessage) -> None:
        held = self._attempts.get(message.job, message.attempt)
        if held is not None and held.kept is not None:
            self._spawn(self._send(held.kept))

    def _start_waiting(self) -> None:
        while self._waiting and (slot := self._pool.take()) is not None:
            self._spawn(self._execute(self._waiting.popleft(), slot))

    async def _execute(self, work: Work, slot: Slot) -> None:
        message = work.held.message
        view = self._pool.view(slot)
        view.job, view.capability, view.since = message.job, message.capability, time.monotonic()
        try:
            try:
                ended = await work.run(slot, view)
            finally:
                self._pool.give_back(slot)
            outcome = await work.conclude(ended)
        except Exception as error:  # no room on the disk, or a fault of ours: the hub must hear of it in any case
            logger.exception("attempt %d of job %s failed in the worker", message.attempt, message.job)
            outcome = work.error(ErrorKind.INTERNAL, f"the worker failed: {error!r}", retryable=True)
        await self._report(work, outcome)

    async def _report(self, work: Work, message: ResultMessage | ErrorMessage) -> None:
        """Keep how it ended until it is settled, and send it now if the hub is there."""
        if self._works.get(work.held.key) is not work:
            await work.close()  # nobody wants to know
            return
        work.held.kept = message
        self._note(work, message)
        if work.held.live:
            await self._send(message)

    def _note(self, work: Work, message: ResultMessage | ErrorMessage) -> None:
        what = f"{work.held.message.capability} {message.job}"
        if isinstance(message, ErrorMessage):
            self._view.failed += 1
            self._view.last_error = f"{what}: {message.message}"
            self._console.tell("warning", f"{what} failed ({message.kind}): {message.message}")
            return
        self._view.done += 1
        if message.metrics.seconds >= LONG_JOB:
            self._console.tell("info", f"{what} done in {message.metrics.seconds:.1f} s")

    def _forget(self, key: Key) -> None:
        """Settled or abandoned: what still runs of it stops, and its files go."""
        held, work = self._attempts.forget(*key), self._works.pop(key, None)
        if held is None or work is None:
            return
        if held.kept is None:
            work.stop("the hub has no more use for it")
        else:
            self._spawn(work.close())
        if not self._works:
            self._nothing_held.set()

    def _cancelled(self, message: Cancel) -> None:
        work = self._works.get((message.job, message.attempt))
        if work is not None:
            self._console.tell("info", f"{work.held.message.capability} {message.job} is cancelled: {message.reason}")
            work.stop(message.reason)

    def _fault(self, message: str) -> None:
        """The hub did not understand something, or misses an artifact, or knows nothing of an attempt."""
        self._view.last_error = f"the hub objects: {message}"
        self._console.tell("warning", self._view.last_error)
        for work in list(self._works.values()):
            work.uploads.fault(message)
            kept = work.held.kept
            if isinstance(kept, ResultMessage) and any(mentions(message, name) for name in kept.artifacts):
                work.held.kept = None
                self._spawn(self._upload_again(work, kept))
            elif kept is not None and kept.job in message:
                self._forget(work.held.key)

    async def _upload_again(self, work: Work, result: ResultMessage) -> None:
        await self._report(work, await work.conclude_again(result))

    async def _send(self, message: Message) -> None:
        await self._connection.send(message)

    def _spawn(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a fault of the worker itself", exc_info=error)


async def _unless(stop: asyncio.Event, call: Coroutine[Any, Any, None]) -> bool:
    """Await ``call`` unless ``stop`` is set first; whether it got to its end."""
    work, stopped = asyncio.ensure_future(call), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        return work.done()
    finally:
        await _cancel({work, stopped})


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    waited = list(tasks)
    for task in waited:
        task.cancel()
    await asyncio.gather(*waited, return_exceptions=True)
