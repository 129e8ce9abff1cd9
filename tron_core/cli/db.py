"""``tron db``: the database's schema."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tron_core.cli.context import context_of
from tron_core.cli.output import AsJson, print_columns, print_json

db = typer.Typer(
    no_args_is_help=True, help="The database's tables: the core's and each plugin's.\n\nExample: tron db current"
)


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(db, name="db")


@db.command()
def upgrade(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Bring all tables up to date, the core's and each plugin's; a SQLite database is made where there is none.

    Refuses while a hub has the SQLite database. Exit status 1 where a plugin's tables could not be brought up to date.

    Example: tron db upgrade
    """
    from tron_core.storage import migrations

    loaded = context_of(ctx).load()
    applied = migrations.upgrade(loaded.settings.database.url, loaded.folder)
    if as_json:
        print_json([asdict(each) for each in applied])
    else:
        for each in applied:
            typer.echo(f"{each.owner}: {', '.join(each.revisions) or 'up to date already'}")
    failed = [each for each in applied if each.error is not None]
    for each in failed:
        typer.echo(f"error: {each.owner}: {each.error}", err=True)
    if failed:
        raise typer.Exit(1)


@db.command()
def current(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show where the core's and each plugin's tables stand.

    Example: tron db current --json
    """
    from tron_core.storage import migrations

    loaded = context_of(ctx).load()
    found = migrations.current(loaded.settings.database.url, loaded.folder)
    if as_json:
        print_json([{**asdict(each), "up_to_date": each.up_to_date} for each in found])
    else:
        rows = ([each.owner, each.revision, each.head, each.problem or _standing(each.up_to_date)] for each in found)
        print_columns(["OWNER", "REVISION", "NEWEST", "STANDING"], rows)


def _standing(up_to_date: bool) -> str:
    return "up to date" if up_to_date else "outdated: run `tron db upgrade`"


@db.command()
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say where the database is not what it should be; exit status 1 if it is not.

    Example: tron db check
    """
    from tron_core.storage import migrations

    loaded = context_of(ctx).load()
    found = migrations.check(loaded.settings.database.url, loaded.folder)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        for each in found:
            typer.echo(f"{each.owner}: {each.message}")
        if not found:
            typer.echo("all tables are as they should be")
    if found:
        raise typer.Exit(1)
