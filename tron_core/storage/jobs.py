"""Jobs in SQL: every transition is a conditional update whose row count decides.

The functions that take a list of rows are for ``Database.write_rows``: many jobs in one statement. Where one of several
rows does not apply, they raise ``NotEvery``, and the writer replays the rows one by one; alone, a row that does not
apply gives False.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, insert, select, update

from tron_core.job import (
    Artifact,
    Attempt,
    Job,
    JobError,
    JobState,
    Metrics,
    Outcome,
    Priority,
    Role,
    StoredAction,
    StoredReply,
    Target,
    check_transition,
)
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


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A reply to hand to a frontend."""

    id: str
    job: str
    frontend: str
    ready_at: float


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


def insert_deliveries(connection: Connection, rows: Sequence[NewDelivery]) -> None:
    """Make deliveries ready."""
    if rows:
        connection.execute(
            insert(deliveries),
            [
                {"id": row.id, "job": row.job, "frontend": row.frontend, "tries": 0, "ready_at": row.ready_at}
                for row in rows
            ],
        )


def open_deliveries(connection: Connection, frontends: Iterable[str]) -> list[tuple[str, str, str, int, float]]:
    """(id, job, frontend, tries, ready_at) of the unsettled deliveries, oldest first."""
    statement = (
        select(deliveries.c.id, deliveries.c.job, deliveries.c.frontend, deliveries.c.tries, deliveries.c.ready_at)
        .where(deliveries.c.settled_at.is_(None), deliveries.c.frontend.in_(list(frontends)))
        .order_by(deliveries.c.id)
    )
    return [tuple(row) for row in connection.execute(statement)]


def fetch_undelivered(connection: Connection, delivery: str, job: str) -> Job | None:
    """The job of a delivery; None where that is settled meanwhile."""
    statement = select(deliveries.c.id).where(deliveries.c.id == delivery, deliveries.c.settled_at.is_(None))
    return None if connection.execute(statement).first() is None else fetch(connection, job)


def settle_delivery(connection: Connection, delivery: str, at: float, failure: str | None = None) -> None:
    """The delivery is done with: shown, or (``failure``) given up."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(settled_at=at, failure=failure, tries=deliveries.c.tries + 1)
    )


def postpone_delivery(connection: Connection, delivery: str, until: float, failure: str) -> None:
    """The delivery failed for now."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(ready_at=until, failure=failure, tries=deliveries.c.tries + 1)
    )


@dataclass(frozen=True, slots=True)
class OpenJob:
    """What the index needs of a job that is not over. ``lease`` is (worker, client_id, model) of a running one."""

    job: Job
    losses: int
    expected_seconds: float
    deadline_seconds: float
    expires_at: float
    not_before: float
    lease: tuple[str, str, str | None] | None


def load_open(connection: Connection) -> list[OpenJob]:
    """Every job that is queued or running, oldest first."""
    is_open = jobs.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
    lease = and_(attempts.c.job == jobs.c.id, attempts.c.number == jobs.c.attempt, attempts.c.ended_at.is_(None))
    statement = (
        select(jobs, attempts.c.worker, attempts.c.client_id, attempts.c.model)
        .select_from(jobs.outerjoin(attempts, lease))
        .where(is_open)
        .order_by(jobs.c.created_at, jobs.c.id)
    )
    tried = _attempts_of(connection, select(jobs.c.id).where(is_open))
    found = []
    for row in connection.execute(statement):
        held = None if row.worker is None else (row.worker, row.client_id, row.model)
        found.append(
            OpenJob(
                _job(row, tried.get(row.id, ()), ()),
                row.losses,
                row.expected_seconds,
                row.deadline_seconds,
                row.expires_at,
                row.not_before,
                held,
            )
        )
    return found


def load_unanswered(connection: Connection) -> list[str]:
    """The ids of the jobs that succeeded but have no reply yet."""
    statement = select(jobs.c.id).where(jobs.c.state == JobState.SUCCEEDED.value, jobs.c.reply.is_(None))
    return list(connection.execute(statement.order_by(jobs.c.id)).scalars())


def recent_timings(connection: Connection, limit: int = 2000) -> list[tuple[str, str | None, str, float, float | None]]:
    """(capability, model, worker, seconds, load_seconds) of the last attempts that succeeded, oldest first."""
    statement = (
        select(jobs.c.capability, attempts.c.model, attempts.c.worker, attempts.c.seconds, attempts.c.load_seconds)
        .join(jobs, jobs.c.id == attempts.c.job)
        .where(attempts.c.outcome == Outcome.SUCCEEDED.value, attempts.c.seconds.is_not(None))
        .order_by(attempts.c.job.desc())
        .limit(limit)
    )
    return [tuple(row) for row in connection.execute(statement)][::-1]


def fetch(connection: Connection, job: str) -> Job | None:
    """One job, whole; None where there is none."""
    row = connection.execute(_one_job, {"b_id": job}).first()
    if row is None:
        return None
    tried = [_attempt(row) for row in connection.execute(_one_jobs_attempts, {"b_id": job})] if row.attempt else ()
    placed = row.state == JobState.SUCCEEDED.value
    kept = [artifact_of(row) for row in connection.execute(_one_jobs_artifacts, {"b_id": job})] if placed else ()
    return _job(row, tried, kept)


# Prepared once: a job is looked at often, and an expanding IN costs more than the query.
_one_job = select(jobs).where(jobs.c.id == bindparam("b_id"))
_one_jobs_attempts = select(attempts).where(attempts.c.job == bindparam("b_id")).order_by(attempts.c.number)
_one_jobs_artifacts = (
    select(artifacts)
    .where(artifacts.c.job == bindparam("b_id"), artifacts.c.position.is_not(None))
    .order_by(artifacts.c.position, artifacts.c.id)
)


