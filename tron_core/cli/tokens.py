"""``tron tokens`` and ``tron create-client-tokens``: credentials for workers and programs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url
from tron_core.cli.output import AsJson, print_columns, print_json
from tron_core.cli.users import Username

if TYPE_CHECKING:
    from tron_core.config import Loaded

tokens = typer.Typer(no_args_is_help=True, help="Tokens and the api keys that they come from.")


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.add_typer(tokens, name="tokens")
    cli.command("create-client-tokens")(create_client_tokens)
    cli.command("create_client_tokens", hidden=True)(create_client_tokens)


def create_client_tokens(
    ctx: typer.Context,
    username: Username,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write both into a file for `tron worker --auth`.")
    ] = None,
    kit: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make a folder to carry to the worker: `tron worker --kit DIR`.")
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make an api key with a first pair of tokens, and print both blocks as JSON: the api key's, then the token's.

    What they may do is what the user may. The secrets are shown here and never again; earlier keys stay valid.

    Example: tron create-client-tokens --username gpu-1 --output auth.json
    """
    context = context_of(ctx)
    loaded = context.load()
    if kit is not None:
        settings = _worker_toml(loaded)
    with administration(context, url, token) as admin:
        api_key, pair = admin.create_tokens(username)
    if output is not None:
        write_auth(output, api_key, pair)
    if kit is not None:
        kit.mkdir(parents=True, exist_ok=True)
        write_auth(kit / "auth.json", api_key, pair)
        (kit / "worker.toml").write_text(settings, encoding="utf-8")
        _copy_ca(loaded, kit)
    print_json(api_key)
    print_json(pair)


def write_auth(file: Path, api_key: dict[str, Any], token: dict[str, Any]) -> None:
    """Write auth.json, readable by its owner alone, whole or not at all."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump({"api_key": api_key, "token": token}, stream, indent=2)
        stream.write("\n")
    new.replace(file)


def _worker_toml(loaded: Loaded) -> str:
    """The worker's settings, with the addresses at which others reach this hub; raises ConfigError where it does not
    know them."""
    import tomlkit

    from tron_core.errors import ConfigError

    hub, http = loaded.settings.hub, loaded.settings.http
    if hub.public_url is None or http.public_url is None:
        missing = "hub.public_url" if hub.public_url is None else "http.public_url"
        raise ConfigError(f"{missing} is not set: a kit needs the addresses at which its worker reaches this hub")
    section = {"url": hub.public_url, "http": http.public_url, "auth": "auth.json"}
    if _ca(loaded) is not None:
        section["ca"] = "ca.pem"
    return tomlkit.dumps({"hub": section})


def _ca(loaded: Loaded) -> Path | None:
    """The CA that `tron certs create` leaves beside the hub's certificate."""
    certificate = loaded.settings.hub.tls_certificate
    file = None if certificate is None else certificate.with_name("ca.pem")
    return file if file is not None and file.is_file() else None


def _copy_ca(loaded: Loaded, kit: Path) -> None:
    ca = _ca(loaded)
    if ca is not None:
        shutil.copyfile(ca, kit / "ca.pem")


@tokens.command("list")
def list_(
    ctx: typer.Context,
    username: Annotated[str | None, typer.Option("--username", help="Of this user alone.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show tokens without their secrets, newest first.

    Example: tron tokens list --username gpu-1
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.tokens(username)
    if as_json:
        print_json(found)
    else:
        rows = ([str(each["id"]), each["username"], each["client_id"], each["issued_at"], _end(each)] for each in found)
        print_columns(["ID", "USERNAME", "CLIENT ID", "ISSUED", "END"], rows)


def _end(token: dict[str, Any]) -> str:
    if token["revoked_at"] is not None:
        return f"revoked {token['revoked_at']}"
    return f"{'refreshed; ' if token['refreshed_at'] else ''}expires {token['refresh_expires_at']}"


@tokens.command()
def revoke(
    ctx: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="A token's number, or the client id of an api key.")],
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """End a token with what it was refreshed from and to, or an api key with all its tokens. Open sessions end.

    Example: tron tokens revoke 12
    """
    with administration(context_of(ctx), url, token) as admin:
        admin.revoke(token_id)
    if as_json:
        print_json({"id": token_id, "revoked": True})
    else:
        typer.echo(f"{token_id} is revoked")
