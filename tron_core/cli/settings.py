"""``tron settings``: what people saved as their own defaults, and the defaults of servers and channels."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tron_core.cli.context import context_of
from tron_core.cli.hub_client import HubClient, Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json
from tron_core.errors import TronError

settings = typer.Typer(
    no_args_is_help=True,
    help="Saved settings: one's own, and the defaults of Discord servers and channels. A hub must run: its plugins "
    "know what there is.\n\nExample: tron settings set echo.times 3 --owner guild:123456789012345678",
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="Capability and field, as in echo.times.")]
Owner = Annotated[
    str | None,
    typer.Option(metavar="WHO", help="guild:ID, channel:ID, or a requester as in discord:1234; oneself if unset."),
]


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(settings, name="settings")


@settings.command("list")
def list_(
    ctx: typer.Context, owner: Owner = None, as_json: AsJson = False, url: Url = None, token: Token = None
) -> None:
    """Show what is saved.

    Example: tron settings list --owner channel:223456789012345678
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        found = client.items("/settings", {"owner": owner})
    if as_json:
        print_json(found)
    else:
        rows = ([each["key"], json.dumps(each["value"], ensure_ascii=False), each["updated_at"]] for each in found)
        print_columns(["KEY", "VALUE", "SINCE"], rows)


@settings.command("set")
def set_(
    ctx: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="JSON, or plain text.")],
    owner: Owner = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Save a setting: requests that do not say otherwise have this value.

    Example: tron settings set echo.times 3
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        saved = _save(client, {"key": key, **({"owner": owner} if owner else {})}, value)
    _say(saved, as_json, f"{key} is {json.dumps(saved['value'], ensure_ascii=False)} for {saved['owner']}")


@settings.command()
def reset(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="All of them if unset.")] = None,
    owner: Owner = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Forget a saved setting, or all.

    Example: tron settings reset echo.times --owner guild:123456789012345678
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        client.delete("/settings", {"key": key, "owner": owner})
    _say({"key": key, "owner": owner, "reset": True}, as_json, f"{key or 'everything'} is at its default again")


def _save(client: HubClient, body: dict[str, Any], text: str) -> Any:
    """Save ``text`` as the JSON that it is, else as it stands: a voice may be named 1."""
    try:
        value = json.loads(text)
    except ValueError:
        return client.put("/settings", {**body, "value": text})
    try:
        return client.put("/settings", {**body, "value": value})
    except TronError as error:
        if error.code != "invalid_params" or isinstance(value, str):
            raise
        try:
            return client.put("/settings", {**body, "value": text})
        except TronError:
            raise error from None


def _say(value: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)
