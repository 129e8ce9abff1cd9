"""``tron plugins``: which plugins there are, in which state and why; enable and disable; new ones, and their check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tron_core.cli.context import Context, context_of
from tron_core.cli.output import AsJson, print_columns, print_json, shortened

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


@plugins.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, - and _.")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where; else tron-plugin-NAME here.")] = None,
) -> None:
    """Write a plugin that works, to be changed into another: both halves, metadata, a test.

    Example: tron plugins new weather
    """
    from tron_core.plugins.skeleton import write_skeleton

    target = folder or Path(f"tron-plugin-{name.removeprefix('tron-plugin-')}")
    for file in write_skeleton(name, target):
        typer.echo(shortened(file.resolve()))
    typer.echo(f"\nNext: pip install -e {target}, then tron plugins check {target}")


@plugins.command()
def check(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder with the plugin's pyproject.toml.")],
    as_json: AsJson = False,
    time_limit: Annotated[float, typer.Option(help="Seconds that each half may take to load.")] = 60.0,
) -> None:
    """Say what a hub and a worker would make of a plugin. It need not be installed, what it requires must be.

    Ends with 1 where something keeps it from working, with `--strict` for mere advice too.

    Example: tron plugins check .
    """
    from tron_core.plugins.checking import check_plugin

    findings = check_plugin(path.resolve(), time_limit=time_limit)
    if as_json:
        print_json([{"level": finding.level, "sentence": finding.sentence} for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.level:<8} {finding.sentence}")
    bad = {"problem", "advice"} if context_of(ctx).strict else {"problem"}
    if any(finding.level in bad for finding in findings):
        raise typer.Exit(1)


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
