"""Fixtures for every test of the core: a fresh database on SQLite and, where a server answers, on MariaDB; a shelf
of plugins that are installed for one test."""

from __future__ import annotations

import importlib
import os
import secrets
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import OperationalError

from tron_core.storage import migrations
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


@pytest.fixture(scope="session")
def mariadb_migrated(mariadb_server: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with every table that the migrations make, shared like ``mariadb_tables``."""
    with mariadb_database(mariadb_server) as url:
        migrations.upgrade(url, tmp_path_factory.mktemp("migrated"))
        engine = create_engine(url)
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


class Shelf:
    """Plugins that are installed while a test runs, each a module and a hand-written ``.dist-info``.

    Processes that the test starts see them too. Of all that is installed, ``TRON_PLUGINS`` names these alone.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._names: list[str] = []
        self._modules: list[str] = []
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    def install(
        self,
        name: str,
        source: str,
        *,
        version: str = "1.0",
        distribution: str | None = None,
        requires: str = "tron-core",
        group: str = "tron.plugins",
    ) -> None:
        """Install ``source`` as the plugin ``name`` of the distribution ``tron-plugin-NAME``."""
        distribution = distribution or f"tron-plugin-{name}"
        module = f"{distribution}_{len(self._modules)}".replace("-", "_")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nRequires-Dist: {requires}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n", encoding="utf-8")
        self._modules.append(module)
        self._names.append(name)
        self._monkeypatch.setenv("TRON_PLUGINS", ",".join(self._names))
        importlib.invalidate_caches()

    def clear(self) -> None:
        """Forget the imported modules."""
        for module in self._modules:
            sys.modules.pop(module, None)


@pytest.fixture
def shelf(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """Nothing but what the test itself installs is there for plugins to be loaded from."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf"), monkeypatch)
    yield shelf
    shelf.clear()
