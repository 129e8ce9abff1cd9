"""The outbox: replies that wait to be shown where the job was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from tron_core.job import (
    Job,
)
from tron_core.storage.job_queries import fetch
from tron_core.storage.tables import deliveries


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A reply to hand to a frontend."""

    id: str
    job: str
    frontend: str
    ready_at: float


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
