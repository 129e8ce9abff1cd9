"""Jobs: submit, list, show, cancel, try again, follow an action, watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from tron_core.auth.audit import Action
from tron_core.auth.principal import Principal
from tron_core.auth.service import Auth
from tron_core.config import Settings
from tron_core.errors import Forbidden, NotFound, Refused
from tron_core.frontends.http import events
from tron_core.frontends.http.auth import User
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.headers import idempotency_key, wait_seconds
from tron_core.frontends.http.json import Json, dump
from tron_core.frontends.http.shapes import JobShape, Page, Shaper, page
from tron_core.frontends.http.state import Hub, State
from tron_core.frontends.http.urls import artifacts_of
from tron_core.job import JobRequest, JobState, Priority, Target
from tron_core.scheduling.scheduler import Scheduler
from tron_core.scheduling.views import LiveJob

router = APIRouter(prefix="/jobs", tags=["jobs"])

ActionNumber = Annotated[int, Field(ge=0, le=99)]


class Notify(Body):
    """Where else the reply goes."""

    discord_channel: Annotated[str, Field(pattern="^[0-9]{1,20}$")]
    """The id of a Discord channel."""


class JobBody(Body):
    """What to do, and how urgently."""

    capability: Annotated[str, Field(min_length=1, max_length=64)]
    params: dict[str, Any] = Field(default_factory=dict)
    priority: Literal["low", "normal", "high"] = "normal"
    notify: Notify | None = None


async def own_job(job: str, caller: User, hub: Hub) -> LiveJob:
    """The job of that id, if the caller may see it; raises NotFound, the same for one that is somebody else's."""
    live = await hub.scheduler.get(job)
    if live.job.requester != caller.requester and not caller.is_admin:
        raise NotFound(f"There is no job {job}")
    return live


def shaper(request: Request, hub: Hub) -> Shaper:
    """Makes jobs into JSON whose URLs the caller can reach."""
    return Shaper(artifacts_of(hub.settings, request))


OwnJob = Annotated[LiveJob, Depends(own_job)]
Shapes = Annotated[Shaper, Depends(shaper)]
NewJob = Annotated[JobBody, Depends(json_body(JobBody))]


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    openapi_extra=documented(JobBody),
    responses={202: {"model": JobShape}, 200: {"model": JobShape, "description": "Over already (Prefer: wait)"}},
)
async def submit(caller: User, body: NewJob, request: Request, hub: Hub, shapes: Shapes) -> Response:
    """``Idempotency-Key``: the same key and body again give the same job. ``Prefer: wait=N``: answer once the job is
    over, or after N seconds (at most 60)."""
    await _check_rights(body, caller, hub.auth)
    target = _target(body, hub.settings)
    live = await hub.scheduler.submit(
        JobRequest(
            capability=body.capability,
            params=body.params,
            requester=caller.requester,
            priority=Priority(body.priority),
            target=target,
            idempotency_key=idempotency_key(request),
            requester_name=caller.username,
            admin=caller.is_admin,
        )
    )
    headers = {"Location": f"/api/v1/jobs/{live.job.id}"}
    seconds = wait_seconds(request)
    if seconds is not None:
        live = await _wait(hub.scheduler, live, seconds)
        headers["Preference-Applied"] = f"wait={seconds}"
    return Json(shapes.job(live), 200 if live.job.state.over else 202, headers)


async def _check_rights(body: JobBody, caller: Principal, auth: Auth) -> None:
    """Raise Forbidden for what only an administrator may ask, and for channels that the caller was not granted."""
    if body.priority == "high" and not caller.is_admin:
        raise Forbidden("priority (high): only an administrator may; allowed: low, normal")
    if body.notify is None or caller.is_admin:
        return
    granted = (await auth.get_user(caller.username)).channels
    if body.notify.discord_channel not in granted:
        allowed = ", ".join(granted) or "none; an administrator grants them (tron users channels)"
        raise Forbidden(
            f"notify.discord_channel ({body.notify.discord_channel}): not granted to you; allowed: {allowed}"
        )


def _target(body: JobBody, settings: Settings) -> Target | None:
    """Where the reply goes beside this API; raises Refused where nobody would ever take it there."""
    if body.notify is None:
        return None
    if settings.discord.token is None:
        raise Refused("notify: this hub has no Discord (discord.token); allowed: nothing")
    return Target("discord", {"channel": body.notify.discord_channel})


