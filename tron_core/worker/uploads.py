"""The artifacts of one attempt on their way to the store: ticket, PUT, and again where it failed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath
from random import Random

import httpx

from tron_core.hub.protocol import Ticket, Upload
from tron_core.job import Role
from tron_core.worker.backoff import wait_after
from tron_core.worker.messages import Made
from tron_core.worker.transfer import TransferFailed, put

AT_ONCE = 2
"""Uploads of one worker at the same time."""
TICKET_TIMEOUT = 30.0
"""Seconds that the hub has to answer ``upload``."""
TRIES = 6

Ask = Callable[[Upload], Awaitable[bool]]
"""Sends ``upload``, after waiting until the hub is there; False where it went away meanwhile."""


class Uploader:
    """What the uploads of all attempts share."""

    def __init__(self, http: httpx.AsyncClient, random: Random, ask: Ask) -> None:
        self.http = http
        self.random = random
        self.ask = ask
        self.at_once = asyncio.Semaphore(AT_ONCE)


class AttemptUploads:
    """The artifacts of one attempt, each uploaded in a task of its own while the executor goes on.

    Of previews only the latest waits: one that came while another is on its way replaces the one that waits.
    """

    def __init__(self, job: str, attempt: int, uploader: Uploader) -> None:
        self._job = job
        self._attempt = attempt
        self._uploader = uploader
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._made: dict[str, Made] = {}
        self._tickets: dict[str, asyncio.Future[Ticket]] = {}
        self._preview: Made | None = None
        self._preview_task: asyncio.Task[None] | None = None
        self._previews = 0

    def add(self, made: Made) -> None:
        """Begin to upload a file."""
        if made.role is Role.PREVIEW:
            self._preview = made
            if self._preview_task is None or self._preview_task.done():
                self._preview_task = asyncio.create_task(self._upload_previews())
            return
        self._made[made.name] = made
        self._tasks[made.name] = asyncio.create_task(self._upload(made))

    def ticket(self, ticket: Ticket) -> None:
        """The hub's answer to an ``upload``."""
        waiting = self._tickets.get(ticket.name)
        if waiting is not None and not waiting.done():
            waiting.set_result(ticket)

    def disconnected(self) -> None:
        """The connection is gone, and with it the answers that were on their way."""
        for waiting in self._tickets.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError())

    def fault(self, message: str) -> None:
        """The hub objects to something; where it names a file that waits for its ticket, that one will not come."""
        for name, waiting in self._tickets.items():
            if mentions(message, name) and not waiting.done():
                waiting.set_exception(TransferFailed(f"artifact {name}: {message}", permanent=True))

    def again(self) -> None:
        """The hub says that an artifact is not there as announced: all are uploaded once more."""
        for name, made in self._made.items():
            self._tasks[name] = asyncio.create_task(self._upload(made))

    @property
    def names(self) -> tuple[str, ...]:
        """The artifacts of the result, in the order in which they were made."""
        return tuple(self._made)

    async def finish(self) -> None:
        """Wait until every artifact is stored; raises TransferFailed. Previews are of no more use."""
        self._stop_previews()
        for task in self._tasks.values():
            await task

    async def stop(self) -> None:
        """Give up what is on its way."""
        self._stop_previews()
        tasks = [task for task in (*self._tasks.values(), self._preview_task) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _stop_previews(self) -> None:
        self._preview = None
        if self._preview_task is not None:
            self._preview_task.cancel()

    async def _upload_previews(self) -> None:
        while (made := self._preview) is not None:
            self._preview = None
            self._previews += 1
            try:
                await self._upload(_renamed(made, self._previews))
            except TransferFailed:
                pass  # a preview is a courtesy; the next one makes up for it

    async def _upload(self, made: Made) -> None:
        for failures in range(1, TRIES + 1):
            try:
                async with self._uploader.at_once:
                    await self._try(made)
                return
            except httpx.HTTPError as error:
                reason = f"artifact {made.name}: {type(error).__name__}: {error}"
            except TransferFailed as error:
                if error.permanent:
                    raise
                reason = error.message
            if failures < TRIES:
                await asyncio.sleep(wait_after(failures, self._uploader.random))
        raise TransferFailed(f"{reason} (tried {TRIES} times)")

    async def _try(self, made: Made) -> None:
        """One ticket, one PUT; a ticket that failed is not used again, since it may have been refused for its age."""
        await put(self._uploader.http, await self._ask(made), made.path, made.size)

    async def _ask(self, made: Made) -> Ticket:
        described = made.model_dump(mode="json", exclude={"type", "path"})
        upload = Upload.model_validate({"job": self._job, "attempt": self._attempt, **described})
        while True:
            waiting = self._tickets[made.name] = asyncio.get_running_loop().create_future()
            try:
                if await self._uploader.ask(upload):
                    return await asyncio.wait_for(waiting, TICKET_TIMEOUT)
            except TimeoutError:
                raise TransferFailed(f"artifact {made.name}: the hub gave no upload ticket") from None
            except ConnectionError:
                continue  # the answer is lost with the connection: ask over the next one
            finally:
                del self._tickets[made.name]


def mentions(message: str, name: str) -> bool:
    """Whether a fault is about the artifact ``name``."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", message) is not None


def _renamed(made: Made, number: int) -> Made:
    """A name of its own for each preview: an artifact that is stored already cannot be written anew."""
    if number == 1:
        return made
    path = PurePosixPath(made.name)
    return made.model_copy(update={"name": f"{path.stem}-{number}{path.suffix}"})
