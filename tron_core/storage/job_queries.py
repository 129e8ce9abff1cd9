"""Jobs read from SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select

from tron_core.job import (
    Artifact,
    Attempt,
    Job,
    JobError,
    JobState,
    Outcome,
    Priority,
    Role,
    StoredAction,
    StoredReply,
    StoredVoice,
    Target,
)
from tron_core.storage.tables import artifacts, attempts, jobs


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
        requester_name=row.requester_name,
    )


def reply_from_json(value: Mapping[str, Any]) -> StoredReply:
    """The inverse of ``reply_to_json``."""
    return StoredReply(
        text=value["text"],
        artifacts=tuple(value["artifacts"]),
        actions=tuple(StoredAction(**action) for action in value["actions"]),
        voice=StoredVoice(**voice) if (voice := value.get("voice")) else None,  # replies from before have none
    )
