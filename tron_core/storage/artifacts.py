"""Artifacts: bytes in a store, addressed by an unguessable key, and a row for each in the database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError
from ulid import ULID

from tron_core.api import ArtifactStore, Stored, StoreFactory
from tron_core.clock import Clock
from tron_core.errors import ConfigError, Conflict, NotFound, Refused, TooLarge, TronError
from tron_core.job import Artifact, Outcome, Role
from tron_core.storage.database import Database
from tron_core.storage.file_store import FileStore
from tron_core.storage.job_queries import artifact_of
from tron_core.storage.sniff import HEAD_BYTES, filename_for, media_type
from tron_core.storage.tables import artifacts as table
from tron_core.storage.tables import attempts

MAX_NAME = 128
_KEY_BYTES = 24
_COLLECT_AT_ONCE = 200


class Mismatch(TronError):
    """An artifact is not what was announced: another size or digest, or not there at all."""

    code = "artifact_mismatch"
    status = 400


class Artifacts:
    """The hub's stored binaries. ``max_bytes`` is the size that none may exceed."""

    def __init__(self, database: Database, store: ArtifactStore, *, max_bytes: int, clock: Clock) -> None:
        self.max_bytes = max_bytes
        self._database = database
        self._store = store
        self._clock = clock
        self._recording: set[asyncio.Task[Artifact]] = set()

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        owner: str | None = None,
        role: Role = Role.RESULT,
        job: str | None = None,
        attempt: int | None = None,
        expected_size: int | None = None,
        expected_sha256: str | None = None,
    ) -> Artifact:
        """Store ``data`` under a new key; the media type is sniffed.

        Of one (job, attempt, name) there is one artifact: the same bytes again give the one that is there, other
        bytes raise Conflict. A preview replaces the job's earlier ones. Raises TooLarge over ``max_bytes``, Mismatch
        where the bytes are not what was expected, Refused for a name that cannot be kept; then nothing is left.
        """
        _check_name(name)
        if expected_size is not None and expected_size > self.max_bytes:
            raise TooLarge(f"{name}: {expected_size} bytes; at most {self.max_bytes} are taken")
        head, chunks = await _peek(_chunks(data))
        key, kind = secrets.token_urlsafe(_KEY_BYTES), media_type(head)
        filename = filename_for(name, kind)
        expected = _no_more_than(expected_size, name, chunks)
        stored = await self._store.put(key, filename, expected, max_bytes=self.max_bytes)
        now = self._clock.now()
        artifact = Artifact(
            id=str(ULID.from_timestamp(now)),
            name=name,
            role=role,
            key=key,
            filename=filename,
            media_type=kind,
            size=stored.size,
            sha256=stored.sha256,
            job=job,
            attempt=attempt,
            owner=owner,
            created_at=now,
        )
        # From here on it is either recorded or removed, whether or not the caller still waits.
        task = asyncio.ensure_future(self._record(artifact, _wrong(name, stored, expected_size, expected_sha256)))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return await asyncio.shield(task)

    async def get(self, artifact_id: str) -> Artifact:
        """Raises NotFound."""
        return await self._one(table.c.id == artifact_id)

    async def by_key(self, key: str) -> Artifact:
        """Raises NotFound."""
        return await self._one(table.c.key == key)

    async def open(self, artifact_id: str) -> tuple[Artifact, AsyncIterator[bytes]]:
        """An artifact and its bytes; raises NotFound."""
        artifact = await self.get(artifact_id)
        return artifact, self.read(artifact)

    def read(self, artifact: Artifact, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``; raises NotFound at the first where they are gone."""
        return self._store.get(artifact.key, artifact.filename, start=start, end=end)

    async def for_job(self, job: str) -> list[Artifact]:
        """Everything that was stored for a job: by attempt, those of its result first and in their order."""
        order = (table.c.attempt, table.c.position.is_(None), table.c.position, table.c.id)
        return await self._select(table.c.job == job, order=order)

    async def verify(self, job: str, attempt: int, names: Sequence[str]) -> list[Artifact]:
        """The attempt's artifacts of these names, in this order; raises Mismatch naming the first that is not there
        (or is named twice, or is a preview, which no result can hold)."""
        if not names:
            return []
        stored = await self._select(*_of_attempt(job, attempt), table.c.name.in_(names))
        left = {artifact.name: artifact for artifact in stored if artifact.role is not Role.PREVIEW}
        found = []
        for name in names:
            if name not in left:
                raise Mismatch(f"{name}: no such artifact was uploaded for this attempt", details={"name": name})
            found.append(left.pop(name))
        return found

    async def drop_previews(self, job: str) -> None:
        """Remove the job's previews; its result is there, or it has none."""
        await self._discard(await self._select(table.c.job == job, table.c.role == Role.PREVIEW.value))

    async def remove(self, ids: Collection[str]) -> None:
        """Remove artifacts, bytes and rows; those that are gone already are no error."""
        await self._discard(await self._select(table.c.id.in_(ids)))

    async def collect(self, keep_days: float | None) -> int:
        """Remove what is older than ``keep_days`` (None: nothing for its age alone), and what attempts that ended
        without success left behind; returns how many that were."""
        unwanted = [_never_settled()]
        if keep_days is not None:
            unwanted.append(table.c.created_at < self._clock.now() - keep_days * 86400)
        count = 0
        while batch := await self._select(or_(*unwanted), limit=_COLLECT_AT_ONCE):
            await self._discard(batch)
            count += len(batch)
        return count

    async def _record(self, artifact: Artifact, wrong: Mismatch | None) -> Artifact:
        try:
            if wrong is not None:
                raise wrong
            kept, replaced = await self._database.write(partial(_insert, artifact))
        except BaseException:
            await self._store.delete(artifact.key, artifact.filename)
            raise
        for each in replaced:
            await self._store.delete(each.key, each.filename)
        return kept

    async def _discard(self, unwanted: Sequence[Artifact]) -> None:
        """Bytes first: after a crash in between, the row still says what is to be removed."""
        for each in unwanted:
            await self._store.delete(each.key, each.filename)
        if unwanted:
            await self._database.write(partial(_delete, [each.id for each in unwanted]))

    async def _one(self, condition: ColumnElement[bool]) -> Artifact:
        found = await self._select(condition)
        if not found:
            raise NotFound("there is no such artifact")
        return found[0]

    async def _select(
        self,
        *conditions: ColumnElement[bool],
        order: Sequence[ColumnElement[Any]] = (table.c.id,),
        limit: int | None = None,
    ) -> list[Artifact]:
        query = select(table).where(*conditions).order_by(*order).limit(limit)
        return await self._database.read(lambda connection: [artifact_of(row) for row in connection.execute(query)])


def open_store(url: str, folder: Path, extra: Mapping[str, StoreFactory]) -> ArtifactStore:
    """The store for ``artifacts.url``: ``file:PATH`` (relative to ``folder``, or absolute), or one of ``extra``, by
    scheme. Raises ConfigError for a scheme that nobody offers."""
    scheme, _, path = url.partition(":")
    if scheme in extra:
        return extra[scheme](url, folder)
    if scheme != "file" or not path:
        offered = ", ".join(sorted({"file", *extra}))
        raise ConfigError(f"artifacts.url: {url!r} is not supported; allowed: file:PATH, and URLs of {offered}")
    return FileStore(folder / (path[2:] if path.startswith("//") else path))


def _insert(artifact: Artifact, connection: Connection) -> tuple[Artifact, list[Artifact]]:
    """Record an artifact; returns the one that is kept, and those whose bytes are wanted no more."""
    unwanted = _take_previews(connection, artifact) if artifact.role is Role.PREVIEW else []
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(**asdict(artifact) | {"role": artifact.role.value}))
    except IntegrityError:
        return _same(connection, artifact), [*unwanted, artifact]
    return artifact, unwanted


