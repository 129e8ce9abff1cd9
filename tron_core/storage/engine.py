"""Database URLs and the engines made from them: SQLite (WAL) and MySQL or MariaDB through PyMySQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from tron_core.errors import ConfigError
from tron_core.private_file import PRIVATE

if TYPE_CHECKING:
    from pymysql.connections import Connection as PyMySQLConnection

Synchronous = Literal["full", "normal"]

ALLOWED = "sqlite:///FILE or mysql+pymysql://USER:PASSWORD@HOST/DATABASE"
BUSY_SECONDS = 10.0
"""How long a connection waits for another process to end its write (SQLite)."""
CONNECT_SECONDS = 10
RECYCLE_SECONDS = 1800
"""Below every server's and proxy's usual idle time-out, so that pooled connections seldom meet it."""


class Access(Enum):
    """What an engine's connections are for; the value is what begins their transactions on SQLite."""

    READ = "BEGIN"
    WRITE = "BEGIN IMMEDIATE"
    MIGRATE = "BEGIN EXCLUSIVE"


def resolve_url(text: str, folder: Path) -> URL:
    """Parse ``database.url``; a relative SQLite path becomes relative to ``folder``.

    Raises ConfigError for what is no URL, another database, or SQLite in memory (which has one connection's life).
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigError(f"database.url: {text!r} is not a URL; allowed: {ALLOWED}") from error
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return _resolve_sqlite(url, folder)
    if url.drivername == "mysql+pymysql":
        return _resolve_mysql(url)
    raise ConfigError(f"database.url: {url.drivername!r} is not supported; allowed: {ALLOWED}")


def _resolve_sqlite(url: URL, folder: Path) -> URL:
    if not url.database or url.database == ":memory:":
        raise ConfigError("database.url: SQLite in memory cannot be shared; name a file: sqlite:///tron.db")
    return url.set(drivername="sqlite", database=str(folder.absolute() / url.database), query={})


def _resolve_mysql(url: URL) -> URL:
    if not url.database:
        raise ConfigError(f"database.url: {url} names no database; allowed: {ALLOWED}")
    return url.update_query_dict({"charset": "utf8mb4"})


def sqlite_file(url: URL) -> Path | None:
    """The file behind a resolved SQLite URL, None for another database."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, access: Access, *, synchronous: Synchronous = "full", connections: int = 1) -> Engine:
    """An engine for a resolved URL that opens at most ``connections``; nothing is connected yet."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=QueuePool, pool_size=connections, max_overflow=0)
        if access is not Access.READ:
            _make_private(engine, Path(str(url.database)))
        _prepare_sqlite(engine, access, synchronous)
        return engine
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    _prepare_mysql(engine, access)
    return engine


def _prepare_mysql(engine: Engine, access: Access) -> None:
    # Strict: what does not fit is an error, never cut short.
    session = ["SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"]
    if access is Access.READ:
        session.append("SET SESSION TRANSACTION READ ONLY")

    @event.listens_for(engine, "connect")
    def connected(connection: PyMySQLConnection, _record: Any) -> None:
        with connection.cursor() as cursor:
            for statement in session:
                cursor.execute(statement)


def _make_private(engine: Engine, file: Path) -> None:
    """Let a new database be its owner's alone: hashes of passwords, conversations, the secret of the tickets. What
    SQLite puts beside it has the same mode."""

    @event.listens_for(engine, "do_connect")
    def connecting(*_: Any) -> None:
        with suppress(OSError):  # SQLite says it better
            file.touch(mode=PRIVATE)


def _prepare_sqlite(engine: Engine, access: Access, synchronous: Synchronous) -> None:
    pragmas = [
        f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
        # Changing a table on SQLite means to drop the old one, which must not take what refers to it along.
        f"foreign_keys = {'OFF' if access is Access.MIGRATE else 'ON'}",
        f"synchronous = {synchronous.upper()}",
        "query_only = ON" if access is Access.READ else "journal_mode = WAL",
    ]

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver begins transactions late and not before SAVEPOINT; from here on only we begin them.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        connection.exec_driver_sql(access.value)


@contextmanager
def naming_the_database(url: URL) -> Iterator[None]:
    """Turn what a driver says about a database that cannot be opened into a ConfigError."""
    try:
        yield
    except DBAPIError as error:
        shown = url.render_as_string(hide_password=True)
        raise ConfigError(f"database.url: cannot open {shown}: {reason(error)}") from error


def reason(error: DBAPIError) -> str:
    """The driver's own sentence, without SQLAlchemy's frame."""
    args = error.orig.args if error.orig is not None else ()
    return str(args[-1]) if args else str(error)
