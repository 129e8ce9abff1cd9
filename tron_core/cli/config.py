"""``tron config``: what is configured, and where that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tron_core.cli.context import context_of
from tron_core.cli.output import AsJson, print_columns, print_json

if TYPE_CHECKING:
    from tron_core.config import Loaded

config = typer.Typer(
    no_args_is_help=True, help="The configuration: what holds, and whether it can be used.\n\nExample: tron config show"
)


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(config, name="config")


@config.command("show")
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show every key with its effective value and where that comes from; secrets are masked.

    Example: tron config show --json
    """
    from tron_core.config import shown

    loaded = context_of(ctx).load()
    rows: list[dict[str, Any]] = [
        {"key": key, "value": value, "origin": loaded.origins.get(key, "default")}
        for key, value in shown(loaded.settings)
    ]
    if as_json:
        print_json(rows)
    else:
        print_columns(["KEY", "VALUE", "ORIGIN"], ([row["key"], _text(row["value"]), row["origin"]] for row in rows))


@config.command("check")
def check(ctx: typer.Context) -> None:
    """Say whether the configuration can be used, sections of plugins included; exit status 1 if not.

    Example: tron --config hub/tron.toml config check
    """
    from tron_core.plugins.listing import list_plugins

    context = context_of(ctx)
    loaded = context.load()
    _check_places(loaded)
    records = {record.name: record for record in list_plugins(loaded, no_plugins=context.no_plugins)}
    wrong = 0
    for name in loaded.settings.plugins.sections:
        record = records.get(name) or records.get(name.replace("_", "-"))
        if record is None:
            typer.echo(f"[plugins.{name}]: kept unread, no such plugin is installed")
        elif record.state != "active":
            wrong += record.state == "failed"
            typer.echo(f"[plugins.{name}]: the plugin is {record.state}: {record.reason}", err=record.state == "failed")
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{loaded.path or 'no configuration file: the defaults'}: can be used")


def _check_places(loaded: Loaded) -> None:
    """Raise ConfigError for a database that is none of ours, and for TLS files that cannot be used. Nothing is opened
    that a hub would write to."""
    from tron_core.auth.tls import HubTls
    from tron_core.storage.engine import resolve_url

    hub = loaded.settings.hub
    resolve_url(loaded.settings.database.url, loaded.folder)
    if hub.tls_certificate is not None and hub.tls_key is not None:
        HubTls(hub.tls_certificate, hub.tls_key, hub.tls_client_ca)


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)
