"""Migrations: the core's and those of plugins that are never imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url

from tron_core.errors import ConfigError
from tron_core.storage import migrations, revisions
from tron_core.storage.database import Database
from tron_core.storage.engine import Access, make_engine, resolve_url
from tron_core.storage.migrations import Applied, Current, Drift
from tron_core.storage.tables import metadata

ROOT = Path(__file__).parents[2]
REVISIONS = ("0001", "0002", "0003", "0004", "0005")

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = depends_on = None


def upgrade():
    {body}
"""
NOTES = 'op.create_table("{prefix}_notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))'

Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def only_what_a_test_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever plugins the environment has, their tables are no matter of these tests."""
    there = set(entry_points(group=revisions.GROUP).names)
    monkeypatch.setattr(
        revisions, "entry_points", lambda group: [each for each in entry_points(group=group) if each.name not in there]
    )


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution on the path, as pip does; its package raises when it is imported."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def plugin(name: str, *bodies: str, folder: str = "migrations", value: str | None = None) -> Path:
        package = "tron_plugin_" + name.replace("-", "_")
        versions = site / package / folder
        versions.mkdir(parents=True)
        (site / package / "__init__.py").write_text("raise SystemExit('imported')")
        prefix = name.replace("-", "_")
        for number, body in enumerate(bodies or [NOTES], 1):
            down = f"{prefix}{number - 1}" if number > 1 else None
            text = REVISION.format(revision=f"{prefix}{number}", down=down, body=body.format(prefix=prefix))
            (versions / f"{number}.py").write_text(text)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        entry = value or f"{package}:{folder.partition('/')[0]}"
        (info / "entry_points.txt").write_text(f"[tron.migrations]\n{name} = {entry}\n")
        return site / package

    return plugin


def uninstall(package: Path) -> None:
    shutil.rmtree(package)
    shutil.rmtree(package.with_name(package.name + "-1.0.dist-info"))


def execute(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_an_empty_database_gets_every_table_of_the_core_and_no_more(database_url: str, tmp_path: Path) -> None:
    assert not database_url.startswith("sqlite") or not migrations.is_current(database_url, tmp_path)
    assert migrations.upgrade(database_url, tmp_path) == [Applied("core", REVISIONS)]
    assert tables(database_url) == {*metadata.tables, "tron_version"}
    assert migrations.current(database_url, tmp_path) == [Current("core", REVISIONS[-1], REVISIONS[-1])]
    assert migrations.is_current(database_url, tmp_path)
    assert migrations.check(database_url, tmp_path) == []


def test_upgrading_again_does_nothing(database_url: str, tmp_path: Path) -> None:
    migrations.upgrade(database_url, tmp_path)
    assert migrations.upgrade(database_url, tmp_path) == [Applied("core", ())]


def test_before_the_first_upgrade_everything_is_outdated(mariadb_url: str, tmp_path: Path) -> None:
    assert migrations.current(mariadb_url, tmp_path) == [Current("core", None, REVISIONS[-1])]
    assert not migrations.is_current(mariadb_url, tmp_path)
    (drift,) = migrations.check(mariadb_url, tmp_path)
    assert drift == Drift("core", f"at revision none, the newest is {REVISIONS[-1]}; run `tron db upgrade`")


def test_an_interrupted_first_migration_is_taken_up_again(database_url: str, tmp_path: Path) -> None:
    """MySQL commits each statement of a schema by itself: some tables are there, one without its index."""
    engine = make_engine(resolve_url(database_url, tmp_path), Access.MIGRATE)
    with engine.begin() as connection:
        for table in metadata.sorted_tables[:6]:
            table.create(connection)
        metadata.tables["artifacts"].create(connection, checkfirst=True)
        connection.exec_driver_sql(
            "DROP INDEX ix_artifacts_created_at" + ("" if engine.dialect.name == "sqlite" else " ON artifacts")
        )
    engine.dispose()
    migrations.upgrade(database_url, tmp_path)
    assert migrations.check(database_url, tmp_path) == []


def test_drift_of_the_core_is_named(database_url: str, tmp_path: Path) -> None:
    migrations.upgrade(database_url, tmp_path)
    execute(database_url, "DROP TABLE guild_rules")
    execute(database_url, "ALTER TABLE users ADD COLUMN nickname VARCHAR(10)")
    execute(database_url, "CREATE TABLE somebody_elses (id INTEGER)")
    messages = [drift.message for drift in migrations.check(database_url, tmp_path)]
    assert sorted(messages) == ["column users.nickname is not expected", "table guild_rules is missing"]


def test_a_plugins_tables_are_made_without_importing_it(database_url: str, tmp_path: Path, install: Install) -> None:
    install("my-notes")
    applied = migrations.upgrade(database_url, tmp_path)
    assert applied == [Applied("core", REVISIONS), Applied("my-notes", ("my_notes1",))]
    assert {"my_notes_notes", "tron_my_notes_version"} < tables(database_url)
    assert migrations.check(database_url, tmp_path) == []
    assert "tron_plugin_my_notes" not in sys.modules


def test_a_plugin_that_comes_into_a_hub_in_use_is_outdated_until_the_next_upgrade(
    database_url: str, tmp_path: Path, install: Install
) -> None:
    migrations.upgrade(database_url, tmp_path)
    install("notes", NOTES, 'op.add_column("notes_notes", sa.Column("more", sa.Text))')
    assert not migrations.is_current(database_url, tmp_path)
    assert migrations.upgrade(database_url, tmp_path)[1] == Applied("notes", ("notes1", "notes2"))
    assert migrations.current(database_url, tmp_path)[1] == Current("notes", "notes2", "notes2")


def test_the_tables_of_a_plugin_that_went_are_left_and_shown(
    database_url: str, tmp_path: Path, install: Install
) -> None:
    package = install("notes")
    migrations.upgrade(database_url, tmp_path)
    uninstall(package)
    assert migrations.upgrade(database_url, tmp_path) == [Applied("core", ())]
    assert {"notes_notes", "tron_notes_version"} < tables(database_url)
    _, gone = migrations.current(database_url, tmp_path)
    assert (gone.owner, gone.revision, gone.head, gone.installed) == ("notes", "notes1", None, False)
    assert migrations.is_current(database_url, tmp_path)
    assert migrations.check(database_url, tmp_path) == []


def test_drift_of_a_plugin_is_compared_by_its_prefix(database_url: str, tmp_path: Path, install: Install) -> None:
    install("notes")
    install("notes-extra")
    migrations.upgrade(database_url, tmp_path)
    execute(database_url, "ALTER TABLE notes_notes DROP COLUMN text")
    execute(database_url, "CREATE TABLE notes_extra_more (id INTEGER)")
    assert migrations.check(database_url, tmp_path) == [
        Drift("notes", "column notes_notes.text is missing"),
        Drift("notes-extra", "table notes_extra_more is not expected"),
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('raise ValueError("no such luck")', "ValueError: no such luck"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ('op.execute("SELECT nonsense FROM nowhere")', "nowhere"),
    ],
)
def test_a_plugin_that_fails_stops_nobody_else(
    database_url: str, tmp_path: Path, install: Install, body: str, sentence: str
) -> None:
    install("bad", body)
    install("notes")
    core, bad, notes = migrations.upgrade(database_url, tmp_path)
    assert (core.error, notes.error) == (None, None)
    assert bad.error is not None
    assert sentence in bad.error
    assert "notes_notes" in tables(database_url)


def test_a_plugin_whose_revisions_cannot_be_read_keeps_no_hub_from_starting(tmp_path: Path, install: Install) -> None:
    url = f"sqlite:///{tmp_path}/tron.db"
    install("bad")
    (install("worse") / "migrations" / "1.py").write_text("this is no Python")
    shutil.rmtree(tmp_path / "site" / "tron_plugin_bad" / "migrations")
    _, bad, worse = migrations.upgrade(url, tmp_path)
    assert bad.error == "its entry point names tron_plugin_bad:migrations, and there is no such folder"
    assert worse.error is not None
    assert worse.error.startswith("SyntaxError")
    assert migrations.is_current(url, tmp_path)
    assert {drift.owner for drift in migrations.check(url, tmp_path)} == {"bad", "worse"}


def test_a_failed_revision_on_sqlite_leaves_nothing_of_itself(tmp_path: Path, install: Install) -> None:
    url = f"sqlite:///{tmp_path}/tron.db"
    package = install("notes", NOTES + "; raise ValueError()")
    migrations.upgrade(url, tmp_path)
    assert "notes_notes" not in tables(url)
    revision = package / "migrations" / "1.py"
    revision.write_text(revision.read_text().replace("; raise ValueError()", ""))
    assert migrations.upgrade(url, tmp_path)[1] == Applied("notes", ("notes1",))


def test_a_database_from_the_future_says_so(tmp_path: Path, install: Install) -> None:
    url = f"sqlite:///{tmp_path}/tron.db"
    install("notes")
    migrations.upgrade(url, tmp_path)
    execute(url, "UPDATE tron_notes_version SET version_num = 'notes9'")
    error = migrations.upgrade(url, tmp_path)[1].error
    assert error is not None
    assert "a later version has upgraded this database" in error
    execute(url, "UPDATE tron_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="a later version"):
        migrations.upgrade(url, tmp_path)


@pytest.mark.parametrize(
    ("folder", "value"),
    [
        ("migrations/versions", "tron_plugin_notes:migrations"),
        ("storage/revisions", "tron_plugin_notes.storage:revisions"),
        ("storage/revisions", "tron_plugin_notes:storage/revisions"),
    ],
)
def test_the_folder_may_lie_deeper(tmp_path: Path, install: Install, folder: str, value: str) -> None:
    install("notes", folder=folder, value=value)
    assert migrations.upgrade(f"sqlite:///{tmp_path}/tron.db", tmp_path)[1] == Applied("notes", ("notes1",))


async def test_a_sqlite_database_in_use_is_not_upgraded(tmp_path: Path) -> None:
    hub = Database("sqlite:///tron.db", folder=tmp_path)
    await hub.start()
    with pytest.raises(ConfigError, match="is in use by process"):
        migrations.upgrade("sqlite:///tron.db", tmp_path)
    await hub.stop()


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    for look in (migrations.current, migrations.check):
        with pytest.raises(ConfigError, match="there is no database"):
            look("sqlite:///tron.db", tmp_path)
    with pytest.raises(ConfigError, match="there is no folder"):
        migrations.upgrade("sqlite:///no/tron.db", tmp_path)
    with pytest.raises(ConfigError, match=r"cannot open mysql\+pymysql://u:\*\*\*@127.0.0.1:1/d"):
        migrations.upgrade("mysql+pymysql://u:secret@127.0.0.1:1/d", tmp_path)


def test_new_tables_on_mariadb_compare_texts_exactly(
    mariadb_url: str, mariadb_server: Engine, tmp_path: Path, install: Install
) -> None:
    name = make_url(mariadb_url).database
    with mariadb_server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} COLLATE utf8mb4_general_ci")
    install("notes")
    migrations.upgrade(mariadb_url, tmp_path)
    query = f"SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = '{name}'"
    with mariadb_server.connect() as connection:
        assert set(connection.exec_driver_sql(query).scalars()) == {"utf8mb4_bin"}


@pytest.mark.slow
def test_an_installed_wheel_brings_the_core_up_outside_the_checkout(tmp_path: Path) -> None:
    """The wheel's own copy of the migrations is what runs, and there is no folder alembic/ beside it."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import pathlib, tron_core; from tron_core.storage import migrations; here = pathlib.Path.cwd();"
        "assert here in pathlib.Path(tron_core.__file__).parents, tron_core.__file__;"
        "url = 'sqlite:///tron.db'; print(migrations.upgrade(url, here), migrations.check(url, here))"
    )
    run(sys.executable, "-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert (tmp_path / "tron.db").is_file()


def run(*command: str, **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
