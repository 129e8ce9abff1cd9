"""``tron init``: from an empty folder to a hub that can be started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from tron_core.cli.context import context_of

if TYPE_CHECKING:
    from tron_core.setup.secrets import Secret

OPENAI, HUGGINGFACE, DISCORD = "OPENAI_API_KEY", "HF_TOKEN", "DISCORD_TOKEN"
"""The variables in which these secrets usually stand."""
KEY_FORMS = "env:NAME, file:PATH, or itself"


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("init")(init)


def init(
    ctx: typer.Context,
    public: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="The name or address under which workers elsewhere reach this machine."),
    ] = None,
    elsewhere: Annotated[
        bool | None, typer.Option("--elsewhere/--here", help="Whether workers run on other machines.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="sqlite:///FILE or mysql+pymysql://USER:PASSWORD@HOST/NAME.")
    ] = None,
    discord_token: Annotated[str | None, typer.Option(metavar="KEY", help=f"The bot's token: {KEY_FORMS}.")] = None,
    openai_key: Annotated[str | None, typer.Option(metavar="KEY", help=f"OpenAI's api key: {KEY_FORMS}.")] = None,
    huggingface_token: Annotated[
        str | None, typer.Option(metavar="KEY", help=f"Hugging Face's token: {KEY_FORMS}.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIABLE=KEY", help="Another plugin's secret, by its usual variable; may be repeated."),
    ] = None,
    admin: Annotated[str, typer.Option(metavar="NAME", help="The administrator's name.")] = "admin",
    admin_password: Annotated[
        str | None, typer.Option(envvar="TRON_ADMIN_PASSWORD", help="Unset, one is made and printed once.")
    ] = None,
    hub_port: Annotated[int, typer.Option(help="Where workers connect.", min=1, max=65535)] = 6789,
    http_port: Annotated[int, typer.Option(help="REST and the web page.", min=1, max=65535)] = 5000,
    force: Annotated[bool, typer.Option("--force", help="Replace a tron.toml; it is kept as tron.toml.old.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: options and defaults are the answers.")
    ] = False,
) -> None:
    """Write tron.toml, make the database, an administrator and, where workers run elsewhere, certificates.

    What no option says is asked. Keys are stored in files of their own, readable by their owner alone, or named by
    where they are; they are never shown.

    Example: tron init --yes --public hub.example.org --discord-token env:DISCORD_TOKEN
    """
    from tron_core.cli.setting_up import SettingUp

    setting_up = SettingUp(context_of(ctx), force=force)
    keys = {DISCORD: discord_token, OPENAI: openai_key, HUGGINGFACE: huggingface_token, **_pairs(secret or [])}
    given = Given(public, elsewhere, database, {name: key for name, key in keys.items() if key}, admin, admin_password)
    if not yes:
        _ask(given, setting_up.secrets)
    setting_up.run(given, hub_port=hub_port, http_port=http_port)


@dataclass
class Given:
    """What is known so far; None is what was neither said nor asked. ``keys`` by their usual variable."""

    public: str | None = None
    elsewhere: bool | None = None
    database: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    admin: str = "admin"
    admin_password: str | None = None

    @property
    def from_elsewhere(self) -> bool:
        """A public address without a word about workers means that there are some."""
        return self.public is not None if self.elsewhere is None else self.elsewhere


def _pairs(given: list[str]) -> Mapping[str, str]:
    from tron_core.errors import ConfigError

    for each in given:
        if "=" not in each:
            raise ConfigError("--secret: expected is VARIABLE=KEY, for example OPENAI_API_KEY=env:OPENAI_API_KEY")
    return dict(each.split("=", 1) for each in given)


def _ask(given: Given, secrets: list[Secret]) -> None:
    if given.elsewhere is None and given.public is None:
        given.elsewhere = typer.confirm("Do workers run on other machines?", default=False)
    if given.from_elsewhere and given.public is None:
        import socket

        given.public = typer.prompt("Name or address under which they reach this one", default=socket.getfqdn())
    if given.database is None:
        given.database = _ask_database()
    typer.echo(f"Keys are not shown while you type. Each may be {KEY_FORMS}; nothing where there is none.")
    _ask_key(given, DISCORD, "Token of the Discord bot")
    for secret in secrets:
        _ask_key(given, secret.variable, f"{secret.variable} for {secret.key}")
    if given.admin_password is None:
        given.admin_password = _hidden(f"Password of the administrator {given.admin} (nothing: one is made)", True)


def _ask_database() -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    answer: str = typer.prompt("Database", default="sqlite:///tron.db")
    try:
        url = make_url(answer)
    except ArgumentError:
        return answer  # what is wrong with it is said where it is used
    if url.username and url.password is None:
        url = url.set(password=_hidden(f"Password of {url.username} at the database"))
    return url.render_as_string(hide_password=False)


def _ask_key(given: Given, variable: str, what: str) -> None:
    if variable not in given.keys and (key := _hidden(what)):
        given.keys[variable] = key


def _hidden(what: str, confirmed: bool = False) -> str | None:
    answer: str = typer.prompt(
        what, default="", show_default=False, hide_input=True, confirmation_prompt=confirmed and "Again"
    )
    return answer or None
