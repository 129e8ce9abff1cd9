"""The floors: what the same machine does at the same time without TRON."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

FRAME = "x" * 1024
"""1 KB, as in the figures of the published echo benchmarks."""


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def _serve_echo(pipe: Connection) -> None:
    async def run() -> None:
        async with serve(_echo, "127.0.0.1", 0, compression=None) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    asyncio.run(run())


@asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """A raw ``websockets`` echo in a process of its own; gives its address."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_echo, args=(theirs,), daemon=True)
    process.start()
    port = await asyncio.to_thread(ours.recv)
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        ours.send(None)
        await asyncio.to_thread(process.join, 5)


async def round_trips(url: str, count: int) -> list[float]:
    """Seconds of ``count`` round trips of 1 KB on one connection, one after the other."""
    taken = []
    async with connect(url, compression=None) as connection:
        for _ in range(count):
            begun = time.perf_counter()
            await connection.send(FRAME)
            await connection.recv()
            taken.append(time.perf_counter() - begun)
    return taken


def sqlite_jobs_per_second(folder: Path, count: int, synchronous: str = "NORMAL") -> float:
    """Jobs a second that the stdlib module takes through submit, claim and finish, each a transaction (WAL)."""
    file = folder / "floor.db"
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT, params TEXT, output TEXT)")
    begun = time.perf_counter()
    for job in range(count):
        for statement, values in (
            ("INSERT INTO jobs VALUES (?, 'queued', '{}', NULL)", (job,)),
            ("UPDATE jobs SET state='running' WHERE id=? AND state='queued'", (job,)),
            ("UPDATE jobs SET state='succeeded', output='{}' WHERE id=? AND state='running'", (job,)),
        ):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(statement, values)
            connection.execute("COMMIT")
    rate = count / (time.perf_counter() - begun)
    connection.close()
    return rate


def fsyncs_per_second(folder: Path, count: int = 200) -> float:
    """How often a second this disk makes 4 KiB durable."""
    with (folder / "floor.fsync").open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(count):
            file.write(b"\0" * 4096)
            os.fsync(file.fileno())
        return count / (time.perf_counter() - begun)
