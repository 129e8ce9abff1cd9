"""``tron plugins``: which plugins there are, in which state and why; enable and disable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tron_core.cli.context import Context, context_of
from tron_core.cli.output import AsJson, print_columns, print_json

if TYPE_CHECKING:
    from tron_core.plugins import PluginRecord

plugins = typer.Typer(no_args_is_help=True, help="The installed plugins.\n\nExample: tron plugins list")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from `tron plugins list`.")]


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(plugins, name="plugins")


@plugins.command("list")
def list_(
    ctx: typer.Context,
    as_json: AsJson = False,
    time_limit: Annotated[float, typer.Option(help="Seconds that one plugin may take to load.")] = 20.0,
) -> None:
    """Show each plugin's state and, unless it is active, the reason. They are loaded in a process apart.

    Example: tron plugins list --json
    """
    from tron_core.plugins.listing import list_plugins

    context = context_of(ctx)
    records = list_plugins(context.load(), no_plugins=context.no_plugins, time_limit=time_limit)
    if as_json:
        print_json([record.as_json() for record in records])
    else:
        _print_table(records)
    if context.strict:
        _fail_on_the_first(records)


@plugins.command()
def enable(ctx: typer.Context, name: Name) -> None:
    """Load a plugin again that was disabled; holds from the next start on. The plugin is not imported.

    Example: tron plugins enable echo
    """
    _switch(context_of(ctx), name, disabled=False)


@plugins.command()
def disable(ctx: typer.Context, name: Name) -> None:
    """Load a plugin no more; holds from the next start on. The plugin is not imported.

    Example: tron plugins disable echo
    """
    _switch(context_of(ctx), name, disabled=True)


def _switch(context: Context, name: str, *, disabled: bool) -> None:
    from tron_core.config import FILE, find
    from tron_core.plugins.switching import set_disabled

    file = find(context.config) or Path.cwd() / FILE
    changed = set_disabled(file, name, disabled)
    state = "disabled" if disabled else "enabled"
    typer.echo(f"{name} is {state} in {file}, from the next start on" if changed else f"{name} is {state} already")


def _print_table(records: list[PluginRecord]) -> None:
    if not records:
        typer.echo("no plugin is installed")
        return
    rows = ([each.name, each.version, each.state, _what(each)] for each in records)
    print_columns(["NAME", "VERSION", "STATE", "CAPABILITIES, OR WHY NOT"], rows)


def _what(record: PluginRecord) -> str | None:
    return record.reason or ", ".join(record.capabilities) or None


def _fail_on_the_first(records: list[PluginRecord]) -> None:
    from tron_core.plugins import PluginFailed, PluginState

    for record in records:
        if record.state in (PluginState.FAILED, PluginState.INCOMPATIBLE):
            raise PluginFailed(f"plugin {record.name} is {record.state}: {record.reason}")
