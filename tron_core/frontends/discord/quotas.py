"""How much one member of a guild may ask for, by the guild's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tron_core.errors import TooMany
from tron_core.job import JobRequest, JobState
from tron_core.services import Services
from tron_core.storage.job_queries import count_recent

DAY = 86_400.0


async def check_quota(services: Services, rules: Mapping[str, Any], request: JobRequest) -> None:
    """Raise TooMany for a member who has as many jobs waiting, or had as many within a day, as the rules allow."""
    if most := rules.get("max_queued"):
        waiting, _ = await services.scheduler.list_jobs(
            requester=request.requester, states=[JobState.QUEUED], limit=most
        )
        if len(waiting) >= most:
            raise TooMany(f"You have {most} jobs waiting; no more may on this server.", retry_after=10)
    if quota := rules.get("daily_quota"):
        since, guild = services.clock.now() - DAY, str(request.guild)
        count = await services.database.read(lambda c: count_recent(c, request.requester, guild, since))
        if count >= quota:
            raise TooMany(f"You asked for {quota} jobs within 24 hours; that is all on this server.", retry_after=600)
