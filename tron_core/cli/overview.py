"""``tron queue`` and ``tron stats``: what waits, and what one has asked for so far."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer

from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command()(queue)
    cli.command()(stats)


def queue(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show how much waits, and one's own place in it.

    Example: tron queue
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        found = client.get("/queue")
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found['waiting']} job{'' if found['waiting'] == 1 else 's'} waiting")
    if found["jobs"]:
        rows = (
            [each["id"], each["capability"], each["state"], _number(each["position"]), _number(each["eta_seconds"])]
            for each in found["jobs"]
        )
        print_columns(["ID", "CAPABILITY", "STATE", "POSITION", "SECONDS LEFT"], rows)


def stats(
    ctx: typer.Context,
    requester: Annotated[str | None, typer.Option(help="Somebody else, as in discord:1234.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show what one has asked for so far, and what plugins have to say about that.

    Example: tron stats --requester discord:123456789012345678
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        found = client.get("/stats", {"requester": requester})
    if as_json:
        print_json(found)
        return
    if not found["jobs"]:
        typer.echo(f"{found['requester']} has not asked for anything yet")
    for capability, counts in groupby(found["jobs"], key=lambda each: each["capability"]):
        typer.echo(f"{capability}: " + ", ".join(f"{each['count']} {each['state']}" for each in counts))
    for section in found["sections"]:
        typer.echo(f"\n{section['plugin']}\n{section['text']}")


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}"
