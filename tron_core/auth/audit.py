"""The audit log: what administrators did, to whom or what, and when. Nothing in it is a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tron_core.api import DatabaseAccess
from tron_core.clock import Clock
from tron_core.storage.tables import audit

MOST_OF_TARGET = 128
FORGOTTEN = "forgotten"
"""Stands for a person who was erased."""

logger = logging.getLogger(__name__)


class Action(StrEnum):
    """What is recorded."""

    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    USER_FORGOTTEN = "user.forgotten"
    CREDENTIAL_CREATED = "credential.created"
    CREDENTIAL_REVOKED = "credential.revoked"
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - an action
    WORKER_CHANGED = "worker.changed"
    PLUGIN_CHANGED = "plugin.changed"
    JOB_CANCELLED = "job.cancelled"
    JOB_RETRIED = "job.retried"
    SETTING_CHANGED = "setting.changed"
    MESSAGE_POSTED = "message.posted"
    RULE_CHANGED = "rule.changed"
    DATA_IMPORTED = "data.imported"


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. ``actor`` is a requester (``api:alice``; ``console:root`` for who had the database itself), ``at`` in
    seconds since the epoch, ``detail`` what changed."""

    id: int
    at: float
    actor: str
    action: str
    target: str
    detail: Mapping[str, Any]


class Audit:
    """Written after the action has succeeded; newest first when read."""

    def __init__(self, database: DatabaseAccess, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, actor: str, action: Action, target: str, **detail: Any) -> None:
        """Write an entry. Where that cannot be, the log of the hub has it: the action was done all the same."""
        row = {
            "at": self._clock.now(),
            "actor": actor,
            "action": action.value,
            "target": target[:MOST_OF_TARGET],
            "detail": json.dumps(detail, ensure_ascii=False),
        }
        try:
            await self._database.write(lambda connection: _add(connection, row))
        except Exception:
            logger.exception("not in the audit log: %s %s %s %s", actor, action, target, row["detail"])

    async def entries(self, *, limit: int, before: int | None = None, actor: str | None = None) -> list[Entry]:
        """The newest ``limit`` entries, of those with a smaller id than ``before``; everybody's, or one actor's."""
        return await self._database.read(lambda connection: _entries(connection, limit, before, actor))

    async def forget(self, names: Iterable[str]) -> None:
        """Take a person's names out of every entry, as who acted and as who it was done to."""
        known = [name.lower() for name in names]  # users are the same whatever their capitals
        mentioned = update(audit).where(func.lower(audit.c.target).in_(known)).values(target=FORGOTTEN, detail="{}")
        acting = update(audit).where(func.lower(audit.c.actor).in_(known)).values(actor=FORGOTTEN)

        def erase(connection: Connection) -> None:
            connection.execute(mentioned)
            connection.execute(acting)

        await self._database.write(erase)


def _add(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(insert(audit).values(row))


def _entries(connection: Connection, limit: int, before: int | None, actor: str | None) -> list[Entry]:
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    return [
        Entry(row.id, row.at, row.actor, row.action, row.target, json.loads(row.detail))
        for row in connection.execute(query)
    ]
