"""Fixtures for every test of the core: a fresh database on SQLite and, where a server answers, on MariaDB."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import OperationalError

from tron_core.storage.database import Database
from tron_core.storage.tables import metadata

SERVER = os.environ.get("TRON_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Engine]:
    """The server of TRON_TEST_MYSQL_URL; skips where none answers, fails where TRON_REQUIRE_SERVICES=1 needs one."""
    engine = create_engine(SERVER, connect_args={"connect_timeout": 3}, isolation_level="AUTOCOMMIT")
    try:
        engine.connect().close()
    except OperationalError as error:
        message = f"no MariaDB at {make_url(SERVER).render_as_string()}: {error.orig}"
        if os.environ.get("TRON_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    yield engine
    engine.dispose()


@contextmanager
def mariadb_database(server: Engine) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    name = f"tron_test_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")


@pytest.fixture
def mariadb_url(mariadb_server: Engine) -> Iterator[str]:
    """An empty database of the test's own."""
    with mariadb_database(mariadb_server) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_tables(mariadb_server: Engine) -> Iterator[Engine]:
    """A database with the core's tables, which take a second to make: tests share them, one after the other."""
    with mariadb_database(mariadb_server) as url:
        engine = create_engine(url)
        metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def dialect(request: pytest.FixtureRequest) -> str:
    """Makes a test run on SQLite and on MariaDB."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """The URL of an empty database, once on SQLite and once on MariaDB."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'tron.db'}"
    url: str = request.getfixturevalue("mariadb_url")
    return url


@pytest.fixture
async def database(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A started Database with the core's tables, empty, once on SQLite and once on MariaDB."""
    if dialect == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'tron.db'}")
        metadata.create_all(engine)
        engine.dispose()
    else:
        engine = request.getfixturevalue("mariadb_tables")
    database = Database(engine.url.render_as_string(hide_password=False), folder=tmp_path, synchronous="normal")
    await database.start()
    yield database
    await database.stop()
    if dialect == "mariadb":
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
