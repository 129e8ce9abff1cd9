"""Files by HTTP: inputs are fetched and checked, artifacts put where their tickets say."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections.abc import AsyncIterator
from io import BufferedWriter
from pathlib import Path
from random import Random

import httpx

from tron_core.hub.protocol import InputRef, Ticket
from tron_core.worker.address import HubAddress
from tron_core.worker.backoff import wait_after
from tron_core.worker.messages import Fetched

CHUNK = 1024 * 1024
TRIES = 4
TIMEOUT = httpx.Timeout(30.0, connect=15.0)
"""Seconds of silence, in both directions, after which a transfer is given up and tried again."""


class TransferFailed(Exception):
    """A file could not be moved. ``permanent``: trying again would not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


def http_client(address: HubAddress) -> httpx.AsyncClient:
    """The client for everything that goes by HTTP; a proxy of the environment is not asked on this very machine."""
    return httpx.AsyncClient(verify=address.tls, timeout=TIMEOUT, trust_env=not address.loopback)


class Inputs:
    """Fetches the inputs of jobs."""

    def __init__(self, http: httpx.AsyncClient, random: Random) -> None:
        self._http = http
        self._random = random

    async def fetch_all(self, refs: tuple[InputRef, ...], folder: Path) -> tuple[Fetched, ...]:
        """Fetch the inputs of one job into ``folder``; raises TransferFailed, which names the first that failed."""
        await asyncio.to_thread(folder.mkdir, parents=True)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._fetch(ref, folder / _filename(n, ref))) for n, ref in enumerate(refs)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(task.result() for task in tasks)

    async def _fetch(self, ref: InputRef, path: Path) -> Fetched:
        for failures in range(1, TRIES + 1):
            try:
                await self._download(ref, path)
                break
            except httpx.HTTPError as error:
                reason = f"input {ref.name}: {type(error).__name__}: {error}"
            except TransferFailed as error:
                if error.permanent:
                    raise
                reason = error.message
            if failures == TRIES:
                raise TransferFailed(reason)
            await asyncio.sleep(wait_after(failures, self._random))
        return Fetched(name=ref.name, path=path, media_type=ref.media_type, size=ref.size, sha256=ref.sha256)

    async def _download(self, ref: InputRef, path: Path) -> None:
        digest, size = hashlib.sha256(), 0
        async with self._http.stream("GET", ref.url, headers=dict(ref.headers)) as response:
            if response.status_code != 200:
                permanent = 400 <= response.status_code < 500 and response.status_code not in (408, 425, 429)
                raise TransferFailed(f"input {ref.name}: HTTP {response.status_code}", permanent=permanent)
            with await asyncio.to_thread(path.open, "wb") as file:
                async for chunk in response.aiter_bytes(CHUNK):
                    size += len(chunk)
                    if size > ref.size:
                        break
                    await asyncio.to_thread(_take, file, digest, chunk)
        if size != ref.size or digest.hexdigest() != ref.sha256:
            got = f"more than {ref.size} bytes" if size > ref.size else f"{size} bytes, sha256 {digest.hexdigest()}"
            raise TransferFailed(f"input {ref.name}: got {got}; announced were {ref.size} bytes, {ref.sha256}")


def _take(file: BufferedWriter, digest: hashlib._Hash, chunk: bytes) -> None:
    digest.update(chunk)
    file.write(chunk)


def _filename(number: int, ref: InputRef) -> str:
    """A name of our own, with the suffix that libraries tell the kind of a file by."""
    return f"{number}{mimetypes.guess_extension(ref.media_type) or ''}"


async def put(http: httpx.AsyncClient, ticket: Ticket, path: Path, size: int) -> None:
    """Put a file where its ticket says; raises TransferFailed or httpx.HTTPError."""
    headers = {**ticket.headers, "Content-Length": str(size)}
    response = await http.request(ticket.method, ticket.url, content=_chunks(path), headers=headers)
    if response.status_code in (200, 201, 204):
        return
    raise TransferFailed(
        f"artifact {ticket.name}: HTTP {response.status_code} {response.text[:200]}".rstrip(),
        permanent=response.status_code in (409, 413),
    )


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
