"""What tells a commit that took place from one that did not when the connection was lost in the middle of it."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import Connection, Engine, delete, inspect, select, update
from sqlalchemy.exc import DBAPIError

from tron_core.storage.tables import hub

ASK_DELAYS = (0.05, 0.5, 2.0, 5.0)


class Receipts:
    """A row of the writer's own whose number each transaction raises. Only a server can lose a connection, so on
    SQLite, and before the core's tables exist, nothing is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._key = f"writer:{secrets.token_hex(8)}"
        self._number = 0
        self._used: bool | None = None

    def write(self, connection: Connection) -> int:
        """Leave this transaction's number; call as the last thing before the commit."""
        if not self._wanted(connection):
            return 0
        self._number += 1
        value = str(self._number)
        changed = connection.execute(update(hub).where(hub.c.key == self._key).values(value=value)).rowcount
        if not changed:
            connection.execute(hub.insert().values(key=self._key, value=value))
        return self._number

    def arrived(self, number: int) -> bool:
        """Ask, over a new connection, whether the transaction with this number was committed."""
        if not self._used:
            return False
        for delay in ASK_DELAYS:
            time.sleep(delay)
            try:
                with self._engine.connect() as connection:
                    found = connection.scalar(select(hub.c.value).where(hub.c.key == self._key).with_for_update())
            except DBAPIError:
                continue
            return found == str(number)
        return False

    def drop(self) -> None:
        """Remove the row; it is of no use to a later writer."""
        if not self._used or not self._number:
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(hub).where(hub.c.key == self._key))
        except DBAPIError:
            return  # the server is gone; the row that stays is a few bytes, and no later writer reads it

    def _wanted(self, connection: Connection) -> bool:
        if self._used is None:
            self._used = connection.dialect.name != "sqlite" and inspect(connection).has_table(hub.name)
        return self._used
