"""Two hubs: the original, on SQLite or MariaDB, and one of TRON with the real plugins, which takes it over."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner, Result

from tron_core.cli import app
from tron_core.storage import migrations

sys.path.append(str(Path(__file__).parent))  # the module beside this one is no test module

from original_hub import OriginalHub

T = TypeVar("T")
SERVER = os.environ.get("TRON_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Engine]:
    """The server of TRON_TEST_MYSQL_URL; skips where none answers, fails where TRON_REQUIRE_SERVICES=1 needs one."""
    engine = create_engine(SERVER, connect_args={"connect_timeout": 3}, isolation_level="AUTOCOMMIT")
    try:
        engine.connect().close()
    except OperationalError as error:
        if os.environ.get("TRON_REQUIRE_SERVICES") == "1":
            pytest.fail(f"no MariaDB: {error.orig}")
        pytest.skip(f"no MariaDB: {error.orig}")
    yield engine
    engine.dispose()


@pytest.fixture
def make_database(mariadb_server: Engine) -> Iterator[Callable[[], str]]:
    """Makes an empty database on MariaDB and returns its URL; all are dropped afterwards."""
    names: list[str] = []

    def make() -> str:
        names.append(f"tron_test_{secrets.token_hex(6)}")
        with mariadb_server.connect() as connection:
            # As a server of today makes it: without regard to capitals.
            connection.exec_driver_sql(f"CREATE DATABASE {names[-1]} CHARACTER SET utf8mb4")
        return mariadb_server.url.set(database=names[-1]).render_as_string(hide_password=False)

    yield make
    with mariadb_server.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


@pytest.fixture
def original_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the original keeps its tables: SQLite, or MariaDB for a test that is marked with ``ON_BOTH``."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'original.db'}"
    make: Callable[[], str] = request.getfixturevalue("make_database")
    return make()


@pytest.fixture
def original(original_url: str, tmp_path: Path) -> Iterator[OriginalHub]:
    """A recent version of the original, with nothing in it."""
    hub = OriginalHub(original_url, tmp_path)
    yield hub
    hub.engine.dispose()


class NewHub:
    """TRON in a folder, worked by its command line alone; ``url`` is its database's."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = create_engine(url)

    def connect(self, url: str) -> None:
        """Look into another database from now on."""
        self.engine.dispose()
        self.engine = create_engine(url)

    def tron(self, *arguments: str) -> Result:
        """Run a command."""
        return CliRunner().invoke(app, ["--config", str(self.folder / "tron.toml"), *arguments])

    def take(self, original: OriginalHub, *options: str) -> dict[str, Any]:
        """Import; the report."""
        result = self.run_import(original, "--json", *options)
        assert result.exit_code == 0, result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    def run_import(self, original: OriginalHub, *options: str) -> Result:
        """Import; how the command ended."""
        named = ["--database-url", original.url, "--config", str(original.config), "--guilds", str(original.guilds)]
        return self.tron("import-upstream", *named, *options)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a query finds in the database."""
        return self.read(lambda connection: [tuple(row) for row in connection.execute(text(query), values)])

    def read(self, fn: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return fn(connection)

    def settings(self, owner: str) -> dict[str, Any]:
        """What somebody saved."""
        found = self.rows("SELECT `key`, value FROM settings WHERE owner = :owner", owner=owner)
        return {key: json.loads(value) for key, value in found}

    def rules(self, guild: str) -> dict[str, Any]:
        """The rules of a guild."""
        found = self.rows("SELECT `key`, value FROM guild_rules WHERE guild = :guild", guild=guild)
        return {key: json.loads(value) for key, value in found}

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables but the audit log."""
        names = self.rows(_TABLES[self.engine.dialect.name])
        kept = sorted(name for (name,) in names if name not in ("audit", "tron_receipts"))
        return {name: sorted(self.rows(f"SELECT * FROM {name}"), key=repr) for name in kept}


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
}


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    for applied in migrations.upgrade("sqlite:///tron.db", folder):
        assert applied.error is None, applied
    return folder / "tron.db"


@pytest.fixture
def hub(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewHub]:
    """TRON on SQLite, with no plugin but this one and those that take something."""
    folder = tmp_path / "tron"
    folder.mkdir()
    shutil.copyfile(migrated, folder / "tron.db")
    (folder / "tron.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("TRON_PLUGINS", "bark,gpt,legacy,wizardlm")
    for name in ("TRON_CONFIG", "TRON_URL", "TRON_TOKEN", "TRON_UPSTREAM_URL"):
        monkeypatch.delenv(name, raising=False)
    hub = NewHub(folder, f"sqlite:///{folder / 'tron.db'}")
    yield hub
    hub.engine.dispose()


@pytest.fixture
def shelf_of_plugins(
    hub: NewHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], None]]:
    """Installs a plugin for one test, from its name and its source."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    modules: list[str] = []

    def install(name: str, source: str) -> None:
        module = f"legacy_test_{name}"
        modules.append(module)
        (folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\nRequires-Dist: tron-core\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[tron.plugins]\n{name} = {module}\n", encoding="utf-8")
        monkeypatch.setenv("TRON_PLUGINS", f"legacy,wizardlm,{name}")
        importlib.invalidate_caches()

    yield install
    for module in modules:
        sys.modules.pop(module, None)
