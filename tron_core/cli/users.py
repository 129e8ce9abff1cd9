"""``tron users`` and ``tron create-worker-user``: who may use the hub."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json

users = typer.Typer(
    no_args_is_help=True, help="Users, and what they may do.\n\nExample: tron users create --username alice"
)

Username = Annotated[str, typer.Option("--username", help="1 to 64 letters, digits and _ . @ -")]
Name = Annotated[str, typer.Argument(metavar="USERNAME", help="A name from `tron users list`.")]
Password = Annotated[
    str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for if unset.")
]
Email = Annotated[str | None, typer.Option("--email", help="Where the person can be reached.")]


class ScopeName(StrEnum):
    """What a user may do: ``admin`` includes ``user``; ``worker`` connects workers and nothing else."""

    USER = "user"
    ADMIN = "admin"
    WORKER = "worker"


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.add_typer(users, name="users")
    cli.command("create-worker-user")(create_worker_user)
    cli.command("create_worker_user", hidden=True)(create_worker_user)


def create_worker_user(
    ctx: typer.Context,
    username: Username,
    password: Password,
    email: Email = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a user that may connect workers and nothing else; `tron create-client-tokens` makes its credential.

    Example: tron create-worker-user --username gpu-1 --password … --email me@example.org
    """
    _create(ctx, username, password, email, ScopeName.WORKER, as_json, url, token)


@users.command()
def create(
    ctx: typer.Context,
    username: Username,
    password: Password,
    email: Email = None,
    scope: Annotated[ScopeName, typer.Option(help="What the user may do.")] = ScopeName.USER,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a user.

    Example: tron users create --username alice --password … --scope admin
    """
    _create(ctx, username, password, email, scope, as_json, url, token)


def _create(
    ctx: typer.Context,
    username: str,
    password: str,
    email: str | None,
    scope: ScopeName,
    as_json: bool,
    url: str | None,
    token: str | None,
) -> None:
    with administration(context_of(ctx), url, token, make=True) as admin:
        created = admin.create_user(username, password, email, scope.value)
    _say(created, as_json, f"{username} is a user with the scope {scope.value}")


@users.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show all users, oldest first.

    Example: tron users list --json
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.users()
    if as_json:
        print_json(found)
    else:
        rows = ([each["username"], each["scope"], each["email"], each["created_at"], _ban(each)] for each in found)
        print_columns(["USERNAME", "SCOPE", "EMAIL", "SINCE", "BANNED"], rows)


@users.command()
def promote(
    ctx: typer.Context,
    username: Name,
    scope: Annotated[ScopeName, typer.Option(help="A lower one does too.")] = ScopeName.ADMIN,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give a user another scope; tokens that are out already have it at once.

    Example: tron users promote alice --scope admin
    """
    with administration(context_of(ctx), url, token) as admin:
        changed = admin.change_user(username, {"scope": scope.value})
    _say(changed, as_json, f"{username} has the scope {scope.value}")


@users.command()
def ban(
    ctx: typer.Context,
    username: Name,
    reason: Annotated[str | None, typer.Option(help="For those who look at the list.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user in again.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Stop a user's credentials and tokens from working; open sessions end.

    Example: tron users ban mallory --reason "sold the api key"
    """
    change: dict[str, Any] = {"banned": not undo}
    if reason is not None and not undo:
        change["ban_reason"] = reason
    with administration(context_of(ctx), url, token) as admin:
        changed = admin.change_user(username, change)
    _say(changed, as_json, f"{username} is {'no longer ' if undo else ''}banned")


@users.command()
def channels(
    ctx: typer.Context,
    username: Name,
    granted: Annotated[
        list[str] | None, typer.Argument(metavar="[CHANNEL]...", help="Ids of Discord channels; none takes all away.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Say to which Discord channels a user may have replies sent (`notify` over REST): these and no others.

    Example: tron users channels alice 123456789012345678
    """
    from tron_core.errors import Refused

    ids = granted or []
    for each in ids:
        if not (each.isascii() and each.isdigit() and len(each) <= 20):
            raise Refused(f"channel {each!r}: expected is its id, up to 20 digits")
    with administration(context_of(ctx), url, token) as admin:
        changed = admin.change_user(username, {"channels": ids})
    _say(changed, as_json, f"{username} may have replies sent to {', '.join(changed['channels']) or 'no channel'}")


@users.command()
def delete(ctx: typer.Context, username: Name, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Delete a user with every credential and token. The user's jobs stay: `tron users forget` erases those too.

    Example: tron users delete mallory
    """
    with administration(context_of(ctx), url, token) as admin:
        admin.delete_user(username)
    _say({"username": username, "deleted": True}, as_json, f"{username} is deleted")


@users.command()
def forget(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(metavar="WHO", help="A username, or a requester as in discord:1234.")],
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Erase a person: account, settings, jobs and their files, and what plugins keep. Open jobs are cancelled.

    A hub must run: its plugins erase their part. Exit status 1 where one of them could not; then try again.

    Example: tron users forget discord:123456789012345678
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        erased = client.post(f"/users/{quote(who, safe='')}/forget")
    jobs, files = erased["jobs"], erased["artifacts"]
    _say(erased, as_json, f"{erased['requester']} is forgotten, with {jobs} jobs and {files} files")
    for plugin, reason in erased["failed"].items():
        typer.echo(f"error: plugin {plugin}: {reason}", err=True)
    if erased["failed"]:
        raise typer.Exit(1)


def _say(value: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)


def _ban(user: dict[str, Any]) -> str | None:
    if user["banned_at"] is None:
        return None
    return f"{user['banned_at']}, {user['ban_reason']}" if user["ban_reason"] else str(user["banned_at"])
