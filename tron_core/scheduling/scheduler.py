"""The scheduler: takes requests, keeps the queue, hands jobs to workers, settles results. (Being written.)"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from tron_core.job import Job, JobEvent, JobRequest, JobState
from tron_core.scheduling.views import Availability, LiveJob, WorkerView


class Scheduler:
    async def submit(self, request: JobRequest) -> LiveJob:
        """Make a durable job; raises Refused, InvalidParams, NotFound (capability), TooMany, Unavailable."""
        raise NotImplementedError

    async def get(self, job: str) -> LiveJob:
        """Raises NotFound."""
        raise NotImplementedError

    async def list_jobs(
        self,
        *,
        requester: str | None = None,
        states: Sequence[JobState] = (),
        capability: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[LiveJob], str | None]:
        """Newest first, with the cursor of the next page (None at the end)."""
        raise NotImplementedError

    async def cancel(self, job: str, reason: str = "cancelled by its requester") -> LiveJob:
        """Cancel in any state; raises NotFound, Conflict (over already)."""
        raise NotImplementedError

    async def retry(self, job: str) -> LiveJob:
        """Put a failed job back into the queue; raises NotFound, Conflict (not failed)."""
        raise NotImplementedError

    async def act(self, job: str, number: int, request: JobRequest) -> LiveJob:
        """Follow action ``number`` (from 0) of the stored reply for the requester and target of ``request`` (its
        capability and params are replaced by the action's); raises NotFound, Forbidden (owner only)."""
        raise NotImplementedError

    def watch(self, job: str) -> AsyncIterator[JobEvent]:
        """The events of a job from now: first its present state (and the text so far as one ``partial`` with seq 0),
        the last is ``result``. Raises NotFound at the first item."""
        raise NotImplementedError

    def workers(self) -> list[WorkerView]:
        raise NotImplementedError

    async def drain_worker(self, name: str, *, draining: bool = True) -> WorkerView:
        """Give the worker no more jobs (or again some); raises NotFound."""
        raise NotImplementedError

    def availability(self, capability: str) -> Availability:
        raise NotImplementedError

    def choices(self, capability: str, field: str) -> list[str]:
        """What the plugin knows and what connected workers announced, without repeats, the plugin's first."""
        raise NotImplementedError

    def queue_length(self) -> int:
        raise NotImplementedError

    async def attempt_is_current(self, job: str, attempt: int) -> bool:
        """Whether the attempt holds its lease now (for upload tickets)."""
        raise NotImplementedError

    def preview_arrived(self, job: str, attempt: int, artifact: str) -> None:
        """A preview picture was stored: those who watch are told."""
        raise NotImplementedError


__all__ = ["Job", "Scheduler"]
