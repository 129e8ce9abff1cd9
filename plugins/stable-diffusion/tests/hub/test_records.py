"""The plugin's tables: the catalogue and the history, on SQLite and on MariaDB."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import OperationalError

from tron_core.storage import migrations
from tron_plugin_stable_diffusion import history, records, tables
from tron_plugin_stable_diffusion.catalogue import Model, Scheduler
from tron_plugin_stable_diffusion.history import Drawn

SERVER = make_url(os.environ.get("TRON_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/"))
GUILD = "123456789012345678"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the tables as the migrations leave them."""
    folder = tmp_path_factory.mktemp("database")
    if request.param == "sqlite":
        yield _upgraded(f"sqlite:///{folder / 'tron.db'}", folder)
        return
    name = f"tron_test_{secrets.token_hex(6)}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    except OperationalError as error:
        if os.environ.get("TRON_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"no server: {error}")
    yield _upgraded(SERVER.set(database=name).render_as_string(hide_password=False), folder)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    server.dispose()


def _upgraded(url: str, folder: Path) -> str:
    for applied in migrations.upgrade(url, folder):
        assert applied.error is None, applied
    assert [drift.message for drift in migrations.check(url, folder)] == []
    return url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """What a test writes is undone."""
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


def test_the_tables_are_those_that_the_migrations_make(connection: Connection) -> None:
    for table in tables.metadata.sorted_tables:
        found = connection.execute(table.select().limit(0))
        assert list(found.keys()) == [column.name for column in table.columns]


def test_what_is_added_is_there_and_changes_and_goes(connection: Connection) -> None:
    model = Model("a/b", "New", preference=3, added_by="api:alice", added_at=1.5, steps=9, facts={"tags": ["x"]})
    records.add_model(connection, model)
    records.allow_model(connection, GUILD, "a/b", True)
    records.allow_model(connection, GUILD, "a/b", True)
    found = records.load(connection)
    assert found.models["a/b"] == model
    assert next(iter(found.models)) == "a/b"
    assert found.allowed == {GUILD: frozenset({"a/b"})}
    records.change_model(connection, "a/b", {"approved": True, "guidance": 2.5})
    assert records.load(connection).models["a/b"] == replace(model, approved=True, guidance=2.5)
    records.delete_model(connection, "a/b")
    found = records.load(connection)
    assert "a/b" not in found.models
    assert found.allowed == {}


def test_a_scheduler_that_goes_leaves_its_models_to_the_worker(connection: Connection) -> None:
    scheduler = Scheduler("mine", "HeunDiscreteScheduler", {"a": True}, "Mine", 1, 9, ("cats",))
    records.add_scheduler(connection, scheduler)
    assert records.load(connection).schedulers["mine"] == scheduler
    records.change_scheduler(connection, "mine", {"uses": ["boats"], "description": "Ours"})
    changed = records.load(connection).schedulers["mine"]
    assert (changed.uses, changed.description) == (("boats",), "Ours")
    records.add_model(connection, Model("a/b", scheduler="mine"))
    records.delete_scheduler(connection, "mine")
    found = records.load(connection)
    assert "mine" not in found.schedulers
    assert found.models["a/b"].scheduler is None


def test_the_history_is_each_person_s_own_and_an_entry_is_there_once(connection: Connection) -> None:
    for number, (who, prompt) in enumerate([("api:a", "one"), ("api:a", "two"), ("api:b", "one"), ("api:a", "one")]):
        entry = Drawn(f"job{number}", who, float(number), prompt, "m", 2, 2**32 - 1)
        history.add(connection, entry)
        history.add(connection, entry)
    assert [entry.prompt for entry in history.newest(connection, "api:a")] == ["one", "two", "one"]
    assert history.newest(connection, "api:a")[0].seed == 2**32 - 1
    assert history.totals(connection, "api:a") == history.Totals(3, 6, 2)
    assert history.totals(connection, "api:c") == history.Totals(0, 0, 0)
    history.forget(connection, "api:a")
    assert history.newest(connection, "api:a") == []
    assert len(history.newest(connection, "api:b")) == 1


def test_the_oldest_entries_go_when_there_are_too_many(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    for number in range(5):
        history.add(connection, Drawn(f"job{number}", "api:a", float(number), str(number), "m", 1, 0))
    assert [entry.prompt for entry in history.newest(connection, "api:a")] == ["4", "3", "2"]
