"""Erase what the hub keeps about a person: account, settings, jobs with their files, and what plugins keep."""

from __future__ import annotations

from dataclasses import dataclass, field

from tron_core.auth.service import Auth
from tron_core.errors import Conflict
from tron_core.job import JobState
from tron_core.plugins import Plugins
from tron_core.scheduling.scheduler import Scheduler
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.database import Database
from tron_core.storage.erasing import erase_jobs, some_artifacts
from tron_core.storage.saved_settings import SavedSettings

OPEN = (JobState.QUEUED, JobState.RUNNING)
AT_ONCE = 200
REASON = "its requester is forgotten"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased. ``failed`` says, by plugin, why it could not erase its part: call again once it can."""

    requester: str
    jobs: int
    artifacts: int
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forgetting:
    """The parts that keep something about people."""

    auth: Auth
    database: Database
    artifacts: Artifacts
    saved_settings: SavedSettings
    scheduler: Scheduler
    plugins: Plugins

    async def forget(self, requester: str) -> Forgotten:
        """Erase ``requester`` (``discord:1234``, ``api:alice``); repeatable. Jobs that are open are cancelled first."""
        await self._cancel_open(requester)
        failed = {
            outcome.plugin: str(outcome.error) or type(outcome.error).__name__
            async for outcome in self.plugins.call_each("tron_forget_requester", requester=requester)
            if outcome.error is not None
        }
        files = await self._remove_artifacts(requester)
        jobs = await self.database.write(lambda connection: erase_jobs(connection, requester))
        await self.saved_settings.forget(requester)
        frontend, _, name = requester.partition(":")
        if frontend == "api":
            await self.auth.forget(name)
        await self.auth.audit.forget([requester, name] if frontend == "api" else [requester])
        return Forgotten(requester, jobs, files, failed)

    async def _cancel_open(self, requester: str) -> None:
        while True:
            found, _ = await self.scheduler.list_jobs(requester=requester, states=OPEN, limit=AT_ONCE)
            if not found:
                return
            for live in found:
                try:
                    await self.scheduler.cancel(live.job.id, REASON)
                except Conflict:
                    pass  # it ended meanwhile

    async def _remove_artifacts(self, requester: str) -> int:
        count = 0
        while ids := await self.database.read(lambda connection: some_artifacts(connection, requester, AT_ONCE)):
            await self.artifacts.remove(ids)
            count += len(ids)
        return count
