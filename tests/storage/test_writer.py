"""What the writer does when a transaction fails as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, Table, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from tron_core.errors import Unavailable
from tron_core.storage import writer
from tron_core.storage.database import Database
from tron_core.storage.tables import hub

metadata = MetaData()
parents = Table("parents", metadata, Column("id", Integer, primary_key=True))
children = Table(
    "children",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("parent", ForeignKey(parents.c.id, deferrable=True, initially="DEFERRED")),
)


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.0, 0.0, 0.0))


on_mariadb = pytest.mark.parametrize("dialect", [pytest.param("mariadb", marks=pytest.mark.mariadb)])
"""For what only a server can do: lose a connection."""


def child(number: int, parent: int | None = None) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(children.insert().values(id=number, parent=parent)) and None


def mysql_error(code: int) -> OperationalError:
    return OperationalError("UPDATE", None, pymysql.err.OperationalError(code, "as the server says"))


async def test_where_the_commit_fails_only_the_guilty_unit_fails(tmp_path: Path) -> None:
    database = Database("sqlite:///tron.db", folder=tmp_path, synchronous="normal")
    await database.start()
    await database.write(metadata.create_all)
    outcomes = await asyncio.gather(
        database.write(child(1)), database.write(child(2, parent=99)), database.write(child(3)), return_exceptions=True
    )
    assert isinstance(outcomes[1], IntegrityError)
    assert await database.read(lambda c: list(c.scalars(select(children.c.id)))) == [1, 3]
    await database.stop()


async def test_a_deadlocked_group_is_run_again_as_a_whole(database: Database) -> None:
    runs: list[str] = []

    def unlucky(connection: Connection) -> None:
        runs.append("unlucky")
        if runs.count("unlucky") < 3:
            raise mysql_error(1213)

    def neighbour(connection: Connection) -> None:
        runs.append("neighbour")
        connection.execute(hub.insert().values(key="a", value="v"))

    await asyncio.gather(database.write(neighbour), database.write(unlucky))
    assert runs == ["neighbour", "unlucky"] * 3


async def test_a_unit_that_always_deadlocks_fails_alone_after_three_retries(database: Database) -> None:
    runs: list[int] = []

    def hopeless(connection: Connection) -> None:
        runs.append(1)
        raise mysql_error(1205)

    with pytest.raises(OperationalError):
        await database.write(hopeless)
    assert len(runs) == 4
    outcomes = await asyncio.gather(
        database.write(lambda c: c.execute(hub.insert().values(key="a", value="v")).rowcount),
        database.write(hopeless),
        return_exceptions=True,
    )
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], OperationalError)


@pytest.fixture
def losing_commits(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the next commit on MariaDB lose its connection, ``before`` or ``after`` the server did it."""
    commit = pymysql.connections.Connection.commit

    def lose(when: str) -> None:
        left = [when]

        def lost(connection: pymysql.connections.Connection) -> None:  # type: ignore[type-arg]
            if not left:
                return commit(connection)
            if left.pop() == "after":
                commit(connection)
            connection._force_close()
            raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")

        monkeypatch.setattr(pymysql.connections.Connection, "commit", lost)

    return lose


@on_mariadb
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_lost_in_the_commit_applies_each_unit_once(
    database: Database, losing_commits: Callable[[str], None], when: str
) -> None:
    await database.write(lambda c: c.execute(hub.insert().values(key="n", value="0")) and None)
    add = update(hub).where(hub.c.key == "n").values(value=hub.c.value + 1)
    losing_commits(when)
    await asyncio.gather(*(database.write(lambda c: c.execute(add).rowcount) for _ in range(3)))
    count = select(func.round(hub.c.value)).where(hub.c.key == "n")
    assert await database.read(lambda c: c.scalar(count)) == 3


@on_mariadb
async def test_while_there_is_no_server_every_waiting_unit_is_told_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(self: object, sock: object = None) -> None:
        raise pymysql.err.OperationalError(2003, "Can't connect")

    def cut(connection: Connection) -> None:
        raise mysql_error(2006)

    with monkeypatch.context() as patch:
        patch.setattr(pymysql.connections.Connection, "connect", unreachable)
        outcomes = await asyncio.gather(
            database.write(cut), *(database.write(lambda c: 1) for _ in range(20)), return_exceptions=True
        )
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert await database.write(lambda c: 1) == 1


def test_neighbouring_rows_of_one_function_form_a_batch() -> None:
    def rows(*_: object) -> None: ...
    def other(*_: object) -> None: ...

    loop = asyncio.new_event_loop()
    units = [
        writer.Unit(fn, loop.create_future(), by_row)
        for fn, by_row in [(rows, True), (rows, True), (other, True), (rows, True), (rows, False), (rows, False)]
    ]
    loop.close()
    assert [len(batch) for batch in writer.batches(units)] == [2, 1, 1, 1, 1]
