"""Which plugins are installed and may be loaded: read from metadata alone, nothing is imported."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tron_core import __version__
from tron_core.sections import did_you_mean

PLUGINS = "tron.plugins"
"""Entry points of the hub's half of plugins."""

EXECUTORS = "tron.executors"
"""Entry points of the worker's half."""

CORE = "tron-core"


@dataclass(frozen=True, slots=True)
class Found:
    """An installed plugin. ``requires`` are its distribution's requirements as they stand in the metadata."""

    name: str
    entry_point: EntryPoint
    distribution: str | None
    version: str | None
    requires: tuple[str, ...]


def discover(group: str) -> list[Found]:
    """The installed plugins of an entry-point group, in the order of their names."""
    found = [_describe(entry_point) for entry_point in entry_points(group=group)]
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution or ""))


def _describe(entry_point: EntryPoint) -> Found:
    dist = entry_point.dist
    if dist is None:
        return Found(entry_point.name, entry_point, None, None, ())
    return Found(entry_point.name, entry_point, dist.name, dist.version, tuple(dist.requires or ()))


def misfit(plugin: Found, core_version: str = __version__) -> str | None:
    """Why a plugin does not fit this core, by what its distribution requires; None where it does."""
    for requirement in _core_requirements(plugin):
        if not requirement.specifier.contains(core_version, prereleases=True):
            return (
                f"{plugin.distribution} {plugin.version} needs {CORE}{requirement.specifier}, "
                f"and this is {CORE} {core_version}"
            )
    return None


def _core_requirements(plugin: Found) -> list[Requirement]:
    wanted = []
    for line in plugin.requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # pip installed it, so it cannot be about the core
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if canonicalize_name(requirement.name) == CORE and applies:
            wanted.append(requirement)
    return wanted


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the installed plugins are wanted.

    ``only``: the names in ``TRON_PLUGINS``, None where it is not set. ``none``: ``--no-plugins`` was given.
    """

    disabled: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    none: bool = False

    @classmethod
    def read(cls, disabled: Collection[str] = (), *, no_plugins: bool = False) -> Choice:
        """From the configuration's ``disabled``, the command line and the environment."""
        names = frozenset(name.strip() for name in os.environ.get("TRON_PLUGINS", "").split(",") if name.strip())
        return cls(frozenset(disabled), names or None, no_plugins)

    def refusal(self, name: str) -> str | None:
        """Why a plugin is not wanted, None where it is."""
        if self.none:
            return "no plugin is loaded (--no-plugins)"
        if name in self.disabled:
            return f"disabled in the configuration (tron plugins enable {name})"
        if self.only is not None and name not in self.only:
            return "not among those that TRON_PLUGINS names"
        return None

    def unknown(self, installed: Collection[str]) -> dict[str, str]:
        """Names in ``TRON_PLUGINS`` that are not installed, each with a sentence that says so."""
        missing = sorted((self.only or frozenset()) - set(installed))
        return {
            name: f"named in TRON_PLUGINS, and no such plugin is installed{did_you_mean(name, installed)}"
            for name in missing
        }
