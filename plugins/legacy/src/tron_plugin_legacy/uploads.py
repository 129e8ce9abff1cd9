"""Files that clients upload. An upload names no job: it belongs to the one that its credential's worker is at, and
counts once a message of that job shows its address."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import tron_core as tron
from tron_plugin_legacy.api import AnswerFile
from tron_plugin_legacy.runs import Run, State
from tron_plugin_legacy.sound import wav_seconds

UNCLAIMED_SECONDS = 3600.0
"""After this time a file that no message showed is removed."""
MAX_UPLOADS = 32
"""Files that one job may have uploaded."""
HEAD_BYTES = 4096

logger = logging.getLogger(__name__)


class NoSuchJob(Exception):
    """An upload that belongs to no job, or of which nobody can tell to which."""


class JobOver(NoSuchJob):
    """An upload whose job ended while it came: it is not kept."""


class WrongKind(Exception):
    """An upload that is not what its address is for."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file of the job ``wire``."""

    wire: str
    artifact: tron.Artifact
    at: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_answer(self) -> AnswerFile:
        artifact = self.artifact
        return AnswerFile(artifact.name, artifact.media_type, artifact.size, self.metadata, self.seconds)


class Uploads:
    """The files that no message has shown yet. ``clock`` in seconds."""

    def __init__(self, app: tron.App, clock: Callable[[], float]) -> None:
        self._artifacts = app.artifacts
        self._clock = clock
        self._unclaimed: dict[str, Upload] = {}

    async def put(
        self,
        run: Run,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        kinds: tuple[str, ...],
        metadata: Mapping[str, str] | None = None,
    ) -> Upload:
        """Store a file for a run, numbered within it; ``name`` as ``image.png``, ``kinds`` how its media type may
        begin. Raises JobOver where the run ends meanwhile, NoSuchJob where it has too many, WrongKind, TooLarge."""
        if run.resumed:
            await self._recall(run)
        if run.uploads >= MAX_UPLOADS:
            raise NoSuchJob(f"this job has {MAX_UPLOADS} files already")
        run.uploads += 1
        head = bytearray()
        stem, dot, ending = name.rpartition(".")
        artifact = await self._artifacts.put(
            f"{stem}-{run.uploads}{dot}{ending}",
            _headed(data, head),
            job=run.assignment.job,
            attempt=run.assignment.attempt,
        )
        if not artifact.media_type.startswith(kinds):
            await self._artifacts.remove([artifact.id])
            raise WrongKind(f"{artifact.media_type}; allowed here: {', '.join(kinds)}")
        if run.state is not State.ACTIVE:
            await self._artifacts.remove([artifact.id])
            raise JobOver("the job is over")
        upload = Upload(
            run.wire, artifact, self._clock(), dict(metadata or {}), wav_seconds(bytes(head), artifact.size)
        )
        self._unclaimed[artifact.key] = upload
        return upload

    async def put_inline(self, run: Run, name: str, encoded: object, *, kinds: tuple[str, ...]) -> Upload | None:
        """Store a file that came in a message, in base64; None where it is none."""
        if not isinstance(encoded, str) or not encoded:
            return None
        try:
            data = await asyncio.to_thread(base64.b64decode, encoded.partition(",")[2] or encoded)
        except (binascii.Error, ValueError):
            return None
        upload = await self.put(run, name, data, kinds=kinds)
        self._unclaimed.pop(upload.artifact.key, None)
        return upload

    async def claim(self, run: Run, urls: Sequence[object]) -> list[Upload]:
        """The files of a run at these addresses, in their order; of others, and what is no address, nothing."""
        if run.resumed:
            await self._recall(run)
        found = []
        for url in urls:
            upload = self._unclaimed.get(_key_of(url))
            if upload is None or upload.wire != run.wire:
                logger.warning("job %s shows %s, which was not uploaded for it", run.wire, str(url)[:200])
                continue
            del self._unclaimed[upload.artifact.key]
            found.append(upload)
        return found

    async def remove_unclaimed(self) -> int:
        """Remove what nobody has shown for too long; returns how many files that were."""
        before = self._clock() - UNCLAIMED_SECONDS
        old = [upload for upload in self._unclaimed.values() if upload.at < before]
        for upload in old:
            del self._unclaimed[upload.artifact.key]
        if old:
            await self._artifacts.remove([upload.artifact.id for upload in old])
        return len(old)

    async def _recall(self, run: Run) -> None:
        """Find again what was uploaded before a restart of the hub."""
        earlier = [
            artifact
            for artifact in await self._artifacts.for_job(run.assignment.job)
            if artifact.attempt == run.assignment.attempt and artifact.role is tron.Role.RESULT
        ]
        if run.resumed:
            run.resumed = False
            run.uploads += len(earlier)
        for artifact in earlier:
            self._unclaimed.setdefault(artifact.key, Upload(run.wire, artifact, self._clock()))


def url_of(base: str, artifact: tron.Artifact) -> str:
    """Where an artifact is to be had; ``base`` ends with a slash."""
    return f"{base}artifacts/{artifact.key}/{quote(artifact.filename)}"


def _key_of(url: object) -> str:
    """The key in the address of an artifact; empty where it is none."""
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url).path.split("/")
    except ValueError:
        return ""
    return parts[-2] if len(parts) >= 3 and parts[-3] == "artifacts" else ""


async def _headed(data: bytes | AsyncIterator[bytes], head: bytearray) -> AsyncIterator[bytes]:
    """``data``, of which the first bytes are kept in ``head``."""
    if isinstance(data, bytes):
        head += data[:HEAD_BYTES]
        yield data
        return
    async for chunk in data:
        if len(head) < HEAD_BYTES:
            head += chunk[: HEAD_BYTES - len(head)]
        yield chunk
