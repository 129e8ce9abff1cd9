"""The tables: what the migrations make, and what is kept in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from tron_core.storage import migrations
from tron_plugin_gpt import history, usage
from tron_plugin_gpt.history import PAGE, Pair
from tron_plugin_gpt.tables import metadata
from tron_plugin_gpt.usage import Used


@pytest.fixture
def connection(empty_database: Path, tmp_path: Path) -> Iterator[Connection]:
    shutil.copyfile(empty_database, tmp_path / "tron.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'tron.db'}")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def pair(number: int, speaker: str = "api:alice") -> Pair:
    return Pair(f"job-{number}", speaker, f"message {number}", f"answer {number}", 10, "utf-8", float(number))


def numbers(connection: Connection, key: str = "c", after: int = 0) -> list[int]:
    return [int(each.said_at) for each in history.newest_first(connection, key, after)]


def test_the_migrations_make_the_tables_that_the_code_uses(connection: Connection, empty_database: Path) -> None:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or (name or "").startswith("gpt_")

    context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
    assert compare_metadata(context, metadata) == []
    assert [
        drift for drift in migrations.check("sqlite:///tron.db", empty_database.parent) if drift.owner == "gpt"
    ] == []


def test_pairs_are_read_page_by_page_the_newest_first(connection: Connection) -> None:
    for number in range(2 * PAGE + 5):
        history.append(connection, "c", "api:alice", pair(number), keep=1000)
    history.append(connection, "other", "api:bob", pair(1000, "api:bob"), keep=1000)
    assert numbers(connection) == list(reversed(range(2 * PAGE + 5)))
    newest = next(history.newest_first(connection, "c"))
    assert numbers(connection, after=newest.id - 3) == [2 * PAGE + 4, 2 * PAGE + 3, 2 * PAGE + 2]


def test_a_pair_is_there_once_however_often_it_is_added(connection: Connection) -> None:
    for _ in range(3):
        history.append(connection, "c", "api:alice", pair(1), keep=1000)
    assert history.count(connection, "c") == 1


def test_the_oldest_go_where_there_are_too_many(connection: Connection) -> None:
    for number in range(10):
        history.append(connection, "c", "api:alice", pair(number), keep=3)
    assert numbers(connection) == [9, 8, 7]


def test_what_was_chosen_outlives_what_was_said(connection: Connection) -> None:
    history.append(connection, "c", "api:alice", pair(1), keep=10)
    history.choose(connection, "c", "api:alice", role="a cat", model="gpt-4")
    history.choose(connection, "c", "api:alice", summary="short", summarised=1)
    assert history.clear(connection, "c") == 1
    assert history.fetch(connection, "c") == history.Conversation("c", "a cat", "gpt-4")


def test_what_was_used_is_added_up_by_day_and_model(connection: Connection) -> None:
    for day, model in [("2026-11-24", "a"), ("2026-11-24", "a"), ("2026-11-24", "b"), ("2026-11-25", "a")]:
        usage.add(connection, "api:alice", day, model, Used(1, 10, 5, 0.5))
    assert usage.of(connection, "api:alice", "2026-11-24") == Used(3, 30, 15, 1.5)
    assert usage.of(connection, "api:alice") == Used(4, 40, 20, 2.0)
    usage.forget(connection, "api:alice")
    assert usage.of(connection, "api:alice") == Used()


def test_a_day_is_one_of_utc() -> None:
    assert usage.day_of(1_800_000_000.0) == "2027-01-15"
