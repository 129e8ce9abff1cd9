"""What the core's tables keep about a requester, erased."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select

from tron_core.storage.tables import artifacts, attempts, deliveries, jobs


def some_artifacts(connection: Connection, requester: str, limit: int) -> list[str]:
    """Ids of artifacts that the requester uploaded, or that belong to one of their jobs."""
    theirs = select(jobs.c.id).where(jobs.c.requester == requester)
    wanted = or_(artifacts.c.owner == requester, artifacts.c.job.in_(theirs))
    return list(connection.scalars(select(artifacts.c.id).where(wanted).limit(limit)))


def erase_jobs(connection: Connection, requester: str) -> int:
    """Delete the requester's jobs with attempts and deliveries; returns how many jobs that were."""
    theirs = select(jobs.c.id).where(jobs.c.requester == requester)
    for table in (attempts, deliveries):
        connection.execute(delete(table).where(table.c.job.in_(theirs)))
    return connection.execute(delete(jobs).where(jobs.c.requester == requester)).rowcount
