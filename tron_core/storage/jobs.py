"""Jobs in SQL: every transition is a conditional update whose row count decides.

The functions that take a list of rows are for ``Database.write_rows``: many jobs in one statement. Where one of several
rows does not apply, they raise ``NotEvery``, and the writer replays the rows one by one; alone, a row that does not
apply gives False.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from tron_core.job import (
    Job,
    JobState,
    Metrics,
    Outcome,
    StoredReply,
    Target,
    check_transition,
)
from tron_core.storage.deliveries import NewDelivery, insert_deliveries
from tron_core.storage.tables import artifacts, attempts, deliveries, jobs


class NotEvery(Exception):
    """Some of the rows of a statement did not apply: the writer undoes them all and replays one by one."""


def dump(value: Any) -> str:
    """JSON text for a column."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job row to insert; times in seconds since the epoch."""

    job: Job
    expected_seconds: float
    deadline_seconds: float
    expires_at: float
    idempotency_key: str | None = None
    request_hash: bytes | None = None


def insert_jobs(connection: Connection, rows: Sequence[NewJob]) -> list[bool]:
    """Insert new jobs, all queued."""
    connection.execute(_insert_job, [_job_values(row) for row in rows])
    return [True] * len(rows)


_insert_job = insert(jobs)


def _job_values(row: NewJob) -> dict[str, Any]:
    job = row.job
    return {
        "id": job.id,
        "capability": job.capability,
        "params": dump(job.params),
        "state": job.state.value,
        "requester": job.requester,
        "priority": job.priority.value,
        "attempt": 0,
        "losses": 0,
        "expected_seconds": row.expected_seconds,
        "deadline_seconds": row.deadline_seconds,
        "created_at": job.created_at,
        "queued_at": job.created_at,
        "expires_at": row.expires_at,
        "not_before": 0.0,
        "reply_attempts": 0,
        "target": None if job.target is None else dump([job.target.frontend, dict(job.target.address)]),
        "guild": job.guild,
        "channel": job.channel,
        "parent": job.parent,
        "idempotency_key": row.idempotency_key,
        "request_hash": row.request_hash,
        "requester_name": job.requester_name,
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt to begin: ``attempt`` is its number, one more than the job's last."""

    job: str
    attempt: int
    worker: str
    client_id: str
    model: str | None
    started_at: float


_claim_job = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("b_id"),
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.attempt == bindparam("b_last"),
    )
    .values(state=JobState.RUNNING.value, attempt=bindparam("b_attempt"), started_at=bindparam("b_now"))
)
_insert_attempt = insert(attempts)


def claim_attempts(connection: Connection, rows: Sequence[Claim]) -> list[bool]:
    """Begin attempts: queued jobs become running, their attempt rows are written."""
    values = [
        {"b_id": row.job, "b_last": row.attempt - 1, "b_attempt": row.attempt, "b_now": row.started_at} for row in rows
    ]
    if not _every(connection.execute(_claim_job, values).rowcount, rows):
        return [False]
    connection.execute(
        _insert_attempt,
        [
            {
                "job": row.job,
                "number": row.attempt,
                "worker": row.worker,
                "client_id": row.client_id,
                "model": row.model,
                "started_at": row.started_at,
            }
            for row in rows
        ],
    )
    return [True] * len(rows)


def _every(rowcount: int, rows: Sequence[object]) -> bool:
    if rowcount == len(rows):
        return True
    if len(rows) > 1:
        raise NotEvery
    return False


@dataclass(frozen=True, slots=True)
class Finish:
    """A result to settle. ``artifacts`` are the ids of the result's artifacts in order."""

    job: str
    attempt: int
    finished_at: float
    output: Mapping[str, Any]
    metrics: Metrics
    artifacts: tuple[str, ...] = ()


_finish_job = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("b_id"),
        jobs.c.state == JobState.RUNNING.value,
        jobs.c.attempt == bindparam("b_attempt"),
    )
    .values(state=JobState.SUCCEEDED.value, finished_at=bindparam("b_now"), output=bindparam("b_output"))
)
_end_attempt = (
    update(attempts)
    .where(
        attempts.c.job == bindparam("b_id"), attempts.c.number == bindparam("b_attempt"), attempts.c.ended_at.is_(None)
    )
    .values(
        ended_at=bindparam("b_now"),
        outcome=bindparam("b_outcome"),
        reason=bindparam("b_reason"),
        seconds=bindparam("b_seconds"),
        load_seconds=bindparam("b_load_seconds"),
        energy_wh=bindparam("b_energy_wh"),
    )
)
_place_artifact = (
    update(artifacts).where(artifacts.c.id == bindparam("b_artifact")).values(position=bindparam("b_position"))
)


