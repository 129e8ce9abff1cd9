"""What is remembered of workers between their sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from tron_core.storage.jobs import dump
from tron_core.storage.tables import workers


def remember_worker(
    connection: Connection,
    name: str,
    *,
    client_id: str,
    protocol: str,
    software: str,
    hardware: Mapping[str, Any],
    grace: float | None = None,
    now: float,
) -> None:
    """Note that a worker was seen; ``grace`` is what its protocol says instead of ``scheduling.resume_grace``."""
    values = {
        "client_id": client_id,
        "protocol": protocol,
        "software": software,
        "hardware": dump(dict(hardware)),
        "grace": grace,
        "last_seen_at": now,
    }
    known = connection.execute(update(workers).where(workers.c.name == name).values(values))
    if known.rowcount == 0:
        first = {"name": name, "draining": False, "first_seen_at": now}
        connection.execute(insert(workers).values(**values, **first))


def set_draining(connection: Connection, name: str, draining: bool) -> None:
    """Keep an operator's drain across the worker's sessions and the hub's restarts."""
    connection.execute(update(workers).where(workers.c.name == name).values(draining=draining))


def draining_workers(connection: Connection) -> set[str]:
    """The names of the workers that an operator drained."""
    return set(connection.execute(select(workers.c.name).where(workers.c.draining.is_(True))).scalars())


def grace_times(connection: Connection) -> dict[str, float]:
    """The seconds that workers have to come back, of those whose protocol has a rule of its own."""
    known = select(workers.c.name, workers.c.grace).where(workers.c.grace.is_not(None))
    return {row.name: row.grace for row in connection.execute(known)}
