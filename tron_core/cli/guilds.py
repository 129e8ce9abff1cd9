"""``tron guilds``: what a Discord server's rules are."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url
from tron_core.cli.output import AsJson, print_columns, print_json

guilds = typer.Typer(
    no_args_is_help=True,
    help="The rules of Discord servers; what their administrators do with !admin.\n\n"
    "Example: tron guilds set 123456789012345678 daily_quota 50",
)

Guild = Annotated[str, typer.Argument(metavar="GUILD", help="The server's id.")]
RuleName = Annotated[str, typer.Argument(metavar="RULE", help="A rule of `tron guilds show`.")]
Member = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id.")]


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(guilds, name="guilds")


@guilds.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show the servers that have set a rule, with their rules.

    Example: tron guilds list --json
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.guilds()
    if as_json:
        print_json(found)
    else:
        rows = ([each["id"], rule, _text(value)] for each in found for rule, value in each["rules"].items())
        print_columns(["GUILD", "RULE", "VALUE"], rows)


@guilds.command()
def show(ctx: typer.Context, guild: Guild, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show every rule with its value on a server.

    Example: tron guilds show 123456789012345678
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.rules(_id("guild", guild))
    if as_json:
        print_json(found)
    else:
        print_columns(["RULE", "VALUE", "HELP"], ([each["rule"], _text(each["value"]), each["help"]] for each in found))


@guilds.command("set")
def set_(
    ctx: typer.Context,
    guild: Guild,
    rule: RuleName,
    words: Annotated[list[str], typer.Argument(metavar="VALUE...", help="Ids, names, a number, on or off.")],
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Set a rule of a server. It holds from the next request there on.

    Example: tron guilds set 123456789012345678 maxima paint.steps=30 height=768
    """
    from tron_core.frontends import rules

    value = rules.read(rule, " ".join(words))
    with administration(context_of(ctx), url, token, make=True) as admin:
        admin.set_rule(_id("guild", guild), rule, value)
    _say({"guild": guild, "rule": rule, "value": value}, as_json, f"{rule} is {_text(value)} in guild {guild}")


@guilds.command()
def reset(
    ctx: typer.Context, guild: Guild, rule: RuleName, as_json: AsJson = False, url: Url = None, token: Token = None
) -> None:
    """Remove a rule of a server.

    Example: tron guilds reset 123456789012345678 maxima
    """
    with administration(context_of(ctx), url, token) as admin:
        admin.remove_rule(_id("guild", guild), rule)
    _say({"guild": guild, "rule": rule, "value": None}, as_json, f"{rule} is not set in guild {guild} any more")


@guilds.command()
def ban(
    ctx: typer.Context,
    guild: Guild,
    member: Member,
    undo: Annotated[bool, typer.Option("--undo", help="Let the member ask again.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let a member ask for nothing more on one server.

    Example: tron guilds ban 123456789012345678 223456789012345678
    """
    with administration(context_of(ctx), url, token, make=True) as admin:
        admin.ban_member(_id("guild", guild), _id("member", member), not undo)
    shown = {"guild": guild, "member": member, "banned": not undo}
    _say(shown, as_json, f"{member} may ask in guild {guild}" if undo else f"{member} may not ask in guild {guild}")


def _id(what: str, given: str) -> str:
    """``given``, an id of Discord's; raises Refused."""
    from tron_core.errors import Refused

    if not (given.isascii() and given.isdigit() and 15 <= len(given) <= 20):
        raise Refused(f"{what} {given!r}: expected is its id, 15 to 20 digits")
    return given


def _say(value: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)


def _text(value: Any) -> str | None:
    """A rule's value as it may be typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return " ".join(f"{name}={most:g}" for name, most in value.items())
    if isinstance(value, list):
        return " ".join(value)
    return value if value is None or isinstance(value, str) else json.dumps(value)