def fetch_many(connection: Connection, ids: Sequence[str]) -> list[Job]:
    """Jobs, whole, in the order of ``ids``; those that do not exist are left out."""
    if not ids:
        return []
    rows = {row.id: row for row in connection.execute(select(jobs).where(jobs.c.id.in_(ids)))}
    tried = _attempts_of(connection, ids)
    kept: dict[str, list[Artifact]] = {}
    placed = select(artifacts).where(artifacts.c.job.in_(ids), artifacts.c.position.is_not(None))
    for row in connection.execute(placed.order_by(artifacts.c.position, artifacts.c.id)):
        kept.setdefault(row.job, []).append(artifact_of(row))
    return [_job(rows[id_], tried.get(id_, ()), kept.get(id_, ())) for id_ in ids if id_ in rows]


def _attempts_of(connection: Connection, ids: Sequence[str] | Select[tuple[str]]) -> dict[str, list[Attempt]]:
    tried: dict[str, list[Attempt]] = {}
    for row in connection.execute(select(attempts).where(attempts.c.job.in_(ids)).order_by(attempts.c.number)):
        tried.setdefault(row.job, []).append(_attempt(row))
    return tried


def _attempt(row: Row[Any]) -> Attempt:
    outcome = None if row.outcome is None else Outcome(row.outcome)
    return Attempt(row.number, row.worker, row.started_at, row.ended_at, outcome, row.reason)


def artifact_of(row: Row[Any]) -> Artifact:
    """A row of the table ``artifacts``."""
    return Artifact(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        key=row.key,
        filename=row.filename,
        media_type=row.media_type,
        size=int(row.size),
        sha256=row.sha256,
        job=row.job,
        attempt=row.attempt,
        owner=row.owner,
        created_at=row.created_at,
    )


def list_ids(
    connection: Connection,
    *,
    requester: str | None,
    states: Sequence[JobState],
    capability: str | None,
    limit: int,
    before: str | None,
) -> list[str]:
    """Ids, newest first, older than ``before``."""
    statement = select(jobs.c.id).order_by(jobs.c.id.desc()).limit(limit)
    if requester is not None:
        statement = statement.where(jobs.c.requester == requester)
    if states:
        statement = statement.where(jobs.c.state.in_([state.value for state in states]))
    if capability is not None:
        statement = statement.where(jobs.c.capability == capability)
    if before is not None:
        statement = statement.where(jobs.c.id < before)
    return list(connection.execute(statement).scalars())


def count_recent(connection: Connection, requester: str, guild: str, since: float) -> int:
    """How many jobs a requester asked for in a guild since then."""
    made = (jobs.c.requester == requester, jobs.c.guild == guild, jobs.c.created_at >= since)
    return connection.execute(select(func.count()).select_from(jobs).where(*made)).scalar_one()


def count_by_state(connection: Connection, requester: str) -> list[tuple[str, str, int]]:
    """How many jobs a requester has, as (capability, state, count)."""
    counted = select(jobs.c.capability, jobs.c.state, func.count()).where(jobs.c.requester == requester)
    grouped = counted.group_by(jobs.c.capability, jobs.c.state).order_by(jobs.c.capability, jobs.c.state)
    return [(row[0], row[1], row[2]) for row in connection.execute(grouped)]


def find_repeat(connection: Connection, requester: str, key: str) -> tuple[str, bytes | None] | None:
    """The job that this requester submitted under this idempotency key, with the hash of that request."""
    statement = select(jobs.c.id, jobs.c.request_hash).where(
        jobs.c.requester == requester, jobs.c.idempotency_key == key
    )
    row = connection.execute(statement).first()
    return None if row is None else (row.id, row.request_hash)


@dataclass(frozen=True, slots=True)
class HeldBefore:
    """What is known of an attempt that is not leased now: who held it, how it ended, where its job is."""

    worker: str
    client_id: str
    outcome: Outcome | None
    state: JobState
    last_attempt: int


def held_before(connection: Connection, job: str, attempt: int) -> HeldBefore | None:
    """An attempt's history, for fencing; None where there never was such an attempt."""
    statement = (
        select(attempts.c.worker, attempts.c.client_id, attempts.c.outcome, jobs.c.state, jobs.c.attempt)
        .join(jobs, jobs.c.id == attempts.c.job)
        .where(attempts.c.job == job, attempts.c.number == attempt)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    outcome = None if row.outcome is None else Outcome(row.outcome)
    return HeldBefore(row.worker, row.client_id, outcome, JobState(row.state), row.attempt)


def _job(row: Row[Any], tried: Sequence[Attempt], kept: Sequence[Artifact]) -> Job:
    return Job(
        id=row.id,
        capability=row.capability,
        params=json.loads(row.params),
        state=JobState(row.state),
        requester=row.requester,
        created_at=row.created_at,
        priority=Priority(row.priority),
        attempt=row.attempt,
        attempts=tuple(tried),
        started_at=row.started_at,
        finished_at=row.finished_at,
        output=None if row.output is None else json.loads(row.output),
        artifacts=tuple(kept),
        reply=None if row.reply is None else reply_from_json(json.loads(row.reply)),
        error=None if row.error_code is None else JobError(row.error_code, row.error_message or ""),
        target=None if row.target is None else Target(*json.loads(row.target)),
        guild=row.guild,
        channel=row.channel,
        parent=row.parent,
    )


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
    }


def reply_from_json(value: Mapping[str, Any]) -> StoredReply:
    """The inverse of ``reply_to_json``."""
    return StoredReply(
        text=value["text"],
        artifacts=tuple(value["artifacts"]),
        actions=tuple(StoredAction(**action) for action in value["actions"]),
    )
