from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from tests.storage.conftest import HandClock
from tron_core.errors import ConfigError, Conflict, NotFound, Refused, TooLarge
from tron_core.job import Artifact, Outcome, Role
from tron_core.storage.artifacts import Artifacts, Mismatch, open_store
from tron_core.storage.database import Database
from tron_core.storage.file_store import FileStore
from tron_core.storage.tables import artifacts as table
from tron_core.storage.tables import attempts, jobs

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


async def everything(artifacts: Artifacts, artifact: Artifact) -> bytes:
    _, chunks = await artifacts.open(artifact.id)
    return b"".join([chunk async for chunk in chunks])


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def files(store: FileStore) -> list[str]:
    return sorted(path.name for path in store.root.rglob("*") if path.is_file())


async def test_an_artifact_is_found_by_its_id_and_by_its_key(artifacts: Artifacts, clock: HandClock) -> None:
    put = await artifacts.put("fox.gif", PNG, owner="api:alice", role=Role.INPUT)
    assert (put.filename, put.media_type, put.size) == ("fox.png", "image/png", len(PNG))
    assert (put.sha256, put.created_at) == (hashlib.sha256(PNG).hexdigest(), clock.time)
    assert len(put.key) == 32
    assert await artifacts.get(put.id) == await artifacts.by_key(put.key) == put
    assert await everything(artifacts, put) == PNG
    part = [chunk async for chunk in artifacts.read(put, start=1, end=4)]
    assert part == [b"PNG"]


async def test_a_stream_is_stored_as_it_comes(artifacts: Artifacts) -> None:
    put = await artifacts.put("a.txt", stream(b"one ", b"", b"two"))
    assert await everything(artifacts, put) == b"one two"


@pytest.mark.parametrize("ask", [lambda a: a.get("no"), lambda a: a.by_key("no"), lambda a: a.open("no")])
async def test_what_is_not_there_is_not_found(artifacts: Artifacts, ask: object) -> None:
    with pytest.raises(NotFound):
        await ask(artifacts)  # type: ignore[operator]


@pytest.mark.parametrize(
    "expected", [{"expected_size": 3}, {"expected_size": 5}, {"expected_sha256": "0" * 64}], ids=str
)
async def test_other_bytes_than_announced_leave_nothing(
    artifacts: Artifacts, store: FileStore, expected: dict[str, int]
) -> None:
    with pytest.raises(Mismatch, match=r"a\.bin") as caught:
        await artifacts.put("a.bin", stream(b"12", b"34"), job="j", attempt=1, **expected)  # type: ignore[arg-type]
    assert caught.value.status == 400
    assert files(store) == []
    assert await artifacts.for_job("j") == []


async def test_what_is_too_large_is_refused_before_and_while_it_comes(artifacts: Artifacts, store: FileStore) -> None:
    with pytest.raises(TooLarge, match="at most 1000000"):
        await artifacts.put("a.bin", stream(), expected_size=1_000_001)
    with pytest.raises(TooLarge):
        await artifacts.put("a.bin", stream(*[bytes(300_000)] * 4))
    assert files(store) == []


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb"])
async def test_a_name_that_cannot_be_kept_is_refused(artifacts: Artifacts, name: str) -> None:
    with pytest.raises(Refused):
        await artifacts.put(name, b"")


async def test_the_same_bytes_again_are_the_artifact_that_is_there(artifacts: Artifacts, store: FileStore) -> None:
    first = await artifacts.put("a.bin", b"1234", job="j", attempt=1)
    again = await artifacts.put("a.bin", b"1234", job="j", attempt=1)
    other = await artifacts.put("a.bin", b"1234", job="j", attempt=2)
    assert again == first
    assert other.id != first.id
    assert len(files(store)) == 2


async def test_other_bytes_under_the_same_identity_are_a_conflict(artifacts: Artifacts, store: FileStore) -> None:
    first = await artifacts.put("a.bin", b"1234", job="j", attempt=1)
    with pytest.raises(Conflict, match="other bytes"):
        await artifacts.put("a.bin", b"4321", job="j", attempt=1)
    assert await artifacts.for_job("j") == [first]
    assert len(files(store)) == 1


async def test_of_many_senders_at_once_one_is_kept(artifacts: Artifacts, store: FileStore) -> None:
    puts = await asyncio.gather(*(artifacts.put("a.bin", b"1234", job="j", attempt=1) for _ in range(5)))
    assert len({put.id for put in puts}) == 1
    assert len(files(store)) == 1


