from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tron_core.errors import NotFound, TooLarge
from tron_core.storage.file_store import BLOCK, FileStore

KEY = "abcdefgh"
DATA = os.urandom(2 * BLOCK + 12345)


async def in_chunks(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def everything(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def files(store: FileStore) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


async def test_what_was_put_is_there_with_its_size_digest_and_head(store: FileStore) -> None:
    stored = await store.put(KEY, "x.bin", in_chunks(DATA), max_bytes=len(DATA))
    assert (stored.size, stored.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert stored.head == DATA[:8192]
    assert await everything(store.get(KEY, "x.bin")) == DATA
    assert files(store) == [f"{KEY}/x.bin"]


@pytest.mark.skipif(os.name == "nt", reason="modes")
async def test_others_go_through_the_folder_but_do_not_look_round_in_it(store: FileStore) -> None:
    await store.put(KEY, "x.bin", in_chunks(b"bytes"), max_bytes=5)
    assert store.root.stat().st_mode & 0o777 == 0o711
    assert (store.root / KEY / "x.bin").stat().st_mode & 0o004


async def test_an_empty_file_is_a_file(store: FileStore) -> None:
    assert (await store.put(KEY, "x.bin", in_chunks(b""), max_bytes=1)).size == 0
    assert await everything(store.get(KEY, "x.bin")) == b""


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 10), (5, 6), (7, 7), (BLOCK - 1, BLOCK + 1), (10, None), (len(DATA) - 1, None), (0, len(DATA) + 99)],
)
async def test_a_range_is_the_bytes_from_start_up_to_end(store: FileStore, start: int, end: int | None) -> None:
    await store.put(KEY, "x.bin", in_chunks(DATA), max_bytes=len(DATA))
    assert await everything(store.get(KEY, "x.bin", start=start, end=end)) == DATA[start:end]


async def test_a_file_that_is_too_large_leaves_nothing(store: FileStore) -> None:
    with pytest.raises(TooLarge, match="100 bytes"):
        await store.put(KEY, "x.bin", in_chunks(DATA), max_bytes=100)
    assert files(store) == []


async def test_a_sender_that_fails_leaves_nothing(store: FileStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(KEY, "x.bin", broken(), max_bytes=len(DATA))
    assert files(store) == []


async def test_a_put_that_is_cancelled_leaves_nothing(store: FileStore) -> None:
    stalled = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield DATA
        stalled.set()
        await asyncio.Event().wait()

    put = asyncio.ensure_future(store.put(KEY, "x.bin", stalling(), max_bytes=len(DATA)))
    await stalled.wait()
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert files(store) == []


async def test_a_reader_that_stops_early_leaves_no_file_open(store: FileStore) -> None:
    await store.put(KEY, "x.bin", in_chunks(DATA), max_bytes=len(DATA))
    reading = store.get(KEY, "x.bin")
    assert len(await anext(reading)) == BLOCK
    await reading.aclose()  # type: ignore[attr-defined]


async def test_a_key_is_written_once(store: FileStore) -> None:
    await store.put(KEY, "x.bin", in_chunks(b"first"), max_bytes=10)
    with pytest.raises(FileExistsError):
        await store.put(KEY, "x.bin", in_chunks(b"again"), max_bytes=10)


async def test_delete_removes_the_file_and_its_folder_and_may_be_repeated(store: FileStore) -> None:
    await store.put(KEY, "x.bin", in_chunks(b"x"), max_bytes=10)
    await store.delete(KEY, "x.bin")
    await store.delete(KEY, "x.bin")
    assert not (store.root / KEY).exists()
    with pytest.raises(NotFound):
        await everything(store.get(KEY, "x.bin"))


@pytest.mark.parametrize(
    ("key", "filename"),
    [
        ("..", "x.bin"),
        (KEY, "../secret"),
        (KEY, ".."),
        (KEY, "a/b"),
        (KEY, "a\\b"),
        (KEY, "a\0b"),
        (KEY, ""),
        ("/etc/pass", "passwd"),
        ("........", "x.bin"),
        (".incoming", "x.bin"),
        (KEY + "\n", "x.bin"),
    ],
)
async def test_no_name_leads_out_of_the_folder(store: FileStore, tmp_path: Path, key: str, filename: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(NotFound):
        await everything(store.get(key, filename))
    with pytest.raises(ValueError, match="not a safe place"):
        await store.put(key, filename, in_chunks(b"x"), max_bytes=10)
    await store.delete(key, filename)
    assert (tmp_path / "secret").exists()


async def test_what_a_crash_left_half_written_is_cleared_once_it_is_old(store: FileStore) -> None:
    incoming = store.root / ".incoming"
    incoming.mkdir(parents=True)
    for name, age in (("old", 2e5), ("young", 10.0)):
        (incoming / name).write_bytes(b"x")
        then = (incoming / name).stat().st_mtime - age
        os.utime(incoming / name, (then, then))
    await store.put(KEY, "x.bin", in_chunks(b"x"), max_bytes=10)
    assert files(store) == [".incoming/young", f"{KEY}/x.bin"]
