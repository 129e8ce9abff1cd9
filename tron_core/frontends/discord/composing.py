"""Makes a stored reply into the messages that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

import discord

from tron_core.errors import NotFound
from tron_core.frontends.discord.buttons import reply_view
from tron_core.frontends.discord.content import Content, File, Voice
from tron_core.frontends.discord.splitting import FILE_OVER, split
from tron_core.frontends.discord.wording import one_line
from tron_core.job import Artifact, Job, JobState, StoredReply
from tron_core.storage.artifacts import Artifacts

FILES_PER_MESSAGE = 10
BYTES_PER_MESSAGE = 25 * 1024 * 1024
"""Bytes of the files of one message together."""

_MARKS = {JobState.FAILED: "⚠️ ", JobState.EXPIRED: "⌛ ", JobState.CANCELLED: "🚫 "}


class Composer:
    """``public`` is what URLs of artifacts begin with, None where nobody outside reaches them; with ``embed`` pictures
    are shown by URL instead of being attached."""

    def __init__(self, artifacts: Artifacts, *, public: str | None, embed: bool) -> None:
        self._artifacts = artifacts
        self._public = public
        self._embed = embed and public is not None

    async def pages(self, job: Job, reply: StoredReply, *, upload_limit: int, spoilers: bool = False) -> list[Content]:
        """The messages of a reply, one at least; ``upload_limit`` in bytes a file."""
        shown = await self._shown(job, reply)
        notes, files, embeds = list[str](), list[File](), list[discord.Embed]()
        spoken = list[Content]()
        for artifact in shown:
            voice = _voice(reply, artifact)
            if voice is not None and artifact.size <= upload_limit:
                spoken.append(Content(files=[File(artifact.filename, await self._bytes(artifact))], voice=voice))
            elif self._embed and artifact.media_type.startswith("image/"):
                embeds.append(discord.Embed(url=self._public).set_image(url=self._url(artifact)))
            elif artifact.size > upload_limit or self._embed:
                notes.append(self._linked(artifact))
            else:
                files.append(File(artifact.filename, await self._bytes(artifact), spoilers))
        text = _MARKS.get(job.state, "") + reply.text
        text = "\n".join(filter(None, [text.strip(), *notes]))
        return [*_paged(text, files, embeds, reply_view(job, reply)), *spoken]

    async def _bytes(self, artifact: Artifact) -> bytes:
        return b"".join([chunk async for chunk in self._artifacts.read(artifact)])

    async def _shown(self, job: Job, reply: StoredReply) -> Sequence[Artifact]:
        known = {artifact.id: artifact for artifact in job.artifacts}
        found = []
        for artifact_id in reply.artifacts:
            try:
                found.append(known.get(artifact_id) or await self._artifacts.get(artifact_id))
            except NotFound:
                continue  # removed since, as it was too old
        return found

    def _url(self, artifact: Artifact) -> str:
        return f"{self._public}/{artifact.key}/{quote(artifact.filename)}"

    def _linked(self, artifact: Artifact) -> str:
        size = f"{artifact.size / 1024 / 1024:.1f} MiB"
        if self._public is None:
            return f"-# {artifact.filename} ({size}) is too large for this server, and the hub has no public address."
        return f"[{artifact.filename}]({self._url(artifact)}) ({size})"


def _voice(reply: StoredReply, artifact: Artifact) -> Voice | None:
    """What makes the artifact a voice message, None where it is to be none."""
    voice = reply.voice
    if voice is None or voice.artifact != artifact.id or not artifact.media_type.startswith("audio/"):
        return None
    return Voice(voice.seconds, voice.waveform, artifact.media_type)


def _paged(text: str, files: list[File], embeds: list[discord.Embed], view: discord.ui.View | None) -> list[Content]:
    """The first page has the text's beginning, the buttons and the first files."""
    if len(text) > FILE_OVER:
        files = [File("text.txt", text.encode()), *files]
        text = one_line(text, 400)
    texts = split(text) or [""]
    batches = _batches(files) or [[]]
    pages = [Content(each) for each in texts]
    pages[0] = replace(pages[0], files=batches[0], embeds=embeds[:FILES_PER_MESSAGE], view=view)
    if not (texts[0] or batches[0] or embeds):
        pages[0] = replace(pages[0], text="Done.")
    return [*pages, *(Content(files=batch) for batch in batches[1:])]


def _batches(files: Sequence[File]) -> list[list[File]]:
    batches: list[list[File]] = []
    size = 0
    for file in files:
        full = not batches or len(batches[-1]) == FILES_PER_MESSAGE or size + len(file.data) > BYTES_PER_MESSAGE
        if full:
            batches.append([])
            size = 0
        batches[-1].append(file)
        size += len(file.data)
    return batches
