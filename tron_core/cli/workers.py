"""``tron workers``: who works for the hub."""

from __future__ import annotations

from typing import Annotated

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json

workers = typer.Typer(no_args_is_help=True, help="The workers that are connected.\n\nExample: tron workers list")


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(workers, name="workers")


@workers.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show the workers that are connected to the running hub, and what they do.

    Example: tron workers list --json
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        found = client.items("/workers")
    if as_json:
        print_json(found)
    else:
        rows = (
            [
                each["name"],
                each["state"],
                f"{len(each['running'])}/{each['slots']}",
                ", ".join(f"{reason} ({count})" for reason, count in each["skipped"].items()) or None,
                _shortened(list(each["capabilities"])) or None,
            ]
            for each in found
        )
        print_columns(["NAME", "STATE", "BUSY", "NOT GIVEN", "CAPABILITIES"], rows)


def _shortened(names: list[str], shown: int = 8) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


@workers.command()
def drain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `tron workers list`.")],
    undo: Annotated[bool, typer.Option("--undo", help="Give it jobs again.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give a worker no more jobs; what it runs goes on. This holds across its reconnects and restarts of the hub.

    Example: tron workers drain gpu-1
    """
    with administration(context_of(ctx), url, token) as admin:
        admin.drain(name, not undo)
    if as_json:
        print_json({"name": name, "draining": not undo})
    else:
        typer.echo(f"{name} gets jobs again" if undo else f"{name} gets no more jobs")
