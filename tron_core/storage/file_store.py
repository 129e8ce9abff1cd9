"""Artifacts in a folder, as ``<key>/<filename>``; every touch of the disk is made in a thread, in large blocks."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tron_core.api import Stored
from tron_core.errors import NotFound, TooLarge
from tron_core.storage.sniff import HEAD_BYTES

BLOCK = 1 << 20
"""Bytes that go to or come from a thread at once; two blocks are in memory while one is written."""
ABANDONED_SECONDS = 86400.0
"""Age at which a half-written file belongs to nobody any more."""

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_FILENAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,159}")


class FileStore:
    """An ArtifactStore in ``root``. A file appears whole, under its name, or not at all, and survives a power cut."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / ".incoming"
        self._ready = False

    async def put(self, key: str, filename: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """Write a new file; raises TooLarge once more than ``max_bytes`` came, ValueError for an unsafe name."""
        path = self._path(key, filename)
        if path is None:
            raise ValueError(f"not a safe place for an artifact: {key!r}/{filename!r}")
        if not self._ready:
            await asyncio.to_thread(self._prepare)
        incoming = _Incoming(self._incoming / key, path, max_bytes)
        try:
            await _fill(incoming, chunks)
            return await asyncio.to_thread(incoming.commit)
        except BaseException:
            await asyncio.to_thread(incoming.discard)
            raise

    async def get(self, key: str, filename: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``, in blocks; raises NotFound at the first."""
        reading = _Reading(self._path(key, filename), start, end)
        try:
            while not reading.done:
                block = await asyncio.to_thread(reading.next)
                if block:
                    yield block
        finally:
            if not reading.done:
                await asyncio.to_thread(reading.close)

    async def delete(self, key: str, filename: str) -> None:
        """Remove a file; nothing happens where there is none."""
        path = self._path(key, filename)
        if path is not None:
            await asyncio.to_thread(_remove, path)

    def _path(self, key: str, filename: str) -> Path | None:
        """Where a file lies; None for what cannot be the name of one (and might lead out of the folder)."""
        if _KEY.fullmatch(key) and _FILENAME.fullmatch(filename):
            return self.root / key / filename
        return None

    def _prepare(self) -> None:
        """Make the folders, and clear what a crash left half-written.

        Others may go through the folder, as a web server must, but not look round in it: a file is had by its key.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        self.root.mkdir(mode=0o711, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        oldest = time.time() - ABANDONED_SECONDS
        for file in self._incoming.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)
        self._ready = True


async def _fill(incoming: _Incoming, chunks: AsyncIterator[bytes]) -> None:
    """Write a block while the next one is gathered."""
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    try:
        async for block in _blocks(chunks):
            if writing is not None:
                await writing
            writing = loop.run_in_executor(None, incoming.write, block)
        if writing is not None:
            await writing
    finally:
        if writing is not None:
            writing.cancel()  # nothing where it is done; else nobody asks for its error any more


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[Sequence[bytes]]:
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield parts
            parts, size = [], 0
    yield parts


class _Incoming:
    """A file that is being written beside its place. Its methods block, and wait for each other: a cancelled caller
    discards it while a thread may still be writing."""

    def __init__(self, temporary: Path, path: Path, max_bytes: int) -> None:
        self._temporary = temporary
        self._path = path
        self._max_bytes = max_bytes
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._size = 0
        self._head = b""
        self._discarded = False
        self._lock = threading.Lock()

    def write(self, parts: Sequence[bytes]) -> None:
        with self._lock:
            if self._discarded:
                return
            # One long call each, so that the loop's thread is asked for the interpreter once a block.
            block = parts[0] if len(parts) == 1 else b"".join(parts)
            self._size += len(block)
            if self._size > self._max_bytes:
                raise TooLarge(f"the file is larger than the {self._max_bytes} bytes that are allowed")
            if len(self._head) < HEAD_BYTES:
                self._head += block[: HEAD_BYTES - len(self._head)]
            self._open().write(block)
            self._digest.update(block)

    def commit(self) -> Stored:
        with self._lock:
            file = self._open()
            os.fsync(file.fileno())
            file.close()
            self._path.parent.mkdir()
            self._temporary.rename(self._path)
            for folder in (self._path.parent, self._path.parent.parent):
                _fsync_folder(folder)
            return Stored(self._size, self._digest.hexdigest(), self._head)

    def discard(self) -> None:
        with self._lock:
            self._discarded = True
            if self._file is not None:
                self._file.close()
            self._temporary.unlink(missing_ok=True)
            _remove(self._path)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = open(self._temporary, "xb", buffering=0)  # noqa: SIM115 (closed by commit or discard)
        return self._file


class _Reading:
    """A range of a file that is being read; as with _Incoming, its methods block and wait for each other."""

    def __init__(self, path: Path | None, start: int, end: int | None) -> None:
        self.done = False
        self._path = path
        self._start = start
        self._left = None if end is None else max(0, end - start)
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()

    def next(self) -> bytes:
        with self._lock:
            if self.done:
                return b""
            wanted = BLOCK if self._left is None else min(BLOCK, self._left)
            block = self._open().read(wanted)
            if self._left is not None:
                self._left -= len(block)
            if len(block) < wanted or self._left == 0:
                self._close()
            return block

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.done = True
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            try:
                if self._path is None:
                    raise FileNotFoundError
                self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 (closed at its end or by close)
            except FileNotFoundError:
                self.done = True
                raise NotFound("there is no such file") from None
            self._file.seek(self._start)
        return self._file


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except FileNotFoundError:
        pass  # removed before


def _fsync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` durable; Windows has no such thing for folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
