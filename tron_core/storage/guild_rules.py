"""The rules of a guild: JSON values by key."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from tron_core.clock import Clock
from tron_core.storage.database import Database
from tron_core.storage.tables import guild_rules as table


class GuildRules:
    """Keeps what was read in memory: nobody else writes to the table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, dict[str, Any]] = {}

    async def of(self, guild: str) -> dict[str, Any]:
        """The rules that a guild has set."""
        if guild not in self._known:
            query = select(table.c.key, table.c.value).where(table.c.guild == guild)
            rows = await self._database.read(lambda connection: connection.execute(query).all())
            self._known[guild] = {row.key: json.loads(row.value) for row in rows}
        return self._known[guild]

    async def set(self, guild: str, key: str, value: Any) -> None:
        """Set one rule; None removes it."""
        now = self._clock.now()

        def save(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.guild == guild, table.c.key == key))
            if value is not None:
                row = {"guild": guild, "key": key, "value": json.dumps(value), "updated_at": now}
                connection.execute(insert(table).values(row))

        await self._database.write(save)
        self._known.pop(guild, None)
