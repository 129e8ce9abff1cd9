"""What people, channels and guilds saved: values by owner and key, the user's winning over the channel's over the
guild's."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, delete, select
from sqlalchemy.dialects import mysql, sqlite

from tron_core.clock import Clock
from tron_core.storage.database import Database
from tron_core.storage.tables import settings as table


@dataclass(frozen=True, slots=True)
class SavedSetting:
    """One saved value. ``owner`` is a requester (``api:alice``), ``guild:1`` or ``channel:2``; ``plugin`` is whose
    setting it is; ``key`` is unique among all plugins' (``echo.times``)."""

    owner: str
    plugin: str
    key: str
    value: Any
    updated_at: float


class SavedSettings:
    """The saved settings; each call is one query, none keeps anything in memory."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, requester: str, guild: str | None, field: str) -> Any:
        """The saved value of ``field`` for a requester in a guild, None where nobody saved one."""
        return (await self.layered([field], requester=requester, guild=guild)).get(field)

    async def layered(
        self, keys: Collection[str], *, requester: str, channel: str | None = None, guild: str | None = None
    ) -> dict[str, Any]:
        """The saved values of ``keys``: the requester's own, else the channel's, else the guild's; those that nobody
        saved are left out. ``channel`` and ``guild`` are bare ids."""
        if not keys:
            return {}
        layers = _layers(requester, channel, guild)
        query = select(table.c.owner, table.c.key, table.c.value).where(
            table.c.owner.in_(layers), table.c.key.in_(keys)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        rows = sorted(rows, key=lambda row: layers.index(row.owner), reverse=True)
        return {row.key: json.loads(row.value) for row in rows}

    async def list(self, owner: str) -> Sequence[SavedSetting]:
        """Everything that ``owner`` saved, by key."""
        query = select(table).where(table.c.owner == owner).order_by(table.c.key)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [SavedSetting(row.owner, row.plugin, row.key, json.loads(row.value), row.updated_at) for row in rows]

    async def set(self, owner: str, plugin: str, key: str, value: Any) -> None:
        """Save a JSON value in the place of an earlier one, whichever of the plugins that share the key had saved
        that; raises TypeError for what is no JSON."""
        row = {"owner": owner, "plugin": plugin, "key": key, "value": json.dumps(value)}
        upsert = _upsert(self._database.dialect, row | {"updated_at": self._clock.now()})
        others = delete(table).where(table.c.owner == owner, table.c.key == key, table.c.plugin != plugin)

        def save(connection: Connection) -> None:
            connection.execute(others)
            connection.execute(upsert)

        await self._database.write(save)

    async def reset(self, owner: str, plugin: str | None = None, key: str | None = None) -> int:
        """Forget what ``owner`` saved, of one plugin or one key where that is named; returns how many values."""
        unwanted = delete(table).where(table.c.owner == owner)
        if plugin is not None:
            unwanted = unwanted.where(table.c.plugin == plugin)
        if key is not None:
            unwanted = unwanted.where(table.c.key == key)

        def forget(connection: Connection) -> int:
            return connection.execute(unwanted).rowcount

        return await self._database.write(forget)

    async def forget(self, owner: str) -> None:
        """Erase everything that ``owner`` saved."""
        await self.reset(owner)


def _layers(requester: str, channel: str | None, guild: str | None) -> Sequence[str]:
    """The owners to ask, the one that wins first."""
    owners = [requester]
    if channel is not None:
        owners.append(f"channel:{channel}")
    if guild is not None:
        owners.append(f"guild:{guild}")
    return owners


def _upsert(dialect: str, row: dict[str, Any]) -> Insert:
    changed = {name: row[name] for name in ("value", "updated_at")}
    if dialect == "sqlite":
        primary = [column.name for column in table.primary_key]
        return sqlite.insert(table).values(row).on_conflict_do_update(index_elements=primary, set_=changed)
    return mysql.insert(table).values(row).on_duplicate_key_update(changed)
