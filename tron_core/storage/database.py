"""The hub's database: reads in a few threads, writes committed together by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tron_core.errors import ConfigError, Unavailable
from tron_core.storage.engine import (
    Access,
    Synchronous,
    make_engine,
    naming_the_database,
    reason,
    resolve_url,
    sqlite_file,
)
from tron_core.storage.lock import FileLock, Locked
from tron_core.storage.writer import Unit, Writer

T = TypeVar("T")
R = TypeVar("R")

MAX_WAITING = 4096
"""Units that may wait for the writer, and calls that may wait for a reader; further callers wait their turn."""


class Database:
    """One database, used from one event loop between ``start`` and ``stop``.

    ``url`` is ``sqlite:///FILE`` (relative to ``folder``) or ``mysql+pymysql://…``; ``synchronous`` says on SQLite
    what a commit survives: ``full`` a power cut, ``normal`` a crash of this process alone. ``readers`` is the number
    of reads at once. With ``open_exclusive=False`` nothing is locked and ``write`` is refused: for commands that
    only look, beside a hub that runs.
    """

    def __init__(
        self,
        url: str,
        *,
        folder: Path,
        synchronous: Synchronous = "full",
        readers: int = 4,
        open_exclusive: bool = True,
    ) -> None:
        self.url = resolve_url(url, folder)
        self.dialect: str = self.url.get_backend_name()
        self._file = sqlite_file(self.url)
        self._exclusive = open_exclusive
        self._readers = readers
        self._read_engine = make_engine(self.url, Access.READ, synchronous=synchronous, connections=readers)
        self._write_engine = make_engine(self.url, Access.WRITE, synchronous=synchronous)
        self._lock = lock_beside(self._file) if self._file and open_exclusive else None
        self._threads: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None
        self._room_to_write = asyncio.Semaphore(MAX_WAITING)
        self._room_to_read = asyncio.Semaphore(MAX_WAITING)

    async def start(self) -> None:
        """Take the lock and reach the database; raises ConfigError with the reason where that fails."""
        await asyncio.to_thread(self._open)
        self._threads = ThreadPoolExecutor(self._readers, thread_name_prefix="tron-database-reader")
        if self._exclusive:
            loop = asyncio.get_running_loop()

            def committed(group: Sequence[Unit]) -> None:
                loop.call_soon_threadsafe(self._resolve, group)  # one wake-up for a whole group

            self._writer = Writer(self._write_engine, committed)
            self._writer.start()

    async def stop(self) -> None:
        """Commit what waits, end the threads, close every connection, give the lock back."""
        writer, self._writer = self._writer, None
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(self._close, writer, threads)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in a reader thread, in a transaction that cannot write, and return what it returns."""
        async with self._room_to_read:
            if self._threads is None:
                raise Unavailable("the database is not open")
            return await asyncio.get_running_loop().run_in_executor(self._threads, _read, self._read_engine, fn)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in the writer's next transaction; returns what it returned once that is committed.

        ``fn`` may run again after its writes were undone, so it has no effect but on the Connection. What it raises
        undoes its own writes alone and is raised here. Cancelling the caller does not undo it. ``fn`` must neither
        commit nor change the schema (which commits on MySQL). Raises Unavailable where the database is not open for
        writing or cannot be reached.
        """
        return await self._submit(fn, False, None)  # type: ignore[no-any-return]

    async def write_rows(self, fn: Callable[[Connection, Sequence[R]], Sequence[T]], row: R) -> T:
        """As ``write``, for the hot path: rows that wait side by side for the same ``fn`` go to it in one call.

        ``fn`` returns one value a row, in order. Where it raises, it is called again with each row by itself, so
        that only the guilty row's caller is told.
        """
        return await self._submit(fn, True, row)  # type: ignore[no-any-return]

    async def _submit(self, fn: Callable[..., Any], by_row: bool, row: Any) -> Any:
        await self._room_to_write.acquire()
        if self._writer is None:
            self._room_to_write.release()
            raise Unavailable("the database is not open for writing")
        unit = Unit(fn, asyncio.get_running_loop().create_future(), by_row, row)
        self._writer.put(unit)
        return await unit.future

    def _resolve(self, group: Sequence[Unit]) -> None:
        for unit in group:
            self._room_to_write.release()
            unit.resolve()

    def _open(self) -> None:
        if self._file is not None:
            self._check_file(self._file)
        if self._lock is not None:
            take(self._lock, self.url.render_as_string())
        try:
            with naming_the_database(self.url):
                for engine in self._engines():
                    with engine.connect() as connection:
                        connection.exec_driver_sql("SELECT 1")
        except BaseException:
            self._release()
            raise

    def _check_file(self, file: Path) -> None:
        if not file.parent.is_dir():
            raise ConfigError(f"database.url: there is no folder {file.parent}")
        if not self._exclusive and not file.is_file():
            raise ConfigError(f"database.url: there is no database {file}; `tron db upgrade` makes it")

    def _engines(self) -> Sequence[Engine]:
        # The writer's first: it makes a new SQLite database a WAL one.
        return (self._write_engine, self._read_engine) if self._exclusive else (self._read_engine,)

    def _close(self, writer: Writer | None, threads: ThreadPoolExecutor) -> None:
        if writer is not None:
            writer.stop()
        threads.shutdown()
        self._release()

    def _release(self) -> None:
        for engine in self._engines():
            engine.dispose()
        if self._lock is not None:
            self._lock.release()


def lock_beside(file: Path) -> FileLock:
    """The lock that says which one process writes a SQLite database."""
    return FileLock(file.with_name(file.name + ".lock"))


def take(lock: FileLock, what: str) -> None:
    """Acquire or raise ConfigError naming the process that has it."""
    try:
        lock.acquire()
    except Locked as error:
        raise ConfigError(
            f"database.url: {what} is in use by process {error.pid}; one hub has a SQLite database at a time: "
            "stop that one first, or name another file"
        ) from error
    except OSError as error:
        raise ConfigError(f"database.url: cannot write {lock.path}: {error.strerror}") from error


def _read(engine: Engine, fn: Callable[[Connection], T]) -> T:
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise Unavailable(f"the database cannot be read now: {reason(error)}") from error
    with connection:
        return fn(connection)
