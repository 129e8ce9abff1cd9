"""``tron certs``: certificates of the hub's own, for both ports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tron_core.cli.context import context_of
from tron_core.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from tron_core.auth.certificate_folder import CertificateFolder, Made
    from tron_core.config import Loaded

FOLDER = Path("certs")

certs = typer.Typer(
    no_args_is_help=True,
    help="Certificates of the hub's own authority, for both ports.\n\nExample: tron certs create --name hub.lan",
)


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(certs, name="certs")


@certs.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="A name or address under which the hub is reached; may be repeated. Unset: those of the certificate "
            "that is there, else of hub.public_url and http.public_url.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", help="The folder, relative to the configuration file's.", metavar="DIR")
    ] = FOLDER,
    days: Annotated[int, typer.Option(help="How long the server certificate is good for.", min=1, max=825)] = 397,
    new_ca: Annotated[
        bool, typer.Option("--new-ca", help="Make another authority; each worker then needs the new ca.pem.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a certificate authority and a server certificate; said again, renew the server certificate under it.

    A hub that runs takes the new certificate within half a minute, at once on SIGHUP. The authority is good for ten
    years; its key stays in the folder and is never copied into a worker's kit.

    Example: tron certs create --name hub.example.org --name 192.0.2.7
    """
    from datetime import UTC, datetime

    from tron_core.auth.certificate_folder import CertificateFolder

    loaded = context_of(ctx).load()
    place = CertificateFolder(loaded.folder / folder)
    made = place.create(names_for(loaded, place, name or []), datetime.now(UTC), days=days, new_authority=new_ca)
    if as_json:
        print_json(_as_json(place, made))
    else:
        _tell(loaded, place, made)


def names_for(loaded: Loaded, place: CertificateFolder, given: list[str]) -> list[str]:
    """The names of the next certificate, each once; this machine's own are always among them."""
    import socket
    from urllib.parse import urlsplit

    from tron_core.auth.certificates import check_name

    settings = loaded.settings
    public = [urlsplit(url).hostname for url in (settings.hub.public_url, settings.http.public_url) if url]
    wanted = given or place.names() or [host for host in public if host] or [socket.gethostname()]
    return list(dict.fromkeys(check_name(host) for host in (*wanted, "localhost", "127.0.0.1", "::1")))


def _as_json(place: CertificateFolder, made: Made) -> dict[str, Any]:
    from tron_core.auth.certificates import names_of

    return {
        "certificate": str(place.server),
        "key": str(place.server_key),
        "ca": str(place.ca),
        "new_ca": made.new_authority,
        "names": names_of(made.server),
        "expires": made.server.not_valid_after_utc.isoformat(),
        "ca_expires": made.authority.not_valid_after_utc.isoformat(),
    }


def _tell(loaded: Loaded, place: CertificateFolder, made: Made) -> None:
    from tron_core.auth.certificates import names_of

    typer.echo(f"{place.server}: for {', '.join(names_of(made.server))}, until {_day(made.server)}")
    typer.echo(f"{place.ca}: the authority{', new' if made.new_authority else ''}, until {_day(made.authority)}")
    if made.new_authority:
        typer.echo(f"{place.ca_key}: its key. Keep a copy of it somewhere safe, and give it to nobody.")
    if loaded.settings.hub.tls_certificate == place.server:
        typer.echo("The hub takes the new certificate within half a minute, at once on SIGHUP.")
        return
    certificate, key = (_relative(path, loaded.folder) for path in (place.server, place.server_key))
    typer.echo(f'\nFor both ports, write in tron.toml:\n\n[hub]\ntls_certificate = "{certificate}"\ntls_key = "{key}"')


def _day(certificate: Any) -> str:
    return f"{certificate.not_valid_after_utc:%Y-%m-%d}"


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