def finish_jobs(connection: Connection, rows: Sequence[Finish]) -> list[bool]:
    """Settle results: running jobs become succeeded, attempts end, artifacts take their places."""
    values = [
        {"b_id": row.job, "b_attempt": row.attempt, "b_now": row.finished_at, "b_output": dump(row.output)}
        for row in rows
    ]
    if not _every(connection.execute(_finish_job, values).rowcount, rows):
        return [False]
    connection.execute(
        _end_attempt,
        [
            {
                "b_id": row.job,
                "b_attempt": row.attempt,
                "b_now": row.finished_at,
                "b_outcome": Outcome.SUCCEEDED.value,
                "b_reason": None,
                "b_seconds": row.metrics.seconds,
                "b_load_seconds": row.metrics.load_seconds,
                "b_energy_wh": row.metrics.energy_wh,
            }
            for row in rows
        ],
    )
    places = [
        {"b_artifact": artifact, "b_position": position}
        for row in rows
        for position, artifact in enumerate(row.artifacts)
    ]
    if places:
        connection.execute(_place_artifact, places)
    return [True] * len(rows)


@dataclass(frozen=True, slots=True)
class Move:
    """Any other transition, from (``old``, ``attempt``) to ``new``. ``values`` are further columns of the job;
    ``outcome`` and ``reason`` end the attempt, where one is running. ``reply`` is what the requester is told, and
    ``delivery`` how: both stand only with states that are over."""

    job: str
    attempt: int
    old: JobState
    new: JobState
    at: float
    values: Mapping[str, Any]
    outcome: Outcome | None = None
    reason: str | None = None
    reply: StoredReply | None = None
    delivery: NewDelivery | None = None


def move_job(connection: Connection, move: Move) -> bool:
    """Apply a transition; False where the job is not (or no longer) in the old state and attempt."""
    check_transition(move.old, move.new)
    condition = and_(jobs.c.id == move.job, jobs.c.state == move.old.value, jobs.c.attempt == move.attempt)
    values: dict[str, Any] = {"state": move.new.value, **move.values}
    if move.reply is not None:
        values["reply"] = dump(reply_to_json(move.reply))
    if connection.execute(update(jobs).where(condition).values(values)).rowcount != 1:
        return False
    if move.outcome is not None:
        end = {"b_id": move.job, "b_attempt": move.attempt, "b_now": move.at, "b_outcome": move.outcome.value}
        unmeasured = {"b_seconds": None, "b_load_seconds": None, "b_energy_wh": None}
        connection.execute(_end_attempt, {**end, "b_reason": move.reason, **unmeasured})
    if move.delivery is not None:
        insert_deliveries(connection, [move.delivery])
    return True


def retry_job(connection: Connection, job: str, attempt: int, now: float, expires_at: float) -> bool:
    """Put a failed job back into the queue, with a fresh number of attempts; False where it is not failed any more.

    What was not delivered yet of the failure is not told any more: the one reply to come stands for both.
    """
    fresh = {"losses": 0, "queued_at": now, "expires_at": expires_at, "not_before": 0.0, "reply_attempts": 0}
    cleared = dict.fromkeys(("finished_at", "started_at", "reply", "error_code", "error_message"))
    if not move_job(connection, Move(job, attempt, JobState.FAILED, JobState.QUEUED, now, {**fresh, **cleared})):
        return False
    undelivered = update(deliveries).where(deliveries.c.job == job, deliveries.c.settled_at.is_(None))
    connection.execute(undelivered.values(settled_at=now, failure="the job was retried"))
    return True


def set_target(connection: Connection, job: str, target: Target) -> None:
    """Change where the reply of a job goes."""
    value = dump([target.frontend, dict(target.address)])
    connection.execute(update(jobs).where(jobs.c.id == job).values(target=value))


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """A reply to store, with the delivery that makes it seen (None where the requester reads it)."""

    job: str
    reply: StoredReply
    delivery: NewDelivery | None


_store_reply = (
    update(jobs)
    .where(jobs.c.id == bindparam("b_id"), jobs.c.reply.is_(None))
    .values(reply=bindparam("b_reply"), reply_attempts=jobs.c.reply_attempts + 1)
)


def store_replies(connection: Connection, rows: Sequence[ReplyRow]) -> list[bool]:
    """Store replies and make their deliveries ready; False where the job has a reply already."""
    values = [{"b_id": row.job, "b_reply": dump(reply_to_json(row.reply))} for row in rows]
    if not _every(connection.execute(_store_reply, values).rowcount, rows):
        return [False]
    insert_deliveries(connection, [row.delivery for row in rows if row.delivery is not None])
    return [True] * len(rows)


def count_reply_failure(connection: Connection, job: str) -> int:
    """Count a result handler's failure; returns how many there are now."""
    connection.execute(update(jobs).where(jobs.c.id == job).values(reply_attempts=jobs.c.reply_attempts + 1))
    return int(connection.execute(select(jobs.c.reply_attempts).where(jobs.c.id == job)).scalar_one())


def reply_to_json(reply: StoredReply) -> dict[str, Any]:
    """A stored reply as JSON."""
    return {
        "text": reply.text,
        "artifacts": list(reply.artifacts),
        "actions": [
            {
                "label": action.label,
                "emoji": action.emoji,
                "capability": action.capability,
                "params": dict(action.params),
                "owner_only": action.owner_only,
            }
            for action in reply.actions
        ],
        "voice": None if reply.voice is None else asdict(reply.voice),
    }
