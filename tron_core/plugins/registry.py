"""Plugins: the load loop, in which each plugin stands or falls by itself, and what the loaded ones declared."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tron_core import hookspecs
from tron_core.api import SettingSpec
from tron_core.capability import Capability
from tron_core.errors import ConfigError
from tron_core.plugins import declarations
from tron_core.plugins.calling import Answer, HookCalls, describe
from tron_core.plugins.discovery import EXECUTORS, PLUGINS, Choice, Found, discover, misfit
from tron_core.plugins.records import PluginFailed, PluginFault, PluginRecord, PluginState
from tron_core.sections import Source, is_true, validate

if TYPE_CHECKING:
    from tron_core.config import PluginSettings
    from tron_core.worker import Executor

logger = logging.getLogger(__name__)

Sections = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class _Declared:
    """What one plugin brings, once all of it was checked."""

    hooks: list[str]
    names: list[str]
    capabilities: list[Capability] = field(default_factory=list)
    executors: list[Executor] = field(default_factory=list)
    settings: tuple[SettingSpec, ...] = ()
    config: BaseModel | None = None


class Plugins(HookCalls):
    """The plugins of one entry-point group, loaded or not, with their reasons; and the calls of their hooks.

    Plugins of the group ``tron.executors`` are asked for their executors, the others for all else.

    ``sections`` are the tables ``[plugins.NAME]``, ``source`` where they stand (see ``sections.validate``), ``folder``
    what a ``file:`` secret in them is relative to. With ``strict`` the first plugin that is failed or incompatible
    raises PluginFailed.
    """

    def __init__(
        self,
        sections: Sections | None = None,
        *,
        group: str = PLUGINS,
        source: Source = "tron.toml",
        folder: Path | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__()
        self._group = group
        self._manager.add_hookspecs(hookspecs)
        self._sections: Sections = sections or {}
        self._required = [name for name, section in self._sections.items() if is_true(section.get("required", False))]
        self._source = source
        self._folder = folder or Path.cwd()
        self._strict = strict
        self._records: dict[str, PluginRecord] = {}
        self._refused: list[PluginRecord] = []
        self._built_in: set[str] = set()
        self._capabilities: dict[str, Capability] = {}
        self._commands: dict[str, Capability] = {}
        self._owners: dict[str, str] = {}
        self._configs: dict[str, BaseModel] = {}
        self._settings: dict[str, tuple[SettingSpec, ...]] = {}
        self._executors: dict[str, Answer] = {}

    @classmethod
    def load(
        cls,
        settings: PluginSettings | None = None,
        *,
        group: str = PLUGINS,
        source: Source = "tron.toml",
        folder: Path | None = None,
        strict: bool = False,
        no_plugins: bool = False,
        excluded: Mapping[str, str] | None = None,
        announce: Callable[[str], None] = lambda name: None,
    ) -> Plugins:
        """Load what is installed in ``group`` and wanted, in the order of the names.

        ``excluded``: names that are failed without being tried, with the reason. ``announce`` is told a plugin's name
        before any code of it runs. Raises PluginFailed with ``strict``, nothing otherwise.
        """
        sections = settings.sections if settings else None
        plugins = cls(sections, group=group, source=source, folder=folder, strict=strict)
        choice = Choice.read(settings.disabled if settings else (), no_plugins=no_plugins)
        loaded: list[tuple[PluginRecord, object]] = []
        for found in discover(group):
            record = plugins._consider(found, choice, excluded or {})
            if record.state is PluginState.ACTIVE:
                announce(found.name)
                with plugins._guard(record), _stage("at import"):
                    loaded.append((record, found.entry_point.load()))
        # A plugin may have one half alone.
        known = {found.name for half in (PLUGINS, EXECUTORS) for found in discover(half)}
        for name, reason in choice.unknown(known).items():
            plugins._refuse(plugins._enter(PluginRecord(name)), PluginState.FAILED, reason)
        plugins._take_all(loaded, announce)
        plugins._note_sections()
        return plugins

    def register(
        self,
        name: str,
        plugin: object,
        *,
        distribution: str | None = None,
        version: str | None = None,
        built_in: bool = False,
    ) -> PluginRecord:
        """Take a module or object as the plugin ``name``, with every check; the record says how that went.

        ``built_in``: a part of the core, which is not among ``records``.
        """
        if built_in:
            self._built_in.add(name)
        record = self._enter(PluginRecord(name, distribution, version))
        if record.state is PluginState.ACTIVE:
            self._take_all([(record, plugin)], lambda name: None)
        return record

    @property
    def records(self) -> list[PluginRecord]:
        """Every plugin, loaded or not, in the order of the names."""
        shown = [record for name, record in self._records.items() if name not in self._built_in]
        return sorted([*shown, *self._refused], key=lambda record: (record.name, record.distribution or ""))

    @property
    def capabilities(self) -> Mapping[str, Capability]:
        """The capabilities of the loaded plugins, by name."""
        return MappingProxyType(self._capabilities)

    @property
    def commands(self) -> Mapping[str, Capability]:
        """The same by command name and alias."""
        return MappingProxyType(self._commands)

    @property
    def executors(self) -> Mapping[str, Answer]:
        """In the group ``tron.executors``: plugin and Executor of each capability."""
        return MappingProxyType(self._executors)

    @property
    def setting_specs(self) -> Mapping[str, tuple[SettingSpec, ...]]:
        """What ``tron_register_settings`` returned, by plugin."""
        return MappingProxyType(self._settings)

    def plugin_of(self, capability: str) -> str:
        """The plugin that a capability comes from; raises KeyError where there is none."""
        return self._owners[capability]

    def record(self, name: str) -> PluginRecord:
        """Raises KeyError where no plugin has that name."""
        return self._records[name]

    def config(self, name: str) -> BaseModel | None:
        """The validated section of a plugin, None where it declares none."""
        return self._configs.get(name)

    def missing_required(self) -> list[str]:
        """Plugins with ``required = true`` in their section that are not active: submissions are refused for them."""
        if not self._required:
            return []
        active = {name for name, record in self._records.items() if record.state is PluginState.ACTIVE}
        return sorted(name for name in self._required if not active & {name, name.replace("_", "-")})

    def reinstate(self, name: str) -> None:
        """Call the hooks of a quarantined plugin again; raises KeyError where no plugin has that name."""
        record = self._records[name]
        if record.state is PluginState.QUARANTINED:
            record.state, record.reason = PluginState.ACTIVE, None
            self._strikes.pop(name, None)
            self._chains.clear()

    def _consider(self, found: Found, choice: Choice, excluded: Mapping[str, str]) -> PluginRecord:
        record = self._enter(PluginRecord(found.name, found.distribution, found.version))
        if record.state is not PluginState.ACTIVE:
            return record
        if reason := choice.refusal(found.name):
            record.state, record.reason = PluginState.DISABLED, reason
        elif reason := misfit(found):
            self._refuse(record, PluginState.INCOMPATIBLE, reason)
        elif found.name in excluded:
            self._refuse(record, PluginState.FAILED, excluded[found.name])
        return record

    def _enter(self, record: PluginRecord) -> PluginRecord:
        with self._guard(record):
            if record.name not in self._built_in:
                declarations.check_plugin_name(record.name)
            # Names of tables and variables have _ for -, so that the two must not differ in that alone.
            same = [name for name in self._records if name.replace("-", "_") == record.name.replace("-", "_")]
            if same:
                raise PluginFault(f"the name {record.name} is already taken by {self._records[same[0]].origin}")
        if record.state is PluginState.ACTIVE:
            self._records[record.name] = record
        else:
            self._refused.append(record)
        return record

    def _take_all(self, loaded: Sequence[tuple[PluginRecord, object]], announce: Callable[[str], None]) -> None:
        for record, plugin in loaded:
            announce(record.name)
            with self._guard(record):
                self._declare_hooks(plugin)
        for record, plugin in loaded:
            if record.state is PluginState.ACTIVE:
                announce(record.name)
                with self._guard(record):
                    self._take(record, plugin)
        self._chains.clear()

    def _declare_hooks(self, plugin: object) -> None:
        for name, _, function in declarations.implementations(self._manager, plugin):
            if name == "tron_register_hookspecs":
                with _stage(f"in {name}"):
                    namespace = function()
                    declarations.check_hookspecs(self._manager, namespace)
                    self._manager.add_hookspecs(namespace)

    def _take(self, record: PluginRecord, plugin: object) -> None:
        with _stage("at registration"):
            hooks = declarations.check_hooks(self._manager, plugin)
            self._manager.register(plugin, record.name)
        try:
            declared = self._ask_declarations(record, hooks)
        except BaseException:
            self._manager.unregister(plugin, record.name)
            raise
        self._keep(record, declared)

    def _ask_declarations(self, record: PluginRecord, hooks: list[str]) -> _Declared:
        if self._group == EXECUTORS:
            executors = self._returned(record, "tron_register_executors")
            self._check_executors(record, executors)
            return _Declared(hooks, [executor.capability for executor in executors], executors=executors)
        capabilities = self._returned(record, "tron_register_capabilities")
        self._check_capabilities(record, capabilities)
        settings = declarations.check_settings(self._returned(record, "tron_register_settings"))
        names = [capability.name for capability in capabilities]
        return _Declared(hooks, names, capabilities, settings=settings, config=self._configure(record))

    def _keep(self, record: PluginRecord, declared: _Declared) -> None:
        record.hooks = declared.hooks
        record.capabilities = declared.names
        for capability in declared.capabilities:
            self._capabilities[capability.name] = capability
            self._owners[capability.name] = record.name
            for word in (capability.command.name, *capability.command.aliases):
                self._commands[word] = capability
        for executor in declared.executors:
            self._executors[executor.capability] = Answer(record.name, executor)
        if declared.settings:
            self._settings[record.name] = declared.settings
        if declared.config is not None:
            self._configs[record.name] = declared.config

    def _own(self, record: PluginRecord, hook: str) -> list[Any]:
        """What this plugin's implementations of a registration hook returned."""
        answers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == record.name:
                with _stage(f"in {hook}"):
                    answers.append(implementation.function())
        return answers

    def _returned(self, record: PluginRecord, hook: str) -> list[Any]:
        items: list[Any] = []
        for answer in self._own(record, hook):
            if answer is None:
                continue
            if isinstance(answer, str | Mapping) or not isinstance(answer, Sequence):
                raise PluginFault(f"{hook} returns a list, not {answer!r}")
            items.extend(answer)
        return items

    def _check_capabilities(self, record: PluginRecord, capabilities: Sequence[Any]) -> None:
        names, words = dict(self._owners), {word: self._owners[each.name] for word, each in self._commands.items()}
        for capability in capabilities:
            declarations.check_capability(capability)
            self._claim("capability", capability.name, names, record)
            self._claim("command", capability.command.name, words, record)
            for alias in capability.command.aliases:
                self._claim("alias", alias, words, record)

    def _check_executors(self, record: PluginRecord, executors: Sequence[Any]) -> None:
        taken = {capability: answer.plugin for capability, answer in self._executors.items()}
        for executor in executors:
            declarations.check_executor(executor)
            self._claim("executor", executor.capability, taken, record)

    def _claim(self, kind: str, word: str, taken: dict[str, str], record: PluginRecord) -> None:
        if word in taken:
            by = self._records[taken[word]].origin
            second = "declares it twice" if taken[word] == record.name else "cannot have it too"
            raise PluginFault(f"{kind} {word!r} is already taken by {by}; {record.origin} {second}")
        taken[word] = record.name

    def _configure(self, record: PluginRecord) -> BaseModel | None:
        models = [model for model in self._own(record, "tron_register_config") if model is not None]
        for model in models:
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                raise PluginFault(f"tron_register_config returns a pydantic model class, not {model!r}")
        section = {key: value for key, value in self._section(record.name).items() if key != "required"}
        if not models:
            if section:
                raise PluginFault(
                    f"plugins.{record.name}.{next(iter(section))}: unknown key; the plugin has no settings"
                )
            return None
        found: BaseModel = validate(
            models[0],
            section,
            prefix=f"plugins.{record.name}",
            source=self._source,
            folder=self._folder,
            extra="forbid",
        )
        return found

    def _section(self, name: str) -> Mapping[str, Any]:
        # Variables have _ for -: TRON_PLUGINS__SOME_PLUGIN__KEY.
        return {**self._sections.get(name, {}), **self._sections.get(name.replace("-", "_"), {})}

    def _note_sections(self) -> None:
        for name in self._sections:
            record = self._records.get(name) or self._records.get(name.replace("_", "-"))
            if record is None or record.state is not PluginState.ACTIVE:
                why = "is not installed" if record is None else f"is {record.state}"
                logger.info("[plugins.%s] is kept unread: the plugin %s", name, why, extra={"plugin": name})

    def _is_called(self, plugin: str) -> bool:
        return self._records[plugin].state is PluginState.ACTIVE

    def _quarantine(self, plugin: str, reason: str) -> None:
        self._chains.clear()
        record = self._records[plugin]
        record.state, record.reason = PluginState.QUARANTINED, reason
        logger.error("plugin %s is quarantined: %s", plugin, reason, extra={"plugin": plugin})

    @contextmanager
    def _guard(self, record: PluginRecord) -> Iterator[None]:
        try:
            yield
        except (PluginFault, ConfigError) as error:
            reason = "; ".join(str(error).splitlines())
            self._refuse(record, PluginState.FAILED, reason, error)

    def _refuse(
        self, record: PluginRecord, state: PluginState, reason: str, error: BaseException | None = None
    ) -> None:
        record.state, record.reason = state, reason
        logger.warning("plugin %s is %s: %s", record.name, state, reason, extra={"plugin": record.name})
        if self._strict:
            raise PluginFailed(f"plugin {record.name} is {state}: {reason}") from (error and error.__cause__)


@contextmanager
def _stage(where: str) -> Iterator[None]:
    """Whatever a plugin raises becomes a fault that says where. A KeyboardInterrupt is the person's at the keyboard."""
    try:
        yield
    except (PluginFault, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginFault(f"raised {where}: {describe(error)}") from error
