"""Makes the reply of a job that succeeded, and stores it with its delivery in one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from ulid import ULID

from tron_core.capability import Action, Reply, shown_artifacts
from tron_core.job import Job, Metrics, Result, StoredAction, StoredReply
from tron_core.scheduling.board import Board
from tron_core.storage.jobs import (
    NewDelivery,
    ReplyRow,
    count_reply_failure,
    fetch,
    load_unanswered,
    store_replies,
)

RETRY_AFTER = (1.0, 10.0, 60.0, 600.0)
"""Seconds after which a result handler that raised is called again."""
MAX_FAILURES = 5
"""Failures after which a plain reply is stored, so that nobody waits for ever."""
TIME_LIMIT = 60.0
"""Seconds that a result handler has."""

logger = logging.getLogger(__name__)


class HandlerFailed(Exception):
    """A result handler raised, or took too long; the cause is chained."""


class Replies:
    """``told`` is called once a job's reply is stored."""

    def __init__(self, board: Board, *, told: Callable[[Job, NewDelivery | None], None]) -> None:
        self._board = board
        self._told = told
        self._later: set[asyncio.TimerHandle] = set()

    async def recover(self) -> None:
        """Answer the jobs that succeeded before a restart and have no reply yet."""
        for job in await self._board.database.read(load_unanswered):
            self._again(job)

    def stop(self) -> None:
        """What waits for another try is taken up at the next start."""
        for timer in self._later:
            timer.cancel()
        self._later.clear()

    def answer(self, job: Job, metrics: Metrics | None = None) -> None:
        """Make and store the reply of a job, in the background."""
        self._board.spawn(self._answer(job, metrics), f"reply {job.id}")

    async def _answer(self, job: Job, metrics: Metrics | None) -> None:
        result = Result(job.output or {}, job.artifacts, metrics)
        try:
            reply = await self._handle(job, result)
        except HandlerFailed as error:
            await self._failed(job, result, error)
            return
        await self._store(job, result, reply)

    async def _handle(self, job: Job, result: Result) -> Reply:
        capability = self._board.capability(job.capability)
        if capability is None:
            return _plain(result)
        try:
            async with asyncio.timeout(TIME_LIMIT):
                reply = await capability.handle_result(job, result)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _being_cancelled():
                raise
            raise HandlerFailed(f"{type(error).__name__}: {error}") from error
        if not isinstance(reply, Reply):
            raise HandlerFailed(f"handle_result returned {type(reply).__name__}, not a Reply")
        return reply

    async def _failed(self, job: Job, result: Result, error: HandlerFailed) -> None:
        plugin = self._board.plugins.plugin_of(job.capability)
        logger.error(
            "the result handler of %s failed on job %s: %s", job.capability, job.id, error, exc_info=error.__cause__,
            extra={"plugin": plugin},
        )  # fmt: skip
        failures = await self._board.database.write(lambda connection: count_reply_failure(connection, job.id))
        if failures >= MAX_FAILURES:
            note = f"(result_handler_failed: {plugin} could not show this result; here it is as it came.)"
            plain = _plain(result)
            await self._store(job, result, Reply(text="\n".join(filter(None, [plain.text, note]))))
            return
        delay = RETRY_AFTER[min(failures, len(RETRY_AFTER)) - 1]

        def again() -> None:
            self._later.discard(timer)
            self._again(job.id)

        timer = asyncio.get_running_loop().call_later(delay, again)
        self._later.add(timer)

    def _again(self, job: str) -> None:
        self._board.spawn(self._fetch_and_answer(job), f"reply {job}")

    async def _fetch_and_answer(self, job_id: str) -> None:
        job = await self._board.database.read(lambda connection: fetch(connection, job_id))
        if job is not None:
            await self._answer(job, None)

    async def _store(self, job: Job, result: Result, reply: Reply) -> None:
        board = self._board
        stored = StoredReply(reply.text, tuple(shown_artifacts(reply, result)), self._actions(job, reply))
        delivery = None
        if job.target is not None:
            delivery = NewDelivery(str(ULID()), job.id, job.target.frontend, board.clock.now())
        row = ReplyRow(job.id, stored, delivery)
        if reply.writes is None:
            applied = await board.durably(lambda: board.database.write_rows(store_replies, row))
        else:
            writes = reply.writes

            def unit(connection: Connection) -> bool:
                applied = store_replies(connection, [row])[0]
                if applied:
                    writes(connection)
                return applied

            applied = await board.durably(lambda: board.database.write(unit))
        if applied:
            self._told(replace(job, reply=stored), delivery)

    def _actions(self, job: Job, reply: Reply) -> tuple[StoredAction, ...]:
        offered: list[Action] = list(reply.actions)
        for answer in self._board.plugins.call_all_now("tron_reply_actions", job=job, reply=reply):
            offered.extend(_actions_of(answer.value))
        known = [action for action in offered if self._board.capability(action.capability) is not None]
        return tuple(
            StoredAction(action.label, action.capability, dict(action.params), action.emoji, action.owner_only)
            for action in known
        )


def _actions_of(value: object) -> Sequence[Action]:
    return [item for item in value if isinstance(item, Action)] if isinstance(value, list | tuple) else ()


def _plain(result: Result) -> Reply:
    text = result.output.get("text")
    return Reply(text=text if isinstance(text, str) else "")


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
