"""Loading executors in a child process: discovery, their sections of worker.toml, what they can do."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
from pydantic import BaseModel

from tron_core import hookspecs
from tron_core.capability import Params
from tron_core.errors import ConfigError
from tron_core.hooks import PROJECT
from tron_core.hub.protocol import Announced
from tron_core.plugins.discovery import EXECUTORS, Choice, Found, discover, misfit
from tron_core.sections import validate
from tron_core.worker.context import Executor
from tron_core.worker.messages import LeftOut, Ready

GROUP = EXECUTORS


class UnusableExecutor(Exception):
    """An executor that cannot be offered; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An executor that works here. ``params``: the class that ``run`` takes, None for a dict."""

    plugin: str
    executor: Executor
    params: type[Params] | None

    @property
    def section(self) -> str:
        """The section of worker.toml that configures it."""
        return self.executor.section or self.plugin

    def announce(self) -> Announced:
        """What it has now."""
        return Announced(
            models=tuple(self.executor.models()),
            loaded=tuple(self.executor.loaded()),
            choices=self._choices(),
        )

    def refreshed(self, announced: Announced) -> Announced:
        """``announced`` with what a run may have changed: what is loaded, and the choices."""
        return announced.model_copy(update={"loaded": tuple(self.executor.loaded()), "choices": self._choices()})

    def _choices(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(values) for name, values in self.executor.choices().items()}


@dataclass(slots=True)
class Offer:
    """Every executor that works here by its capability, and why others do not."""

    executors: dict[str, Offered] = field(default_factory=dict)
    announced: dict[str, Announced] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def ready(self) -> Ready:
        return Ready(capabilities=dict(self.announced), left_out=tuple(self.left_out))

    def add(self, plugin: str, executor: Executor, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Offer ``executor``; whatever it raises leaves it out, with the reason."""
        try:
            offered = _offered(plugin, executor, sections)
            taken = self.executors.get(executor.capability)
            if taken is not None:
                raise UnusableExecutor(f"{executor.capability}: the plugin {taken.plugin} executes it already")
            self.announced[executor.capability] = offered.announce()
            self.executors[executor.capability] = offered
        except UnusableExecutor as error:
            self.leave_out(plugin, str(error))
        except BaseException as error:  # a plugin's SystemExit must not end the others
            name = getattr(executor, "capability", type(executor).__name__)
            self.leave_out(plugin, f"{name}: {type(error).__name__}: {error}")

    def leave_out(self, plugin: str, reason: str) -> None:
        self.left_out.append(LeftOut(plugin=plugin, reason=reason))


def load_offer(sections: Mapping[str, Mapping[str, Any]], found: Sequence[Found] | None = None) -> Offer:
    """Load the executors of every installed plugin, or of ``found``, in the order of the plugins' names."""
    offer, choice = Offer(), Choice.read()
    if found is None:
        found = discover(GROUP)
    for plugin in found:
        reason = choice.refusal(plugin.name) or misfit(plugin)
        if reason is not None:
            offer.leave_out(plugin.name, reason)
            continue
        try:
            executors = register_executors(plugin.entry_point)
        except BaseException as error:  # as above: one plugin's fault is its own
            offer.leave_out(plugin.name, f"cannot be loaded: {type(error).__name__}: {error}")
            continue
        for executor in executors:
            offer.add(plugin.name, executor, sections)
    for name in sorted(set(sections) - {plugin.name for plugin in found}):
        offer.leave_out(name, f"[executors.{name}] is in worker.toml, but no installed plugin has that name")
    return offer


def register_executors(point: EntryPoint) -> Sequence[Executor]:
    """The executors of one plugin, whether they work here or not; raises whatever the plugin does."""
    registry = pluggy.PluginManager(PROJECT)
    registry.add_hookspecs(hookspecs)
    registry.register(point.load(), point.name)
    return [executor for answer in registry.hook.tron_register_executors() for executor in answer]


def _offered(plugin: str, executor: Executor, sections: Mapping[str, Mapping[str, Any]]) -> Offered:
    if not isinstance(executor, Executor):
        raise UnusableExecutor(f"tron_register_executors returned {executor!r}, which is no tron_core.worker.Executor")
    name = executor.section or plugin
    executor.options = _options(name, executor, sections.get(name, {}))
    reason = executor.unavailable()
    if reason is not None:
        raise UnusableExecutor(f"{executor.capability}: {reason}")
    return Offered(plugin, executor, params_class(executor))


def _options(name: str, executor: Executor, section: Mapping[str, Any]) -> BaseModel | None:
    if executor.config is None:
        if section:
            raise UnusableExecutor(f"[executors.{name}]: this plugin takes no settings, but has {_names(section)}")
        return None
    try:
        return validate(
            executor.config,
            section,
            prefix=f"executors.{name}",
            source="worker.toml",
            folder=Path(),
            extra="forbid",
        )
    except ConfigError as error:
        raise UnusableExecutor(error.message) from None


def _names(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys))


def params_class(executor: Executor) -> type[Params] | None:
    """The Params class that annotates ``params`` of the executor's ``run``; None where it is anything else.

    Only that one annotation is looked up: the others may be imported for type checkers alone.
    """
    function = type(executor).run
    try:
        annotation = function.__annotations__.get("params", Any)
        holder = SimpleNamespace(__annotations__={"params": annotation})
        resolved = typing.get_type_hints(holder, globalns=function.__globals__)["params"]
    except NameError as error:
        raise UnusableExecutor(
            f"{executor.capability}: the type of run's params is not there at run time ({error}); "
            "import it outside `if TYPE_CHECKING`"
        ) from None
    return resolved if isinstance(resolved, type) and issubclass(resolved, Params) else None
