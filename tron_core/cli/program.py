"""The root of the command line: the core's commands first; plugins are loaded only where theirs are asked for."""

from __future__ import annotations

import os
import traceback
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from tron_core.cli.context import context_of
from tron_core.errors import ConfigError, TronError

if TYPE_CHECKING:
    from tron_core.plugins import Plugins


class Program(TyperGroup):
    """Commands of plugins stand beside the core's; a TronError becomes one line and exit status 1.

    ``ctx`` is a ``typer.Context``; in the overridden signatures typer names a class of its own that is not public.
    """

    _plugins_are_in = False

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, sorted. Plugins are imported only where one of them looks as if it had commands."""
        if not self._plugins_are_in and _plugins_may_have_commands():
            try:
                self._add_plugins(ctx)
            except ConfigError as error:
                typer.echo(f"commands of plugins are left out: {error.message}", err=True)
        return sorted(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The core's command, else a plugin's, else None; raises ConfigError, and PluginFailed with ``--strict``."""
        if cmd_name not in self.commands and not self._plugins_are_in:
            self._add_plugins(ctx)
        return self.commands.get(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TronError as error:
            if error.__cause__ is not None and context_of(ctx).strict:
                traceback.print_exception(error.__cause__)
            typer.echo(f"error: {error.message}", err=True)
            raise typer.Exit(1) from error

    def _add_plugins(self, ctx: Any) -> None:
        self._plugins_are_in = True
        context = context_of(ctx)
        if context.no_plugins:
            return
        plugins = context.load_plugins(context.load())
        for plugin, cli in _clis_of(plugins).items():
            for name, command in typer.main.get_group(cli).commands.items():
                if name in self.commands:
                    typer.echo(f"plugin {plugin}: its command {name} is left out, as there is one already", err=True)
                else:
                    self.commands[name] = command


def _plugins_may_have_commands() -> bool:
    """Of those that TRON_PLUGINS lets in; ``plugins.discovery`` says the same, and imports the larger libraries."""
    wanted = {name.strip() for name in os.environ.get("TRON_PLUGINS", "").split(",") if name.strip()}
    return any(
        _mentions(plugin.module, "tron_register_cli")
        for plugin in entry_points(group="tron.plugins")
        if not wanted or plugin.name in wanted
    )


def _mentions(module: str, word: str) -> bool:
    """Whether the source of ``module`` has ``word``; True where that cannot be told without an import."""
    if "." in module:
        return True  # to find a submodule imports its parent
    try:
        spec = find_spec(module)
        return spec is not None and spec.origin is not None and word in Path(spec.origin).read_text(encoding="utf-8")
    except (ImportError, OSError, ValueError):
        return True


def _clis_of(plugins: Plugins) -> dict[str, typer.Typer]:
    """The Typer app of each plugin that has commands; those of one that raised are left out whole."""
    from tron_core.plugins import PerPlugin

    clis: dict[str, typer.Typer] = {}

    def own_cli(plugin: str) -> typer.Typer:
        clis[plugin] = typer.Typer()
        return clis[plugin]

    for outcome in plugins.call_each_now("tron_register_cli", cli=PerPlugin(own_cli)):
        cli = clis[outcome.plugin]
        if outcome.error is not None or not (cli.registered_commands or cli.registered_groups):
            clis.pop(outcome.plugin, None)
    return clis
