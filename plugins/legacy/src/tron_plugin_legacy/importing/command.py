"""``tron import-upstream``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import tron_core as tron


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("import-upstream")(import_upstream)


def import_upstream(
    ctx: typer.Context,
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="TRON_UPSTREAM_URL",
            metavar="URL",
            help="Its database: mysql+pymysql://USER:PASSWORD@HOST/DATABASE; unset, that of its config.json.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its config.json, with people's settings.")
    ] = None,
    guilds: Annotated[Path | None, typer.Option(metavar="FILE", help="Its guilds.json, with servers' rules.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; print the same report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take over what a hub of discord-tron-master kept: accounts of workers, settings, conversations, models, rules.

    This hub must not run. What is here already is not changed, so the same may be imported again. Each plugin takes
    its part, whole or not at all: exit status 1 where one failed. The report says what was taken, or left and why.

    Example: tron import-upstream --database-url mysql+pymysql://me@localhost/diffusion_master --config config.json
    """
    from tron_plugin_legacy.importing.run import take_all
    from tron_plugin_legacy.importing.upstream import open_upstream

    with (
        open_upstream(database_url, config, guilds) as upstream,
        tron.open_offline_hub(ctx, dry_run=dry_run) as hub,
    ):
        report = take_all(hub, upstream)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(report.lines()))
    for plugin, why in report.failed.items():
        typer.echo(f"error: plugin {plugin} took nothing: {why}", err=True)
    if report.failed:
        raise typer.Exit(1)
