"""Group commit: one thread takes the units of work that wait and commits them together.

Each unit (or each run of rows for one function) stands in a savepoint, so that what fails undoes itself alone. Where
the transaction as a whole fails, its units are replayed one by one, so that only the guilty one fails.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError

from tron_core.errors import Unavailable
from tron_core.storage.engine import reason
from tron_core.storage.receipts import Receipts

log = logging.getLogger(__name__)

RETRY_DELAYS = (0.05, 0.25, 1.0)
"""Seconds before each new try of a transaction that a deadlock or a lost connection ended."""

_MYSQL_TRANSIENT = frozenset({1205, 1213, 2006, 2013})
_SQLITE_TRANSIENT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def is_transient(error: BaseException) -> bool:
    """Whether a transaction that ``error`` ended may succeed when it is run again as it is."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_TRANSIENT
    return bool(error.orig and error.orig.args and error.orig.args[0] in _MYSQL_TRANSIENT)


class Unreachable(Unavailable):
    """There is no database to write to now; a type of its own, since a unit may raise Unavailable itself."""


@dataclass(slots=True, eq=False)
class Unit:
    """One caller's work: ``fn(connection)``, or ``fn(connection, rows)`` where ``by_row``."""

    fn: Callable[..., Any]
    future: asyncio.Future[Any]
    by_row: bool = False
    row: Any = None
    value: Any = None
    error: Exception | None = None

    def resolve(self) -> None:
        """Tell the caller, on its loop; one that was cancelled meanwhile is not told."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


Batch = list[Unit]


def batches(group: Iterable[Unit]) -> Iterator[Batch]:
    """Neighbouring rows for the same function together, every other unit alone, in order."""
    batch: Batch = []
    for unit in group:
        if batch and not (unit.by_row and batch[0].by_row and unit.fn == batch[0].fn):
            yield batch
            batch = []
        batch.append(unit)
    if batch:
        yield batch


class Writer:
    """The thread that writes. ``resolve`` is called in it with each group once that is committed or has failed."""

    def __init__(self, engine: Engine, resolve: Callable[[Sequence[Unit]], None]) -> None:
        self._engine = engine
        self._resolve = resolve
        # Bounded by the Database, which admits no more units than it has room for.
        self._waiting: SimpleQueue[Unit | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tron-database-writer", daemon=True)
        self._connection: Connection | None = None
        self._receipts = Receipts(engine)

    def start(self) -> None:
        """Begin to take units; the database was reached before."""
        self._thread.start()

    def put(self, unit: Unit) -> None:
        """Queue a unit; returns at once."""
        self._waiting.put(unit)

    def stop(self) -> None:
        """Commit what waits, then end the thread; blocks until then."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._take()
            if group:
                self._commit(list(batches(group)))
                self._resolve(group)
        self._disconnect()
        self._receipts.drop()

    def _take(self) -> tuple[list[Unit], bool]:
        """Wait for a unit, then take all that wait; True when no more will come."""
        group: list[Unit] = []
        try:
            unit = self._waiting.get()
            while unit is not None:
                group.append(unit)
                unit = self._waiting.get_nowait()
        except Empty:
            return group, False
        return group, True

    def _commit(self, group: list[Batch]) -> None:
        """Run and commit; afterwards each unit has its value or its error."""
        error = self._try(group)
        if error is None:
            return
        units = [unit for batch in group for unit in batch]
        if isinstance(error, Unreachable):
            _give_up(units, error)
            return
        if len(units) == 1:
            units[0].error = error
            return
        log.warning("a transaction of %d units failed (%s); replaying them one by one", len(units), error)
        for number, unit in enumerate(units):
            self._commit([[unit]])
            if isinstance(unit.error, Unreachable):
                _give_up(units[number:], unit.error)
                return

    def _try(self, group: list[Batch]) -> Exception | None:
        """Run the group in one transaction, again where that may help; returns why it could not be committed."""
        for delay in (*RETRY_DELAYS, None):
            try:
                self._transaction(group)
            except BaseException as error:
                if delay is None or not is_transient(error):
                    return _presentable(error)
                log.info("a transaction is tried again: %s", error)
                self._disconnect()
                time.sleep(delay)
            else:
                return None
        raise AssertionError("the last try returns")

    def _transaction(self, group: list[Batch]) -> None:
        connection, transaction = self._begin()
        try:
            self._run_group(connection, group)
            receipt = self._receipts.write(connection)
        except BaseException:
            self._roll_back(transaction)
            raise
        try:
            transaction.commit()
        except DBAPIError as error:
            self._disconnect()
            if not (error.connection_invalidated and self._receipts.arrived(receipt)):
                raise

    def _roll_back(self, transaction: RootTransaction) -> None:
        try:
            transaction.rollback()
        except DBAPIError:
            self._disconnect()  # which undoes it as well

    def _run_group(self, connection: Connection, group: list[Batch]) -> None:
        if len(group) == 1 and len(group[0]) == 1:
            _run_batch(connection, group[0])  # the transaction itself is its savepoint
            return
        for batch in group:
            self._guarded(connection, batch)

    def _guarded(self, connection: Connection, batch: Batch) -> None:
        """Run a batch in a savepoint; what it raises undoes it alone, and of a batch of rows only the guilty one."""
        connection.exec_driver_sql("SAVEPOINT tron_unit")
        failure: BaseException | None = None
        try:
            _run_batch(connection, batch)
        except BaseException as error:
            if is_transient(error):
                raise
            failure = error
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT tron_unit")
        connection.exec_driver_sql("RELEASE SAVEPOINT tron_unit")
        if failure is None:
            return
        if len(batch) == 1:
            batch[0].error = _presentable(failure)
            return
        for unit in batch:
            self._guarded(connection, [unit])

    def _begin(self) -> tuple[Connection, RootTransaction]:
        """The one connection, kept open, and a transaction on it; raises Unreachable."""
        try:
            if self._connection is None:
                self._connection = _guard(self._engine.connect())
            return self._connection, self._connection.begin()
        except DBAPIError as error:
            raise Unreachable(f"the database cannot be written now: {reason(error)}") from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # for good: a failed commit leaves its transaction open on SQLite
            Connection.close(connection)


def _guard(connection: Connection) -> Connection:
    """Keep units from ending the transaction that they share."""

    def refused() -> None:
        raise RuntimeError("a unit of work must not commit, roll back or close: it shares its transaction")

    for method in ("commit", "rollback", "close"):
        setattr(connection, method, refused)
    return connection


def _run_batch(connection: Connection, batch: Batch) -> None:
    first = batch[0]
    if first.by_row:
        values = first.fn(connection, [unit.row for unit in batch])
        if len(values) != len(batch):
            raise TypeError(f"{first.fn!r} returned {len(values)} values for {len(batch)} rows")
    else:
        values = (first.fn(connection),)
    if connection.in_nested_transaction():
        _end_savepoints(connection)
        raise RuntimeError(f"{first.fn!r} left a savepoint open")
    for unit, value in zip(batch, values, strict=True):
        unit.value, unit.error = value, None


def _give_up(units: Sequence[Unit], error: Unreachable) -> None:
    """There is no database: each is told so at once, and none waits for a time-out of its own."""
    for unit in units:
        unit.error = Unreachable(error.message)


def _end_savepoints(connection: Connection) -> None:
    while (savepoint := connection.get_nested_transaction()) is not None:
        savepoint.rollback()


def _presentable(error: BaseException) -> Exception:
    """What a Future takes and a loop survives: SystemExit and its like raised in a unit are that unit's failure."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    failure = RuntimeError(f"a unit of work raised {error!r}")
    failure.__cause__ = error
    return failure
