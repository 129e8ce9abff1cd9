"""Makes the reply of a job that succeeded, and stores it with its delivery in one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from ulid import ULID

from tron_core.capability import Action, Reply, shown_artifacts
from tron_core.job import Job, Metrics, Result, StoredAction, StoredReply, StoredVoice
from tron_core.scheduling.board import Board
from tron_core.storage.deliveries import NewDelivery
from tron_core.storage.job_queries import fetch, load_unanswered
from tron_core.storage.jobs import ReplyRow, count_reply_failure, dump, reply_to_json, store_replies
from tron_core.storage.writer import is_transient

RETRY_AFTER = (1.0, 10.0, 60.0, 600.0)
"""Seconds after which a result handler that raised is called again."""
MAX_FAILURES = 5
"""Failures after which a plain reply is stored, so that nobody waits for ever."""
TIME_LIMIT = 60.0
"""Seconds that a result handler has."""

logger = logging.getLogger(__name__)


class HandlerFailed(Exception):
    """A result handler raised, took too long, or gave what cannot be stored; the cause is chained."""


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
            await self._store(job, reply, self._stored(job, result, reply))
        except HandlerFailed as error:
            await self._failed(job, result, error)

    async def _handle(self, job: Job, result: Result) -> Reply:
        capability = self._board.capability(job.capability)
        if capability is None:
            return _plain(result)
        try:
            async with asyncio.timeout(TIME_LIMIT):
                reply = await capability.handle_result(job, result)
        except BaseException as error:
            if being_cancelled(error):
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
        write = self._board.database.write
        failures = await self._board.durably(lambda: write(lambda connection: count_reply_failure(connection, job.id)))
        if failures >= MAX_FAILURES:
            note = f"(result_handler_failed: {plugin} could not show this result; here it is as it came.)"
            plain = _plain(result)
            reply = Reply(text="\n".join(filter(None, [plain.text, note])))
            await self._store(job, reply, StoredReply(reply.text, tuple(shown_artifacts(reply, result))))
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
        read = self._board.database.read
        job = await self._board.durably(lambda: read(lambda connection: fetch(connection, job_id)))
        if job is not None:
            await self._answer(job, None)

    def _stored(self, job: Job, result: Result, reply: Reply) -> StoredReply:
        """The reply as it is kept; raises HandlerFailed where it cannot be."""
        try:
            shown = tuple(shown_artifacts(reply, result))
            stored = StoredReply(reply.text, shown, _kept(reply.actions), _stored_voice(reply, result))
            dump(reply_to_json(stored))
        except Exception as error:
            raise HandlerFailed(f"the reply cannot be stored: {type(error).__name__}: {error}") from error
        return replace(stored, actions=self._known((*stored.actions, *self._offered(job, reply))))

    async def _store(self, job: Job, reply: Reply, stored: StoredReply) -> None:
        board = self._board
        delivery = None
        if job.target is not None:
            delivery = NewDelivery(str(ULID()), job.id, job.target.frontend, board.clock.now())
        row = ReplyRow(job.id, stored, delivery)
        if reply.writes is None:
            applied = await board.durably(lambda: board.database.write_rows(store_replies, row))
        else:
            unit = _with_writes(row, reply.writes)
            applied = await board.durably(lambda: board.database.write(unit))
        if applied:
            self._told(replace(job, reply=stored), delivery)

    def _offered(self, job: Job, reply: Reply) -> list[StoredAction]:
        """What the other plugins offer: one whose actions cannot be stored spoils nobody's reply."""
        offered: list[StoredAction] = []
        for answer in self._board.plugins.call_all_now("tron_reply_actions", job=job, reply=reply):
            try:
                actions = _kept(_actions_of(answer.value))
                dump(reply_to_json(StoredReply("", actions=actions)))
            except Exception:
                logger.exception("the actions of %s are left out", answer.plugin, extra={"plugin": answer.plugin})
            else:
                offered.extend(actions)
        return offered

    def _known(self, actions: Sequence[StoredAction]) -> tuple[StoredAction, ...]:
        return tuple(action for action in actions if self._board.capability(action.capability) is not None)


def _stored_voice(reply: Reply, result: Result) -> StoredVoice | None:
    """The voice message of ``reply`` with its artifact's id, None where the result has no such artifact."""
    voice = reply.voice
    found = voice and next((artifact.id for artifact in result.artifacts if artifact.name == voice.artifact), None)
    return StoredVoice(found, float(voice.seconds), voice.waveform) if voice and found else None


def _with_writes(row: ReplyRow, writes: Callable[[Connection], None]) -> Callable[[Connection], bool]:
    """Store a reply together with what the handler's plugin writes; what that raises is the handler's failure, but
    for a lost connection."""

    def unit(connection: Connection) -> bool:
        applied = store_replies(connection, [row])[0]
        if applied:
            try:
                writes(connection)
            except Exception as error:
                if is_transient(error):
                    raise
                raise HandlerFailed(f"writes: {type(error).__name__}: {error}") from error
        return applied

    return unit


def _kept(actions: Sequence[Action]) -> tuple[StoredAction, ...]:
    return tuple(
        StoredAction(action.label, action.capability, dict(action.params), action.emoji, action.owner_only)
        for action in actions
    )


def _actions_of(value: object) -> Sequence[Action]:
    return [item for item in value if isinstance(item, Action)] if isinstance(value, list | tuple) else ()


def _plain(result: Result) -> Reply:
    text = result.output.get("text")
    return Reply(text=text if isinstance(text, str) else "")


def being_cancelled(error: BaseException) -> bool:
    """Whether ``error`` is our own task's cancellation, and not one that a plugin raised."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
