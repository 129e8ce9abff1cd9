"""What is known about each plugin: its state, and the one sentence that says why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from tron_core.errors import TronError


class PluginState(StrEnum):
    """Where a plugin is; every state but ``active`` comes with a reason."""

    ACTIVE = "active"
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    FAILED = "failed"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class PluginRecord:
    """One plugin as people are shown it. ``distribution`` and ``version`` are None for one registered directly."""

    name: str
    distribution: str | None = None
    version: str | None = None
    state: PluginState = PluginState.ACTIVE
    reason: str | None = None
    hooks: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Who it is in a sentence: ``tron-plugin-echo 1.2 (plugin echo)``."""
        if self.distribution is None:
            return f"plugin {self.name}"
        return f"{self.distribution} {self.version} (plugin {self.name})"

    def as_json(self) -> dict[str, Any]:
        """The record's fields, as ``tron plugins list --json`` prints them."""
        return asdict(self)


class PluginFailed(TronError):
    """With ``--strict``: the first plugin that is failed or incompatible. ``__cause__`` is what it raised."""

    code = "plugin_failed"


class PluginFault(Exception):
    """Why a plugin cannot be taken, in one sentence; ends in its record and goes no further."""
