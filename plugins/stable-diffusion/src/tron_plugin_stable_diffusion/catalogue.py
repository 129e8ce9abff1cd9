"""What is known of models and schedulers: one immutable picture of the plugin's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import tron_core as tron


@dataclass(frozen=True, slots=True)
class Model:
    """A model by the name that people and workers use (``OWNER/NAME``).

    What is None is left to the worker. ``preference``: of those that workers have, the lowest is the default.
    ``gpu_memory_mb``: the GPU memory in MiB that a worker must have; 0 where it runs without one, too.
    """

    name: str
    description: str = ""
    kind: Literal["base", "refiner"] = "base"
    approved: bool = False
    preference: int = 50
    added_by: str = ""
    added_at: float = 0.0
    resolution: str | None = None
    steps: int | None = None
    min_steps: int | None = None
    max_steps: int | None = None
    guidance: float | None = None
    positive_prompt: str | None = None
    negative_prompt: str | None = None
    scheduler: str | None = None
    gpu_memory_mb: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A sampling method: a class of diffusers with a fixed configuration, so that a name always means the same."""

    name: str
    class_name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    min_steps: int | None = None
    max_steps: int | None = None
    uses: Sequence[str] = ()

    @property
    def config(self) -> Mapping[str, Any]:
        """What a worker is told."""
        return {"class": self.class_name, "args": dict(self.args)}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models and schedulers by name, the models by preference, and the models that each guild allows."""

    models: Mapping[str, Model] = field(default_factory=dict)
    schedulers: Mapping[str, Scheduler] = field(default_factory=dict)
    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def find(self, name: str) -> Model | None:
        """A model, however its name is capitalised."""
        wanted = name.casefold()
        return self.models.get(name) or next((m for m in self.models.values() if m.name.casefold() == wanted), None)

    def model(self, name: str) -> Model:
        """A model; raises tron.Refused where the catalogue has none of that name."""
        found = self.find(name)
        if found is None:
            raise tron.Refused(
                f"model ({name}): it is not in the catalogue; there is: {', '.join(self.models)}.", code="unknown_model"
            )
        return found

    def scheduler(self, name: str) -> Scheduler:
        """A scheduler; raises tron.Refused where the catalogue has none of that name."""
        found = self.schedulers.get(name.casefold())
        if found is None:
            raise tron.Refused(
                f"scheduler ({name}): there is none; allowed: {', '.join(self.schedulers)}.", code="unknown_scheduler"
            )
        return found

    def allows(self, guild: str | None, name: str) -> bool:
        """Whether a guild's own list lets a model in."""
        listed = self.allowed.get(guild or "")
        return not listed or name in listed

    def offered(self, guild: str | None) -> list[Model]:
        """The models that may be asked for in a guild."""
        return [
            model
            for model in self.models.values()
            if model.kind == "base" and model.approved and self.allows(guild, model.name)
        ]
