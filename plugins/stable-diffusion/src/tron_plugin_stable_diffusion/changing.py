"""What may be changed of a model by whoever administers the catalogue."""

from __future__ import annotations

from typing import Any

import pydantic

import tron_core as tron
from tron_plugin_stable_diffusion import resolutions
from tron_plugin_stable_diffusion.deriving import NONE

MAX_MEMORY_MB = 1_000_000
MAX_PREFERENCE = 1000


class ModelDefaults(tron.Params):
    """The columns of a model that requests are completed from; a text ``none`` leaves it to the worker."""

    resolution: str | None = tron.Setting(None, saved=False, max_length=11, help="WIDTHxHEIGHT, or none")
    steps: int | None = tron.Setting(None, saved=False, ge=1, le=150, help="Steps where nobody says how many")
    min_steps: int | None = tron.Setting(None, saved=False, ge=1, le=150, help="The fewest steps")
    max_steps: int | None = tron.Setting(None, saved=False, ge=1, le=150, help="The most steps")
    guidance: float | None = tron.Setting(None, saved=False, ge=0, le=30, help="Guidance where nobody says otherwise")
    positive_prompt: str | None = tron.Setting(None, saved=False, max_length=2000, help="Added to prompts, or none")
    negative_prompt: str | None = tron.Setting(None, saved=False, max_length=2000, help="What to leave out, or none")
    scheduler: str | None = tron.Setting(None, saved=False, max_length=32, help="The sampling method, or none")
    gpu_memory_mb: int | None = tron.Setting(
        None, saved=False, ge=0, le=MAX_MEMORY_MB, help="MiB of GPU memory that it takes; 0: it runs without"
    )
    preference: int | None = tron.Setting(
        None, saved=False, ge=0, le=MAX_PREFERENCE, help="The lowest that a worker has is the default model"
    )

    @pydantic.field_validator("resolution")
    @classmethod
    def _is_a_size(cls, text: str | None) -> str | None:
        if text is None or text.casefold() == NONE:
            return text
        width, height = resolutions.parse(text)
        return f"{width}x{height}"


DEFAULTS = tuple(ModelDefaults.model_fields)
_UNSET = {
    "resolution": None, "steps": None, "min_steps": None, "max_steps": None, "guidance": None,
    "positive_prompt": None, "negative_prompt": None, "scheduler": None,
}  # fmt: skip


def changes_of(given: ModelDefaults, *, reset: bool = False) -> dict[str, Any]:
    """The columns that change; with ``reset``, what is not given is unset."""
    changes: dict[str, Any] = dict(_UNSET) if reset else {}
    for field in DEFAULTS:
        value = getattr(given, field)
        if isinstance(value, str) and value.strip().casefold() == NONE:
            changes[field] = None
        elif value is not None:
            changes[field] = value
    return changes