def _delete(ids: Sequence[str], connection: Connection) -> None:
    connection.execute(delete(table).where(table.c.id.in_(ids)))


def _take_previews(connection: Connection, artifact: Artifact) -> list[Artifact]:
    earlier = and_(table.c.job == artifact.job, table.c.role == Role.PREVIEW.value)
    found = [artifact_of(row) for row in connection.execute(select(table).where(earlier))]
    connection.execute(delete(table).where(earlier))
    return found


def _same(connection: Connection, artifact: Artifact) -> Artifact:
    """The artifact that has this one's identity already; raises Conflict where its bytes are others."""
    assert artifact.job is not None
    assert artifact.attempt is not None
    condition = and_(*_of_attempt(artifact.job, artifact.attempt), table.c.name == artifact.name)
    kept = artifact_of(connection.execute(select(table).where(condition)).one())
    if kept.sha256 != artifact.sha256:
        raise Conflict(f"{artifact.name}: stored already for this attempt, with other bytes", code="artifact_exists")
    return kept


def _of_attempt(job: str, attempt: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.job == job, table.c.attempt == attempt


def _never_settled() -> ColumnElement[bool]:
    """Of an attempt that is over without success, or whose job is gone; nobody can ask for these any more."""
    same = and_(attempts.c.job == table.c.job, attempts.c.number == table.c.attempt)
    useful = or_(attempts.c.outcome.is_(None), attempts.c.outcome == Outcome.SUCCEEDED.value)
    return and_(table.c.attempt.is_not(None), table.c.position.is_(None), ~exists().where(same, useful))


def _check_name(name: str) -> None:
    if not (0 < len(name) <= MAX_NAME and name.isprintable()):
        raise Refused(f"{name[:MAX_NAME]!r}: the name of a file has 1 to {MAX_NAME} printable characters")


def _wrong(name: str, stored: Stored, size: int | None, sha256: str | None) -> Mismatch | None:
    if size is not None and stored.size != size:
        return Mismatch(f"{name}: {stored.size} bytes came, {size} were announced")
    if sha256 is not None and stored.sha256 != sha256.lower():
        return Mismatch(f"{name}: the SHA-256 digest is {stored.sha256}, {sha256} was announced")
    return None


async def _chunks(data: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    async for chunk in data:
        yield chunk


async def _peek(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first HEAD_BYTES, and all chunks from the first on: the type decides the file's name."""
    read: list[bytes] = []
    size = 0
    async for chunk in chunks:
        read.append(chunk)
        size += len(chunk)
        if size >= HEAD_BYTES:
            break

    async def whole() -> AsyncIterator[bytes]:
        for chunk in read:
            yield chunk
        read.clear()
        async for chunk in chunks:
            yield chunk

    return b"".join(chunk[:HEAD_BYTES] for chunk in read)[:HEAD_BYTES], whole()


async def _no_more_than(size: int | None, name: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Stop a sender who goes on after what was announced."""
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        if size is not None and came > size:
            raise Mismatch(f"{name}: more bytes came than the {size} that were announced")
        yield chunk