async def test_a_preview_replaces_the_one_before_and_goes_at_the_end(artifacts: Artifacts, store: FileStore) -> None:
    await artifacts.put("preview", b"one", job="j", attempt=1, role=Role.PREVIEW)
    second = await artifacts.put("preview", b"two", job="j", attempt=1, role=Role.PREVIEW)
    result = await artifacts.put("a.bin", b"1234", job="j", attempt=1)
    assert await artifacts.for_job("j") == [second, result]
    await artifacts.drop_previews("j")
    assert await artifacts.for_job("j") == [result]
    assert len(files(store)) == 1


async def test_verify_gives_the_named_ones_in_their_order(artifacts: Artifacts) -> None:
    a, b = [await artifacts.put(name, b"x", job="j", attempt=1) for name in "ab"]
    assert await artifacts.verify("j", 1, ["b", "a"]) == [b, a]
    assert await artifacts.verify("j", 1, []) == []


async def test_verify_names_the_first_that_is_not_there(artifacts: Artifacts) -> None:
    await artifacts.put("a", b"x", job="j", attempt=1)
    await artifacts.put("p", b"x", job="j", attempt=1, role=Role.PREVIEW)
    for attempt, names, missing in [(1, ["a", "b", "c"], "b"), (2, ["a"], "a"), (1, ["a", "a"], "a"), (1, ["p"], "p")]:
        with pytest.raises(Mismatch, match=f"^{missing}: no such artifact"):
            await artifacts.verify("j", attempt, names)


async def test_a_caller_that_gives_up_leaves_either_all_or_nothing(artifacts: Artifacts, store: FileStore) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield bytes(10_000)
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    put = asyncio.ensure_future(artifacts.put("a.bin", stalling(), job="j", attempt=1))
    await begun.wait()
    put.cancel()
    await asyncio.gather(put, return_exceptions=True)
    assert files(store) == []
    assert await artifacts.for_job("j") == []


async def test_removing_takes_row_and_bytes_and_may_be_repeated(artifacts: Artifacts, store: FileStore) -> None:
    put = await artifacts.put("a.bin", b"x")
    await artifacts.remove([put.id, "no such"])
    await artifacts.remove([put.id])
    assert files(store) == []
    with pytest.raises(NotFound):
        await artifacts.get(put.id)


async def test_collect_removes_what_is_older_than_it_may_be(artifacts: Artifacts, clock: HandClock) -> None:
    old = await artifacts.put("old", b"x")
    clock.time += 3 * 86400
    young = await artifacts.put("young", b"x")
    assert await artifacts.collect(None) == 0
    assert await artifacts.collect(2) == 1
    assert await artifacts.get(young.id) == young
    with pytest.raises(NotFound):
        await artifacts.get(old.id)


async def test_collect_removes_what_failed_attempts_left_behind(artifacts: Artifacts, database: Database) -> None:
    await database.write(an_attempt("lost", Outcome.LOST))
    await database.write(an_attempt("good", Outcome.SUCCEEDED))
    await database.write(an_attempt("running", None))
    kept = {}
    for job in ("lost", "good", "running", "erased"):
        kept[job] = await artifacts.put("a", b"x", job=job, attempt=1)
    await database.write(lambda c: c.execute(update(table).where(table.c.job == "good").values(position=0)).rowcount)
    assert await artifacts.collect(None) == 2
    assert await artifacts.for_job("lost") == await artifacts.for_job("erased") == []
    assert await artifacts.for_job("good") == [kept["good"]]
    assert await artifacts.for_job("running") == [kept["running"]]


def an_attempt(job: str, outcome: Outcome | None) -> object:
    def write(connection: Connection) -> None:
        row = {column.name: 0 for column in jobs.c if not column.nullable}
        texts = {"capability": "c", "params": "{}", "state": "running", "requester": "r", "priority": "normal"}
        connection.execute(insert(jobs).values(row | texts | {"id": job}))
        ended = None if outcome is None else outcome.value
        connection.execute(
            insert(attempts).values(job=job, number=1, worker="w", client_id="c", started_at=0, outcome=ended)
        )

    return write


async def test_the_store_is_chosen_by_the_scheme_of_its_url(tmp_path: Path) -> None:
    def of(url: str) -> Path:
        store = open_store(url, tmp_path, {})
        assert isinstance(store, FileStore)
        return store.root

    assert of("file:artifacts") == tmp_path / "artifacts"
    assert of("file:/srv/a") == of("file:///srv/a") == Path("/srv/a")
    mine = FileStore(tmp_path)
    assert open_store("mine://x", tmp_path, {"mine": lambda url, folder: mine}) is mine
    with pytest.raises(ConfigError, match=r"artifacts\.url: 's3://b' is not supported; .* file, mine"):
        open_store("s3://b", tmp_path, {"mine": lambda url, folder: mine})
