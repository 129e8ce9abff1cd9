"""``tron doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tron_core.cli.context import Context, context_of
from tron_core.cli.output import AsJson, print_json

if TYPE_CHECKING:
    import ssl

    from tron_core.config import Loaded
    from tron_core.doctor import Finding, RunningHub


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("doctor")(doctor)


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look for the commonest mistakes: ports, addresses, certificate, clock, database, disk, Discord, plugins.

    Nothing is changed. Exit status 1 where something does not work; a warning alone is status 0.

    Example: tron doctor --json
    """
    from tron_core.doctor import Status

    findings = _findings(context_of(ctx))
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        _print(findings)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(1)


def _findings(context: Context) -> list[Finding]:
    import time

    from tron_core.doctor import Finding, Status, Subject, examine
    from tron_core.errors import ConfigError

    try:
        loaded = context.load()
    except ConfigError as error:
        fix = "Put that right first; tron config check says when it is"
        return [Finding("configuration", Status.FAIL, error.message, fix)]
    subject = Subject(loaded, time.time(), _trusted(loaded), _running(loaded), context.no_plugins)
    return [Finding("configuration", Status.OK, f"{loaded.path or 'no tron.toml: the defaults'}"), *examine(subject)]


def _running(loaded: Loaded) -> RunningHub | None:
    from tron_core.cli.hub_client import client_of, dialled, find_running
    from tron_core.doctor import RunningHub
    from tron_core.errors import TronError

    try:
        running = find_running(loaded)
        if running is None:
            return None
        with client_of(running, loaded) as client:
            plugins = client.items("/plugins")
    except TronError:
        return None  # a certificate that cannot be used, a hub that goes just now: the checks see what there is
    return RunningHub(dialled(running.hub), dialled(running.http), plugins)


def _trusted(loaded: Loaded) -> ssl.SSLContext:
    """What a worker with a kit of this hub trusts."""
    import ssl

    from tron_core.cli.kit import authority_pem
    from tron_core.errors import ConfigError

    context = ssl.create_default_context()
    hub = loaded.settings.hub
    try:
        authority = authority_pem(loaded)
        if authority is not None:
            context.load_verify_locations(cadata=authority.decode())
        if hub.tls_client_ca is not None and hub.tls_certificate is not None:
            context.load_cert_chain(hub.tls_certificate, hub.tls_key)
    except (ConfigError, OSError):
        pass  # the check of the certificate says it
    return context


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        first, *more = finding.sentence.splitlines()
        typer.echo(f"{finding.status:<4}  {finding.check:<{width}}  {first}")
        for line in [*more, *([f"fix: {finding.fix}"] if finding.fix else [])]:
            typer.echo(f"{'':<{width + 8}}{line}")
