"""``tron audit``: what administrators did."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url
from tron_core.cli.output import AsJson, print_columns, print_json


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("audit")(audit)


def audit(
    ctx: typer.Context,
    actor: Annotated[
        str | None, typer.Option(metavar="WHO", help="Of this one alone: api:alice, console:root, discord:1234.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show what administrators did, newest first: users, credentials, workers, plugins, other people's jobs.

    Example: tron audit --actor api:alice --limit 20
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.audit(actor, limit)
    if as_json:
        print_json(found)
    else:
        rows = ([each["at"], each["actor"], each["action"], each["target"], _detail(each["detail"])] for each in found)
        print_columns(["WHEN", "WHO", "WHAT", "TARGET", "DETAIL"], rows)


def _detail(detail: dict[str, Any]) -> str | None:
    return ", ".join(f"{name}={value}" for name, value in detail.items()) or None