async def _wait(scheduler: Scheduler, live: LiveJob, seconds: int) -> LiveJob:
    """The job once it is over and its reply stands, or as it is after ``seconds``."""
    try:
        async with asyncio.timeout(seconds), aclosing(scheduler.watch(live.job.id)) as watched:
            async for event in watched:
                if event.kind == "result":
                    break
    except TimeoutError:
        pass
    return await scheduler.get(live.job.id)


@router.get("", summary="List jobs", responses={200: {"model": Page[JobShape]}})
async def list_jobs(
    caller: User,
    hub: Hub,
    shapes: Shapes,
    state: Annotated[list[JobState] | None, Query()] = None,
    capability: Annotated[str | None, Query(max_length=64)] = None,
    requester: Annotated[str | None, Query(max_length=96)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Newest first: one's own, an administrator's everyone's. ``state`` may be given several times; ``requester`` is
    for administrators."""
    found, following = await hub.scheduler.list_jobs(
        requester=requester if caller.is_admin else caller.requester,
        states=_states(state),
        capability=capability,
        limit=limit,
        cursor=cursor,
    )
    return Json(page([shapes.job(live) for live in found], following))


def _states(given: list[JobState] | None) -> Sequence[JobState]:
    return tuple(given or ())


@router.get("/{job}", summary="Show a job", responses={200: {"model": JobShape}})
async def show(live: OwnJob, request: Request, hub: Hub, shapes: Shapes) -> Response:
    """``Prefer: wait=N``: answer once the job is over, or after N seconds (at most 60)."""
    headers = {}
    seconds = wait_seconds(request)
    if seconds is not None:
        live = await _wait(hub.scheduler, live, seconds)
        headers["Preference-Applied"] = f"wait={seconds}"
    return Json(shapes.job(live), 200, headers)


@router.delete("/{job}", status_code=202, summary="Cancel a job", responses={202: {"model": JobShape}})
async def cancel(live: OwnJob, caller: User, hub: Hub, shapes: Shapes) -> Response:
    """409 where the job is over already."""
    own = live.job.requester == caller.requester
    reason = "cancelled by its requester" if own else "cancelled by an administrator"
    cancelled = await hub.scheduler.cancel(live.job.id, reason)
    if not own:
        await hub.auth.audit.record(caller.requester, Action.JOB_CANCELLED, live.job.id)
    return Json(shapes.job(cancelled), 202)


@router.post("/{job}/retry", status_code=202, summary="Try a failed job again", responses={202: {"model": JobShape}})
async def retry(live: OwnJob, caller: User, hub: Hub, shapes: Shapes) -> Response:
    """409 where the job did not fail."""
    retried = await hub.scheduler.retry(live.job.id)
    if live.job.requester != caller.requester:
        await hub.auth.audit.record(caller.requester, Action.JOB_RETRIED, live.job.id)
    return Json(shapes.job(retried), 202)


@router.post(
    "/{job}/actions/{number}",
    status_code=202,
    summary="Follow an action of the reply",
    responses={202: {"model": JobShape, "description": "The new job"}},
)
async def act(live: OwnJob, number: ActionNumber, caller: User, hub: Hub, shapes: Shapes) -> Response:
    """``number`` counts from 0 in ``reply.actions``."""
    request = JobRequest(
        live.job.capability,
        {},
        caller.requester,
        parent=live.job.id,
        admin=caller.is_admin,
        requester_name=caller.username,
    )
    made = await hub.scheduler.act(live.job.id, number, request)
    return Json(shapes.job(made), 202, {"Location": f"/api/v1/jobs/{made.job.id}"})


@router.get(
    "/{job}/events",
    summary="Watch a job",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def watch(live: OwnJob, state: State, hub: Hub, shapes: Shapes) -> Response:
    """Server-sent events ``state``, ``progress``, ``partial`` and, as the last, ``result`` with the job."""
    job = live.job.id

    async def result() -> bytes:
        return dump(shapes.job(await hub.scheduler.get(job)))

    return events.response(hub.scheduler.watch(job), result, state.stopping)
