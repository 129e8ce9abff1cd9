"""What waits, and what one has asked for so far."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.errors import Forbidden
from tron_core.frontends.http.auth import User
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.routes.jobs import Shapes
from tron_core.frontends.http.shapes import JobShape
from tron_core.frontends.http.state import Hub
from tron_core.job import JobState
from tron_core.storage.job_queries import count_by_state

router = APIRouter(tags=["jobs"])

MOST = 50
"""One's own jobs that are shown beside the queue."""


class QueueShape(TypedDict):
    """``waiting`` counts everybody's jobs; ``jobs`` are one's own that wait or run, newest first."""

    waiting: int
    jobs: list[JobShape]


class CountShape(TypedDict):
    capability: str
    state: str
    count: int


class SectionShape(TypedDict):
    plugin: str
    text: str


class StatsShape(TypedDict):
    """``sections`` is what plugins have to say."""

    requester: str
    jobs: list[CountShape]
    sections: list[SectionShape]


@router.get("/queue", summary="Show the queue", responses={200: {"model": QueueShape}})
async def queue(caller: User, hub: Hub, shapes: Shapes) -> Response:
    """How much waits, and one's own place in it."""
    states = (JobState.QUEUED, JobState.RUNNING)
    own, _ = await hub.scheduler.list_jobs(requester=caller.requester, states=states, limit=MOST)
    return Json({"waiting": hub.scheduler.queue_length(), "jobs": [shapes.job(live) for live in own]})


@router.get("/stats", summary="Show what one asked for", responses={200: {"model": StatsShape}})
async def stats(caller: User, hub: Hub, requester: Annotated[str | None, Query(max_length=96)] = None) -> Response:
    """Jobs by capability and state. ``requester`` other than oneself is for administrators."""
    if requester not in (None, caller.requester) and not caller.is_admin:
        raise Forbidden(f"requester ({requester}): only an administrator may; allowed: {caller.requester}")
    whose = requester or caller.requester
    counted = await hub.database.read(lambda connection: count_by_state(connection, whose))
    answers = await hub.plugins.call_all("tron_stats", requester=whose)
    shape: StatsShape = {
        "requester": whose,
        "jobs": [{"capability": name, "state": state, "count": count} for name, state, count in counted],
        "sections": [{"plugin": answer.plugin, "text": str(answer.value)} for answer in answers],
    }
    return Json(shape)
