"""Hands stored replies to the frontends until they are shown: a delivery is settled only then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from tron_core.api import Frontend, UndeliverableError
from tron_core.job import Job
from tron_core.plugins.calling import describe
from tron_core.scheduling.board import Board
from tron_core.scheduling.replies import being_cancelled
from tron_core.storage.deliveries import (
    NewDelivery,
    fetch_undelivered,
    open_deliveries,
    postpone_delivery,
    settle_delivery,
)

AT_ONCE = 32
"""Deliveries under way at once, per frontend."""
TIME_LIMIT = 120.0
"""Seconds that one delivery has."""
FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0

logger = logging.getLogger(__name__)


class Outbox:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._frontends: Mapping[str, Frontend] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._timers: dict[asyncio.TimerHandle, tuple[str, Callable[[], None]]] = {}

    async def start(self, frontends: Mapping[str, Frontend]) -> None:
        """Deliver what is open from before, and from now on what becomes ready."""
        self._frontends = frontends
        self._slots = {name: asyncio.Semaphore(AT_ONCE) for name in frontends}
        open_before = await self._board.database.read(lambda connection: open_deliveries(connection, frontends))
        now = self._board.clock.now()
        for delivery, job, frontend, tries, ready_at in open_before:
            self._after(max(0.0, ready_at - now), delivery, job, frontend, tries)

    def stop(self) -> None:
        """Open deliveries are taken up at the next start."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._frontends = {}

    def ready(self, job: Job, delivery: NewDelivery) -> None:
        """A reply is stored. One for a frontend that is not here stays in the database until it is."""
        if delivery.frontend in self._frontends:
            self._board.spawn(self._deliver(delivery.id, job, delivery.frontend, 0), f"deliver {delivery.id}")

    def retry_now(self, frontend: str) -> None:
        """Deliver at once what waits for its next try: the frontend works again."""
        for timer, (name, begin) in list(self._timers.items()):
            if name == frontend:
                timer.cancel()
                begin()

    def _after(self, seconds: float, delivery: str, job: str, frontend: str, tries: int) -> None:
        def begin() -> None:
            del self._timers[timer]
            self._board.spawn(self._fetch_and_deliver(delivery, job, frontend, tries), f"deliver {delivery}")

        timer = asyncio.get_running_loop().call_later(seconds, begin)
        self._timers[timer] = (frontend, begin)

    async def _fetch_and_deliver(self, delivery: str, job_id: str, frontend: str, tries: int) -> None:
        read = self._board.database.read
        job = await self._board.durably(
            lambda: read(lambda connection: fetch_undelivered(connection, delivery, job_id))
        )
        if job is not None:
            await self._deliver(delivery, job, frontend, tries)

    async def _deliver(self, delivery: str, job: Job, frontend: str, tries: int) -> None:
        board, place = self._board, self._frontends.get(frontend)
        if place is None or job.reply is None:
            return
        failure: str | None = None
        try:
            async with self._slots[frontend], asyncio.timeout(TIME_LIMIT):
                await place.deliver(delivery, job, job.reply)
        except UndeliverableError as error:
            failure = describe(error)
            logger.warning("the reply to job %s cannot be delivered and is given up: %s", job.id, error)
        except BaseException as error:
            if being_cancelled(error):
                raise
            await self._postpone(delivery, job, frontend, tries, describe(error))
            return
        now = board.clock.now()
        await board.durably(
            lambda: board.database.write(lambda connection: settle_delivery(connection, delivery, now, failure))
        )

    async def _postpone(self, delivery: str, job: Job, frontend: str, tries: int, failure: str) -> None:
        board = self._board
        delay = min(LONGEST_RETRY, FIRST_RETRY * 2**tries)
        until = board.clock.now() + delay
        logger.warning("delivering the reply to job %s failed; again in %g s: %s", job.id, delay, failure)
        await board.durably(
            lambda: board.database.write(lambda connection: postpone_delivery(connection, delivery, until, failure))
        )
        if frontend in self._frontends:
            self._after(delay, delivery, job.id, frontend, tries + 1)
