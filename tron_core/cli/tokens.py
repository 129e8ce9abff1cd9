"""``tron tokens`` and ``tron create-client-tokens``: credentials for workers and programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url
from tron_core.cli.kit import authority_pem, kit_files, write_kit
from tron_core.cli.kits import KitsCommand, chosen_kit
from tron_core.cli.output import AsJson, print_columns, print_json
from tron_core.cli.users import Username
from tron_core.errors import ConfigError
from tron_core.kits import KitContents
from tron_core.private_file import write_whole

if TYPE_CHECKING:
    from tron_core.cli.addresses import Addresses
    from tron_core.config import Loaded

tokens = typer.Typer(
    no_args_is_help=True,
    help="Tokens and the api keys that they come from.\n\nExample: tron tokens list --username gpu-1",
)


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.add_typer(tokens, name="tokens")
    cli.command("create-client-tokens", cls=KitsCommand)(create_client_tokens)
    cli.command("create_client_tokens", hidden=True, cls=KitsCommand)(create_client_tokens)


def create_client_tokens(
    ctx: typer.Context,
    username: Username,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write both into a file for `tron worker --auth`.")
    ] = None,
    kit: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make a folder to carry to the worker: `tron worker --kit DIR`.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For the kit: the authority of a proxy's certificate; unset, the hub's own."),
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make an api key with a first pair of tokens, and print both blocks as JSON: the api key's, then the token's.

    What they may do is what the user may. The secrets are shown here and never again; earlier keys stay valid.
    A kit has the addresses of hub.public_url and http.public_url, and what the worker needs to verify the certificate.

    Example: tron create-client-tokens --username gpu-1 --kit kit-gpu-1
    """
    context = context_of(ctx)
    loaded = context.load()
    chosen = chosen_kit(ctx)
    if kit is not None and chosen is not None:
        raise ConfigError(f"one kit at a time, not --kit and --{chosen[1].option}")
    found = None if kit is None and chosen is None else _addresses(loaded, url)
    with administration(context, url, token) as admin:
        api_key, pair = admin.create_tokens(username, None if chosen is None else chosen[0])
    if output is not None:
        write_auth(output, api_key, pair)
    if kit is not None and found is not None:
        write_kit(kit, kit_files(loaded, found, api_key, pair, ca))
        typer.echo(f"{kit} is the worker's kit: carry it there, and see its README.txt", err=True)
    if chosen is not None and found is not None:
        _, theirs, folder = chosen
        contents = KitContents(api_key, pair, found.hub, found.http, authority_pem(loaded, ca))
        write_kit(folder, dict(theirs.files(contents)))
        typer.echo(theirs.after.format(folder=folder), err=True)
    print_json(api_key)
    print_json(pair)


def write_auth(file: Path, api_key: dict[str, Any], token: dict[str, Any]) -> None:
    """Write auth.json, for its owner alone; raises ConfigError where that cannot be."""
    try:
        write_whole(file, json.dumps({"api_key": api_key, "token": token}, indent=2) + "\n")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None


def _addresses(loaded: Loaded, url: str | None) -> Addresses:
    """Where the kit's worker finds the hub; what will not work from elsewhere is said."""
    from tron_core.cli.addresses import addresses_of
    from tron_core.cli.kit import lacks_client_certificate

    if url is not None:
        raise ConfigError(
            "a kit takes addresses and certificate from the hub's own tron.toml: make it there, not by --url"
        )
    found = addresses_of(loaded)
    for warning in found.warnings():
        typer.echo(f"warning: {warning}", err=True)
    if lacks_client_certificate(loaded):
        typer.echo("warning: hub.tls_client_ca: its key is not here to make a certificate for the worker", err=True)
    return found


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
