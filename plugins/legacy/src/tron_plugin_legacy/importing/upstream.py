"""Reading what a discord-tron-master kept: its database, config.json and guilds.json. Nothing is ever written there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, MetaData, Table, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

import tron_core as tron

ALLOWED = "mysql+pymysql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE"
CONNECT_SECONDS = 10
PAGE = 500
"""Rows that are read at once."""
BOOKKEEPING = frozenset({"alembic_version"})
"""Tables that say nothing about the hub."""


@dataclass(frozen=True)
class Upstream:
    """What was found. ``config`` and ``guilds`` are what the files hold, empty without one."""

    connection: Connection
    config: Mapping[str, Any] = field(default_factory=dict)
    guilds: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def tables(self) -> list[str]:
        """The names of the tables, sorted."""
        return sorted(set(inspect(self.connection).get_table_names()) - BOOKKEEPING)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return self.connection.execute(select(func.count()).select_from(self._table(table))).scalar_one()

    def rows(self, table: str) -> Iterator[Mapping[str, Any]]:
        """The rows by ``id``, page by page; none where there is no such table."""
        if table not in self.tables:
            return
        known = self._table(table)
        after: Any = None
        while True:
            query = select(known).order_by(known.c.id).limit(PAGE)
            page = self.connection.execute(query if after is None else query.where(known.c.id > after)).mappings().all()
            yield from (dict(row) for row in page)
            if len(page) < PAGE:
                return
            after = page[-1]["id"]

    @cached_property
    def profiles(self) -> Mapping[str, Any]:
        """The people's profiles by their ids, whatever they hold."""
        users = self.config.get("users")
        return users if isinstance(users, dict) else {}

    @cached_property
    def people(self) -> frozenset[str]:
        """The ids of everybody that the files and the tables know as a person."""
        found = set(self.profiles)
        if self.is_recent:
            history = self._table("user_history")
            found.update(str(user) for user in self.connection.scalars(select(history.c.user).distinct()))
        return frozenset(found)

    @property
    def is_recent(self) -> bool:
        """Whether it is a version that keeps a history of pictures, and lets a channel share a conversation."""
        return "user_history" in self.tables

    def _table(self, name: str) -> Table:
        return Table(name, MetaData(), autoload_with=self.connection, resolve_fks=False)


@contextmanager
def open_upstream(database_url: str | None, config: Path | None, guilds: Path | None) -> Iterator[Upstream]:
    """Read the files and reach the database, which config.json names unless ``database_url`` does.

    Raises TronError for a file or a database that cannot be read.
    """
    settings = {} if config is None else _read(config, "--config")
    rules = {} if guilds is None else _read(guilds, "--guilds")
    url = _url(database_url) if database_url else _configured(settings)
    engine = create_engine(url, connect_args={} if url.get_backend_name() == "sqlite" else _TIMES)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(_READ_ONLY[url.get_backend_name()])
        cursor.close()

    try:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            shown = url.render_as_string(hide_password=True)
            raise tron.TronError(f"--database-url: cannot open {shown}: {reason(error)}") from error
        with connection:
            yield Upstream(connection, settings, rules)
    finally:
        engine.dispose()


_TIMES: Mapping[str, Any] = {"connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4"}
_READ_ONLY = {"mysql": "SET SESSION TRANSACTION READ ONLY", "sqlite": "PRAGMA query_only = ON"}


def reason(error: DBAPIError) -> str:
    """The driver's own sentence: SQLAlchemy's has the values of the row with it, which may be secrets."""
    args = error.orig.args if error.orig is not None else ()
    return str(args[-1]) if args else type(error).__name__


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise tron.TronError(f"--database-url: this is no URL of a database; allowed: {ALLOWED}") from None
    if backend in ("mysql", "mariadb"):
        url = url.set(drivername="mysql+pymysql")  # whichever driver the original was given
    elif backend != "sqlite":
        raise tron.TronError(f"--database-url: {url.drivername!r} is not supported; allowed: {ALLOWED}")
    if not url.database:
        raise tron.TronError(f"--database-url: it names no database; allowed: {ALLOWED}")
    if backend == "sqlite" and not Path(url.database).is_file():
        raise tron.TronError(f"--database-url: there is no file {url.database}")
    return url


def _configured(config: Mapping[str, Any]) -> URL:
    """The database that config.json names."""
    section = config.get("mysql")
    if not isinstance(section, dict) or not all(isinstance(section.get(key), str) for key in ("user", "dbname")):
        raise tron.TronError(
            "--database-url is missing, and there is no config.json that has a section mysql with user and dbname; "
            f"allowed: {ALLOWED}"
        )
    password, host = section.get("password"), section.get("hostname")
    return URL.create(
        "mysql+pymysql",
        username=section["user"],
        password=None if password is None else str(password),
        host="localhost" if host is None else str(host),
        database=section["dbname"],
    )


def _read(file: Path, option: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise tron.TronError(f"{option}: {file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise tron.TronError(f"{option}: {file}: is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise tron.TronError(f"{option}: {file}: holds no object of JSON")
    return found
