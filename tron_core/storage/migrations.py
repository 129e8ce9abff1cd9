"""Bring the schema up to date, say where it stands, and say where it has drifted.

The core and each plugin have revisions and a version table of their own (``tron_version``,
``tron_<plugin>_version``), so that plugins come and go without touching each other. Every function here blocks: call
it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from tron_core.errors import ConfigError
from tron_core.storage import drift
from tron_core.storage.database import lock_beside, take
from tron_core.storage.engine import Access, make_engine, naming_the_database, reason, resolve_url, sqlite_file
from tron_core.storage.revisions import CORE, Owner, left_behind, owners
from tron_core.storage.tables import metadata

LOCK_SECONDS = 120
"""How long one hub waits for another to finish its upgrade (MySQL)."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``upgrade`` did for the core or a plugin. ``error`` is why it stopped before the end."""

    owner: str
    revisions: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """Where an owner's tables stand: at ``revision``, of which ``head`` is the newest. ``problem`` says why the
    owner's revisions cannot be run: it is not installed, or its files are broken."""

    owner: str
    revision: str | None
    head: str | None
    installed: bool = True
    problem: str | None = None

    @property
    def up_to_date(self) -> bool:
        return self.revision == self.head


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which the database is not what it should be, as a sentence."""

    owner: str
    message: str


def upgrade(url: str, folder: Path) -> list[Applied]:
    """Run all revisions that the database lacks: the core's, then each plugin's.

    A SQLite database is made where there is none. Raises ConfigError where the database cannot be opened, is in use
    by a hub (SQLite), or the core's revisions fail; a plugin's failure is told in its ``Applied`` and stops nobody.
    """
    with _connected(url, folder, Access.MIGRATE) as connection, _alone(connection):
        _compare_texts_exactly(connection)
        core, *plugins = owners()
        applied = [_upgrade(connection, core)]
        if applied[0].error is not None:
            raise ConfigError(f"database.url: the core's tables cannot be brought up to date: {applied[0].error}")
        return applied + [_upgrade(connection, plugin) for plugin in plugins]


def current(url: str, folder: Path) -> list[Current]:
    """Where the core and each plugin stand, also those plugins that are gone and whose tables are still there.

    Raises ConfigError where the database cannot be opened.
    """
    with _connected(url, folder, Access.READ) as connection:
        known = owners()
        gone = left_behind(inspect(connection).get_table_names(), known)
        return [_current(connection, owner) for owner in known] + [
            Current(owner.name, owner.revision(connection), None, installed=False, problem=owner.problem)
            for owner in gone
        ]


def is_current(url: str, folder: Path) -> bool:
    """Whether a hub may start: nobody's tables are out of date. A plugin whose revisions cannot be read is not
    waited for. Raises ConfigError where the database cannot be opened; one on SQLite that is still to be made is
    not current."""
    file = sqlite_file(resolve_url(url, folder))
    if file is not None and not file.exists():
        return False
    return all(each.up_to_date or each.problem is not None for each in current(url, folder))


def check(url: str, folder: Path) -> list[Drift]:
    """What is out of date or has drifted; empty where all is well. Raises ConfigError as ``current`` does."""
    with _connected(url, folder, Access.READ) as connection:
        known = owners()
        return [Drift(owner.name, message) for owner in known for message in _differences(connection, owner, known)]


def _upgrade(connection: Connection, owner: Owner) -> Applied:
    if owner.problem is not None:
        return Applied(owner.name, error=owner.problem)
    try:
        return Applied(owner.name, tuple(owner.upgrade(connection)))
    except (Exception, SystemExit) as error:  # a plugin's file may raise what it likes
        connection.rollback()
        return Applied(owner.name, error=_why(error))


def _current(connection: Connection, owner: Owner) -> Current:
    revision = owner.revision(connection)
    if owner.problem is not None:
        return Current(owner.name, revision, None, problem=owner.problem)
    try:
        return Current(owner.name, revision, owner.head())
    except (Exception, SystemExit) as error:
        return Current(owner.name, revision, None, problem=_why(error))


def _differences(connection: Connection, owner: Owner, known: list[Owner]) -> Iterator[str]:
    state = _current(connection, owner)
    if state.problem is not None:
        yield state.problem
    elif not state.up_to_date:
        yield f"at revision {state.revision or 'none'}, the newest is {state.head}; run `tron db upgrade`"
    elif owner.name == CORE:
        yield from drift.of_metadata(connection, metadata)
    else:
        prefixes = [other.prefix for other in known if other.name != CORE]
        try:
            yield from drift.of_revisions(connection, owner, prefixes, metadata.tables.keys())
        except (Exception, SystemExit) as error:
            yield f"cannot be compared: its revisions do not run on an empty database in memory: {_why(error)}"


def _why(error: BaseException) -> str:
    if isinstance(error, DBAPIError):
        return reason(error)
    if isinstance(error, CommandError) and "Can't locate revision" in str(error):
        return f"{error}: a later version has upgraded this database; install that version again"
    return f"{type(error).__name__}: {error}"


@contextmanager
def _connected(text_url: str, folder: Path, access: Access) -> Iterator[Connection]:
    url = resolve_url(text_url, folder)
    file = sqlite_file(url)
    if access is Access.READ and file is not None and not file.is_file():
        raise ConfigError(f"database.url: there is no database {file}; `tron db upgrade` makes it")
    engine = make_engine(url, access)
    try:
        with _locked(url, file if access is Access.MIGRATE else None):
            with naming_the_database(url):
                connection = engine.connect()
            with connection:
                yield connection
    finally:
        engine.dispose()


@contextmanager
def _locked(url: URL, file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    if not file.parent.is_dir():
        raise ConfigError(f"database.url: there is no folder {file.parent}")
    lock = lock_beside(file)
    take(lock, str(url))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One hub at a time upgrades a shared database; the server frees the lock with the connection."""
    if connection.dialect.name == "sqlite":
        yield
        return
    name = f"tron_upgrade_{connection.engine.url.database}"[:64]
    if connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": name, "seconds": LOCK_SECONDS}) != 1:
        raise ConfigError(f"database.url: another hub has been upgrading this database for {LOCK_SECONDS} seconds")
    connection.rollback()
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
        connection.rollback()


def _compare_texts_exactly(connection: Connection) -> None:
    """Give new tables, plugins' too, the collation in which texts compare as they do on SQLite: byte by byte.

    Else ``Alice`` and ``alice`` were one user, and keys that differ in case alone one artifact.
    """
    if connection.dialect.name == "sqlite":
        return
    collation = connection.scalar(text("SELECT @@collation_database"))
    if collation != "utf8mb4_bin":
        name = connection.dialect.identifier_preparer.quote(str(connection.engine.url.database))
        with naming_the_database(connection.engine.url):
            connection.exec_driver_sql(f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    connection.rollback()
