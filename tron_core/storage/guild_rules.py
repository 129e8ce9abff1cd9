"""The rules of a guild: JSON values by key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from tron_core.clock import Clock
from tron_core.storage.database import Database
from tron_core.storage.tables import guild_rules as table


class GuildRules:
    """Keeps what was read in memory: a hub has one of these, and nobody else writes to the table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, dict[str, Any]] = {}

    async def guilds(self) -> list[str]:
        """The guilds that have set a rule."""
        query = select(table.c.guild).distinct().order_by(table.c.guild)
        return list(await self._database.read(lambda connection: connection.scalars(query).all()))

    async def of(self, guild: str) -> dict[str, Any]:
        """The rules that a guild has set."""
        if guild not in self._known:
            query = select(table.c.key, table.c.value).where(table.c.guild == guild)
            rows = await self._database.read(lambda connection: connection.execute(query).all())
            self._known[guild] = {row.key: json.loads(row.value) for row in rows}
        return self._known[guild]

    async def set(self, guild: str, key: str, value: Any) -> None:
        """Set one rule; None removes it."""
        await self._change(guild, key, lambda _: value)

    async def add(self, guild: str, key: str, item: str) -> None:
        """Let ``item`` be in the list of one rule."""
        await self._change(guild, key, lambda items: sorted({*(items or ()), item}))

    async def discard(self, guild: str, key: str, item: str) -> None:
        """Let ``item`` not be in the list of one rule; an empty list is none."""
        await self._change(guild, key, lambda items: [each for each in items or () if each != item] or None)

    async def _change(self, guild: str, key: str, new: Callable[[Any], Any]) -> None:
        """Set one rule to what ``new`` makes of its present value, None standing for no rule."""
        here, now = (table.c.guild == guild, table.c.key == key), self._clock.now()

        def save(connection: Connection) -> None:
            saved = connection.execute(select(table.c.value).where(*here)).scalar()
            value = new(None if saved is None else json.loads(saved))
            connection.execute(delete(table).where(*here))
            if value is not None:
                row = {"guild": guild, "key": key, "value": json.dumps(value), "updated_at": now}
                connection.execute(insert(table).values(row))

        await self._database.write(save)
        self._known.pop(guild, None)
