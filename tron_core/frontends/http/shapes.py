"""Things of the hub as the JSON that callers see. The TypedDicts are what OpenAPI describes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from typing_extensions import TypedDict

from tron_core.capability import Capability, FieldSpec, fields_of
from tron_core.frontends.http.urls import artifact_url
from tron_core.job import Artifact, Attempt, StoredReply
from tron_core.scheduling.scheduler import Scheduler
from tron_core.scheduling.views import LiveJob, WorkerView

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A page of a list; ``next`` is the cursor of the page after it, null at the end."""

    items: list[T]
    next: str | None


class AttemptShape(TypedDict):
    number: int
    worker: str
    started_at: str
    ended_at: str | None
    outcome: str | None
    reason: str | None


class ProgressShape(TypedDict):
    fraction: float
    step: int | None
    steps: int | None
    message: str | None


class ArtifactShape(TypedDict):
    id: str
    name: str
    role: str
    url: str
    media_type: str
    size: int
    sha256: str


class ActionShape(TypedDict):
    label: str
    emoji: str | None
    capability: str
    params: dict[str, Any]
    owner_only: bool


class ReplyShape(TypedDict):
    text: str
    actions: list[ActionShape]


class ErrorShape(TypedDict):
    code: str
    message: str


class JobShape(TypedDict):
    """A job. ``message`` says what a waiting one waits for, where that is worth saying."""

    id: str
    capability: str
    params: dict[str, Any]
    state: str
    requester: str
    priority: str
    attempt: int
    attempts: list[AttemptShape]
    position: int | None
    eta_seconds: float | None
    progress: ProgressShape | None
    message: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    output: dict[str, Any] | None
    artifacts: list[ArtifactShape]
    reply: ReplyShape | None
    error: ErrorShape | None


class CommandShape(TypedDict):
    name: str
    aliases: list[str]
    summary: str


class CapabilityShape(TypedDict):
    name: str
    plugin: str | None
    command: CommandShape
    schema: dict[str, Any]
    choices: dict[str, list[str]]
    runs_on: str
    available: bool
    workers: int


class OfferShape(TypedDict):
    models: list[str]
    loaded: list[str]
    choices: dict[str, list[str]]


class WorkerShape(TypedDict):
    name: str
    state: str
    protocol: str
    software: str
    capabilities: dict[str, OfferShape]
    slots: int
    running: list[str]
    hardware: dict[str, Any]
    connected_at: str
    skipped: dict[str, int]


def time(seconds: float) -> str:
    """A time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_or_none(seconds: float | None) -> str | None:
    """The same for a time that may not have come yet."""
    return None if seconds is None else time(seconds)


def page(items: list[T], cursor: str | None = None) -> Page[T]:
    """A list as callers get it."""
    return {"items": items, "next": cursor}


class Shaper:
    """Jobs and artifacts as JSON; ``base`` is what their absolute URLs begin with."""

    def __init__(self, base: str) -> None:
        self._base = base

    def artifact(self, artifact: Artifact) -> ArtifactShape:
        return {
            "id": artifact.id,
            "name": artifact.name,
            "role": artifact.role.value,
            "url": artifact_url(self._base, artifact),
            "media_type": artifact.media_type,
            "size": artifact.size,
            "sha256": artifact.sha256,
        }

    def job(self, live: LiveJob) -> JobShape:
        job, progress = live.job, live.progress
        return {
            "id": job.id,
            "capability": job.capability,
            "params": dict(job.params),
            "state": job.state.value,
            "requester": job.requester,
            "priority": job.priority.value,
            "attempt": job.attempt,
            "attempts": [_attempt(attempt) for attempt in job.attempts],
            "position": live.position,
            "eta_seconds": live.eta_seconds,
            "progress": None
            if progress is None
            else {
                "fraction": progress.fraction,
                "step": progress.step,
                "steps": progress.steps,
                "message": progress.message,
            },
            "message": live.message,
            "created_at": time(job.created_at),
            "started_at": time_or_none(job.started_at),
            "finished_at": time_or_none(job.finished_at),
            "output": None if job.output is None else dict(job.output),
            "artifacts": [self.artifact(artifact) for artifact in job.artifacts],
            "reply": None if job.reply is None else _reply(job.reply),
            "error": None if job.error is None else {"code": job.error.code, "message": job.error.message},
        }


def _attempt(attempt: Attempt) -> AttemptShape:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "started_at": time(attempt.started_at),
        "ended_at": time_or_none(attempt.ended_at),
        "outcome": None if attempt.outcome is None else attempt.outcome.value,
        "reason": attempt.reason,
    }


def _reply(reply: StoredReply) -> ReplyShape:
    actions: list[ActionShape] = [
        {
            "label": action.label,
            "emoji": action.emoji,
            "capability": action.capability,
            "params": dict(action.params),
            "owner_only": action.owner_only,
        }
        for action in reply.actions
    ]
    return {"text": reply.text, "actions": actions}


def capability(found: Capability, plugin: str | None, scheduler: Scheduler) -> CapabilityShape:
    """A capability, with what its fields may be and who can do it now."""
    now = scheduler.availability(found.name)
    command = found.command
    return {
        "name": found.name,
        "plugin": plugin,
        "command": {"name": command.name, "aliases": list(command.aliases), "summary": command.summary},
        "schema": found.params.model_json_schema(),
        "choices": _choices(found, scheduler),
        "runs_on": found.runs_on,
        "available": now.available,
        "workers": now.workers,
    }


def _choices(found: Capability, scheduler: Scheduler) -> dict[str, list[str]]:
    choices = {spec.name: _choices_of(found.name, spec, scheduler) for spec in fields_of(found.params)}
    return {name: values for name, values in choices.items() if values}


def _choices_of(name: str, spec: FieldSpec, scheduler: Scheduler) -> list[str]:
    if spec.type == "choice":
        return list(spec.choices)
    return scheduler.choices(name, spec.name) if spec.type == "str" and spec.kind == "setting" else []


def worker(view: WorkerView) -> WorkerShape:
    """A worker as operators see it."""
    return {
        "name": view.name,
        "state": view.state.value,
        "protocol": view.protocol,
        "software": view.software,
        "capabilities": {
            name: {
                "models": list(offer.models),
                "loaded": list(offer.loaded),
                "choices": {field: list(values) for field, values in offer.choices.items()},
            }
            for name, offer in view.offers.items()
        },
        "slots": view.slots,
        "running": list(view.running),
        "hardware": dict(view.hardware),
        "connected_at": time(view.connected_at),
        "skipped": dict(view.skipped),
    }
