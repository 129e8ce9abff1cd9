"""The Database through its public methods, on every dialect."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from tron_core.errors import ConfigError, Unavailable
from tron_core.storage import database as module
from tron_core.storage.database import Database
from tron_core.storage.tables import hub, metadata


def put(key: str, value: str = "v") -> Any:
    return lambda connection: connection.execute(hub.insert().values(key=key, value=value)).rowcount


def put_rows(connection: Connection, rows: Sequence[str]) -> Sequence[str]:
    connection.execute(hub.insert(), [{"key": row, "value": "v"} for row in rows])
    return rows


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[Callable[[], None]]:
    """Keep the writer busy until the function that this yields is called."""
    entered, free = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        free.wait(30)

    holding = asyncio.ensure_future(database.write(hold))
    assert await asyncio.to_thread(entered.wait, 30)
    try:
        yield free.set
    finally:
        free.set()
        await holding


async def begun() -> None:
    """Let tasks that were just made run up to their first wait."""
    await asyncio.sleep(0)


async def keys(database: Database) -> set[str]:
    return await database.read(lambda c: set(c.scalars(select(hub.c.key).where(hub.c.key.not_like("writer:%")))))


async def test_a_write_is_there_for_readers_once_it_returned(database: Database) -> None:
    assert await database.write(put("a")) == 1
    assert await keys(database) == {"a"}


async def test_what_a_unit_raises_undoes_its_own_writes_alone(database: Database) -> None:
    def guilty(connection: Connection) -> None:
        put("guilty")(connection)
        raise KeyError("mine")

    outcomes = await asyncio.gather(
        *(database.write(put(str(n))) for n in range(5)),
        database.write(guilty),
        *(database.write(put(str(n))) for n in range(5, 10)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[5], KeyError)
    assert await keys(database) == {str(n) for n in range(10)}


async def test_rows_that_wait_together_reach_their_function_in_one_call(database: Database) -> None:
    calls: list[int] = []

    def count(connection: Connection, rows: Sequence[str]) -> Sequence[str]:
        calls.append(len(rows))
        return put_rows(connection, rows)

    async with held(database) as release:
        writes = [asyncio.ensure_future(database.write_rows(count, str(n))) for n in range(50)]
        await begun()
        release()
        assert await asyncio.gather(*writes) == [str(n) for n in range(50)]
    assert calls == [50]


async def test_of_a_batch_of_rows_only_the_guilty_one_fails(database: Database) -> None:
    await database.write(put("7"))
    outcomes = await asyncio.gather(*(database.write_rows(put_rows, str(n)) for n in range(10)), return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, IntegrityError)] == [7]
    assert await keys(database) == {str(n) for n in range(10)}


async def test_a_function_that_returns_too_few_values_is_told(database: Database) -> None:
    with pytest.raises(TypeError, match="0 values for 1 rows"):
        await database.write_rows(lambda connection, rows: [], "a")


async def test_units_run_in_the_order_in_which_they_came(database: Database) -> None:
    await database.write(put("n", ""))

    def append(letter: str) -> Any:
        return lambda c: c.execute(update(hub).where(hub.c.key == "n").values(value=hub.c.value + letter)).rowcount

    await asyncio.gather(*(database.write(append(letter)) for letter in "abcdef"))
    assert await database.read(lambda c: c.scalar(select(hub.c.value).where(hub.c.key == "n"))) == "abcdef"


async def test_the_cancelled_caller_of_a_queued_unit_does_not_undo_it(database: Database) -> None:
    async with held(database) as release:
        write = asyncio.ensure_future(database.write(put("a")))
        await begun()
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        release()
        await database.write(put("b"))
    assert await keys(database) == {"a", "b"}


@pytest.mark.parametrize("way", ["commit", "rollback"])
async def test_a_unit_cannot_end_the_transaction_that_it_shares(database: Database, way: str) -> None:
    def end(connection: Connection) -> None:
        put("guilty")(connection)
        getattr(connection, way)()

    outcomes = await asyncio.gather(
        database.write(put("a")), database.write(end), database.write(put("b")), return_exceptions=True
    )
    assert isinstance(outcomes[1], RuntimeError)
    assert await keys(database) == {"a", "b"}


async def test_a_unit_may_use_savepoints(database: Database) -> None:
    def unit(connection: Connection) -> None:
        put("a")(connection)
        put("b")(connection)
        with pytest.raises(IntegrityError), connection.begin_nested():
            put_rows(connection, ["d", "a"])

    await asyncio.gather(database.write(unit), database.write(put("c")))
    assert await keys(database) == {"a", "b", "c"}


async def test_a_savepoint_left_open_is_an_error_of_its_unit_alone(database: Database) -> None:
    outcomes = await asyncio.gather(
        database.write(put("a")),
        database.write(lambda connection: connection.begin_nested() and None),
        database.write(put("b")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], RuntimeError)
    assert await keys(database) == {"a", "b"}


async def test_a_unit_that_exits_stops_nobody(database: Database) -> None:
    def leave(_connection: Connection) -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match=r"SystemExit\(3\)"):
        await database.write(leave)
    assert await database.write(put("a")) == 1


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError):
        await database.read(put("a"))


async def test_more_callers_than_there_is_room_for_wait_their_turn(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    database = await started(database_url, tmp_path)
    outcomes = await asyncio.gather(*(database.write_rows(put_rows, str(n)) for n in range(40)))
    assert len(outcomes) == len(await keys(database)) == 40
    await database.stop()


async def test_stop_commits_what_waits(database_url: str, tmp_path: Path) -> None:
    database = await started(database_url, tmp_path)
    writes = [asyncio.ensure_future(database.write(put(str(n)))) for n in range(20)]
    await begun()
    await database.stop()
    assert await asyncio.gather(*writes) == [1] * 20
    with pytest.raises(Unavailable):
        await database.write(put("late"))
    with pytest.raises(Unavailable):
        await database.read(lambda c: None)
    again = Database(database_url, folder=tmp_path)
    await again.start()
    assert len(await keys(again)) == 20
    await again.stop()


async def test_only_a_second_start_of_a_sqlite_database_is_refused(tmp_path: Path) -> None:
    first = await started("sqlite:///tron.db", tmp_path)
    with pytest.raises(ConfigError, match=rf"tron\.db is in use by process {os.getpid()}"):
        await Database("sqlite:///tron.db", folder=tmp_path).start()
    looking = Database("sqlite:///tron.db", folder=tmp_path, open_exclusive=False)
    await looking.start()
    await first.write(put("a"))
    assert await keys(looking) == {"a"}
    with pytest.raises(Unavailable):
        await looking.write(put("b"))
    await looking.stop()
    await first.stop()
    again = await started("sqlite:///tron.db", tmp_path)
    await again.stop()


async def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from tron_core.storage.lock import FileLock;"
        "FileLock(pathlib.Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path / "tron.db.lock"))
    await killed.wait()
    database = await started("sqlite:///tron.db", tmp_path)
    await database.stop()


async def test_a_relative_sqlite_url_stands_in_the_folder(tmp_path: Path) -> None:
    database = await started("sqlite:///tron.db", tmp_path)
    await database.stop()
    assert (tmp_path / "tron.db").is_file()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("tron.db", "is not a URL"),
        ("postgresql://u@h/d", "'postgresql' is not supported"),
        ("mysql://u@h/d", "'mysql' is not supported"),
        ("sqlite://", "name a file"),
        ("mysql+pymysql://u@h", "names no database"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_a_sentence(url: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Database(url, folder=tmp_path)


async def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    database = Database("mysql+pymysql://tron:secret@127.0.0.1:1/tron", folder=tmp_path)
    with pytest.raises(ConfigError, match=r"cannot open mysql\+pymysql://tron:\*\*\*@127.0.0.1:1/tron") as caught:
        await database.start()
    assert "secret" not in str(caught.value)


async def test_a_missing_folder_and_a_missing_database_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        await Database("sqlite:///no/tron.db", folder=tmp_path).start()
    with pytest.raises(ConfigError, match="there is no database"):
        await Database("sqlite:///tron.db", folder=tmp_path, open_exclusive=False).start()


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
async def test_a_sqlite_database_is_its_owners_alone(tmp_path: Path) -> None:
    database = await started("sqlite:///tron.db", tmp_path)
    await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in os.scandir(tmp_path)}
    await database.stop()
    assert modes.pop("tron.db.lock")
    assert set(modes) == {"tron.db", "tron.db-wal", "tron.db-shm"}
    assert set(modes.values()) == {0o600}


async def test_sqlite_runs_as_configured(tmp_path: Path) -> None:
    database = await started("sqlite:///tron.db", tmp_path)
    pragmas = {
        name: await database.write(lambda c, name=name: c.exec_driver_sql(f"PRAGMA {name}").scalar())
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    await database.stop()
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 10000}


@pytest.mark.mariadb
async def test_a_connection_that_the_server_cut_is_replaced(
    mariadb_url: str, mariadb_server: Engine, tmp_path: Path
) -> None:
    database = await started(mariadb_url, tmp_path)
    me = await database.write(lambda c: c.scalar(text("SELECT connection_id()")))
    with mariadb_server.connect() as connection:
        connection.exec_driver_sql(f"KILL {me}")
    outcomes = await asyncio.gather(*(database.write(put(str(n))) for n in range(5)))
    assert outcomes == [1] * 5
    assert len(await keys(database)) == 5
    await database.stop()


async def started(url: str, folder: Path) -> Database:
    database = Database(url, folder=folder, synchronous="normal")
    await database.start()
    await database.write(metadata.create_all)
    return database
