"""Models and schedulers as JSON, for outputs of jobs and for REST."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict

from tron_plugin_stable_diffusion.catalogue import Model, Scheduler


class ModelShape(TypedDict):
    """``available``: whether a connected worker has it. What is null is left to the worker."""

    name: str
    description: str
    kind: str
    approved: bool
    preference: int
    added_by: str
    added_at: str
    resolution: str | None
    steps: int | None
    min_steps: int | None
    max_steps: int | None
    guidance: float | None
    positive_prompt: str | None
    negative_prompt: str | None
    scheduler: str | None
    gpu_memory_mb: int
    facts: dict[str, Any]
    available: bool


class SchedulerShape(TypedDict):
    """A class of diffusers with what its configuration is changed by."""

    name: str
    class_name: str
    args: dict[str, Any]
    description: str
    min_steps: int | None
    max_steps: int | None
    uses: list[str]


def model_json(model: Model, announced: Collection[str]) -> ModelShape:
    return {
        "name": model.name,
        "description": model.description,
        "kind": model.kind,
        "approved": model.approved,
        "preference": model.preference,
        "added_by": model.added_by,
        "added_at": datetime.fromtimestamp(model.added_at, UTC).isoformat().replace("+00:00", "Z"),
        "resolution": model.resolution,
        "steps": model.steps,
        "min_steps": model.min_steps,
        "max_steps": model.max_steps,
        "guidance": model.guidance,
        "positive_prompt": model.positive_prompt,
        "negative_prompt": model.negative_prompt,
        "scheduler": model.scheduler,
        "gpu_memory_mb": model.gpu_memory_mb,
        "facts": dict(model.facts),
        "available": model.name in announced,
    }


def scheduler_json(scheduler: Scheduler) -> SchedulerShape:
    return {
        "name": scheduler.name,
        "class_name": scheduler.class_name,
        "args": dict(scheduler.args),
        "description": scheduler.description,
        "min_steps": scheduler.min_steps,
        "max_steps": scheduler.max_steps,
        "uses": list(scheduler.uses),
    }
