"""What a plugin declares, checked before it is taken: hooks, capabilities, settings, executors.

Everything raises PluginFault with one sentence.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from pluggy import PluginManager

from tron_core.api import SettingSpec
from tron_core.capability import Capability, Command, Params, fields_of
from tron_core.plugins.records import PluginFault
from tron_core.sections import nearest

MAX_SLASH_OPTIONS = 25
"""Discord's limit for one slash command."""

PLUGIN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
CAPABILITY_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


RESERVED = frozenset({"core", "disabled"})
"""Names that no plugin can have: the core's own, and a key of ``[plugins]``."""


def check_plugin_name(name: str) -> None:
    """A plugin's name can stand in tables, variables and the configuration."""
    if not PLUGIN_NAME.fullmatch(name):
        raise PluginFault(f"a plugin's name is lower-case letters, digits, - and _, not {name!r}")
    if name in RESERVED:
        raise PluginFault(f"the name {name} is reserved")


def implementations(manager: PluginManager, plugin: object) -> list[tuple[str, dict[str, Any], Callable[..., Any]]]:
    """The hooks that ``plugin`` implements: name, marker options and function, in the order of their names."""
    found = []
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            found.append((options.get("specname") or attribute, dict(options), getattr(plugin, attribute)))
    return found


def check_hooks(manager: PluginManager, plugin: object) -> list[str]:
    """The names of the hooks that ``plugin`` implements, each of which fits its specification."""
    names = set()
    _check_marks(manager, plugin)
    for name, options, function in implementations(manager, plugin):
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginFault(f"{name} is a hook wrapper; the core calls each implementation by itself")
        spec = _spec(manager, name)
        if spec is not None:
            _check_signature(name, spec, function)
        elif not options.get("optionalhook"):
            raise PluginFault(_unknown_hook(manager, name))
        names.add(name)
    return sorted(names)


def _check_marks(manager: PluginManager, plugin: object) -> None:
    """A function of the plugin's own that has a hook's name was meant to be one."""
    for name in dir(plugin):
        function = getattr(plugin, name)
        own = inspect.isfunction(function) and function.__module__ == getattr(plugin, "__name__", None)
        if own and _spec(manager, name) is not None and manager.parse_hookimpl_opts(plugin, name) is None:
            raise PluginFault(f"{name} has the name of a hook, but no @tron_core.hookimpl above it")


def _spec(manager: PluginManager, name: str) -> Any:
    caller = vars(manager.hook).get(name)  # not getattr: a module's own __dir__ or __getattr__ is no hook
    return caller.spec if caller is not None and caller.has_spec() else None


def _unknown_hook(manager: PluginManager, name: str) -> str:
    known = [hook for hook in vars(manager.hook) if _spec(manager, hook) is not None]
    hint = nearest(name, known)
    meant = f"did you mean {hint}?" if hint else "docs/reference/hooks.md lists them"
    return f"no hook is named {name}; {meant} (another plugin's hook is implemented with optionalhook=True)"


def _check_signature(name: str, spec: Any, function: Callable[..., Any]) -> None:
    known = [*spec.argnames, *spec.kwargnames]
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise PluginFault(f"{name} takes plain arguments, and {parameter} is none")
        if parameter.name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise PluginFault(f"{name} has no argument {parameter.name}; {has}")
    if inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(spec.function):
        raise PluginFault(f"{name} is not an async hook; write def, not async def")


def check_hookspecs(manager: PluginManager, namespace: Any) -> list[str]:
    """The names of the hooks that ``namespace`` declares, none of which is known yet."""
    found = {name: manager.parse_hookspec_opts(namespace, name) for name in dir(namespace)}
    declared = {name: options for name, options in found.items() if options is not None}
    if not declared:
        raise PluginFault("tron_register_hookspecs returned nothing that is marked with tron_core.hookspec")
    for name, options in declared.items():
        if not name.startswith("tron_"):
            raise PluginFault(f"a hook's name begins with tron_, and {name} does not")
        if _spec(manager, name) is not None:
            raise PluginFault(f"the hook {name} is already declared")
        if options.get("historic"):
            raise PluginFault(f"the hook {name} is historic, which the core does not support")
    return list(declared)


def check_capability(capability: Any) -> None:
    """A capability declares all that the frontends need, in a form that they can show."""
    if not isinstance(capability, Capability):
        raise PluginFault(f"tron_register_capabilities returned {capability!r}, which is no Capability instance")
    name = getattr(capability, "name", None)
    if not isinstance(name, str) or not CAPABILITY_NAME.fullmatch(name):
        raise PluginFault(f"a capability's name is 1 to 32 lower-case letters, digits, - and _, not {name!r}")
    command, params = getattr(capability, "command", None), getattr(capability, "params", None)
    if not isinstance(command, Command):
        raise PluginFault(f"capability {name}: command is a tron_core.Command, not {command!r}")
    if not (isinstance(params, type) and issubclass(params, Params)):
        raise PluginFault(f"capability {name}: params is a subclass of tron_core.Params, not {params!r}")
    _check_options(name, params)
    _check_place(name, capability)
    _check_handler(name, capability)


def _check_options(name: str, params: type[Params]) -> None:
    try:
        shown = [field for field in fields_of(params) if field.slash]
    except TypeError as error:
        raise PluginFault(f"capability {name}: {error}") from error
    if len(shown) > MAX_SLASH_OPTIONS:
        raise PluginFault(
            f"capability {name} shows {len(shown)} options in its slash command, and Discord has room for "
            f"{MAX_SLASH_OPTIONS}: mark some with Setting(slash=False)"
        )


def _check_place(name: str, capability: Capability) -> None:
    if capability.runs_on not in ("worker", "hub"):
        raise PluginFault(f"capability {name}: runs_on is 'worker' or 'hub', not {capability.runs_on!r}")
    if capability.runs_on == "hub" and type(capability).run is Capability.run:
        raise PluginFault(f"capability {name} runs on the hub and must implement run(params, ctx)")


def _check_handler(name: str, capability: Capability) -> None:
    handler = capability.handle_result
    try:
        inspect.signature(handler).bind("job", "result")
    except TypeError:
        raise PluginFault(f"capability {name}: handle_result takes (self, job, result)") from None
    if inspect.ismethod(handler) and not hasattr(handler, "__wrapped__") and not inspect.iscoroutinefunction(handler):
        raise PluginFault(f"capability {name}: handle_result is awaited; write async def, not def")


def check_settings(specs: Iterable[Any]) -> tuple[SettingSpec, ...]:
    """The settings of one plugin, each key once."""
    taken: dict[str, SettingSpec] = {}
    for spec in specs:
        if not isinstance(spec, SettingSpec):
            raise PluginFault(f"tron_register_settings returned {spec!r}, which is no SettingSpec")
        if spec.key in taken:
            raise PluginFault(f"the setting {spec.key!r} is declared twice")
        taken[spec.key] = spec
    return tuple(taken.values())


def check_executor(executor: Any) -> None:
    """An executor says which capability it executes."""
    from tron_core.worker import Executor

    if not isinstance(executor, Executor):
        raise PluginFault(f"tron_register_executors returned {executor!r}, which is no Executor instance")
    capability = getattr(executor, "capability", None)
    if not isinstance(capability, str) or not CAPABILITY_NAME.fullmatch(capability):
        raise PluginFault(f"{type(executor).__name__}.capability is a capability's name, not {capability!r}")
