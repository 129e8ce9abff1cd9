"""``tron worker``: work for a hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tron_core.worker.config import WorkerSettings
    from tron_core.worker.console import WorkerConsole
    from tron_core.worker.tokens import WorkerAuth


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("worker")(worker)


def worker(
    hub: Annotated[str | None, typer.Option(help="The hub's address, wss://HOST:6789.", metavar="URL")] = None,
    auth: Annotated[
        Path | None, typer.Option(help="The credential: a file of `tron create-client-tokens --output`.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="worker.toml; unset, the one here if there is one.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) to trust besides the system's.", metavar="FILE")
    ] = None,
    kit: Annotated[
        Path | None, typer.Option(help="A folder of `tron create-client-tokens --kit`: all of the above.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the hub calls this worker; unset, the machine's name.")] = None,
    slots: Annotated[int | None, typer.Option(help="Jobs at a time.", min=1, max=64)] = None,
    http: Annotated[
        str | None, typer.Option(help="The hub's REST side; unset, the same host, port 5000.", metavar="URL")
    ] = None,
    allow_plaintext: Annotated[
        bool, typer.Option("--allow-plaintext", help="Let ws:// reach another machine, the token readable on the way.")
    ] = False,
) -> None:
    """Work for a hub with the executors that are installed here.

    Ctrl-C or SIGTERM drains: no more jobs are taken, running ones are finished. A second one stops at once.

    Exit status: 0 drained, 1 stopped at once, 2 options or files that cannot be used, 3 nothing to offer here,
    4 refused by the hub, 5 the name is in use.

    Example: tron worker --hub wss://hub.example.org:6789 --auth auth.json --slots 2
    """
    import asyncio

    from tron_core.errors import ConfigError
    from tron_core.worker.stopped import ExitCode, WorkerStopped

    console = _console()
    try:
        settings = _settings(config or _in_kit(kit, "worker.toml"), kit, hub, auth, name, slots, http, ca)
        credential = _auth(settings)
        code = asyncio.run(_work(settings, credential, console, allow_plaintext))
    except ConfigError as error:
        typer.echo(f"error: {error.message}", err=True)
        code = ExitCode.USAGE
    except WorkerStopped as error:
        typer.echo(f"error: {error.message}", err=True)
        code = error.exit_code
    raise typer.Exit(code)


def _in_kit(kit: Path | None, name: str) -> Path | None:
    from tron_core.errors import ConfigError

    if kit is not None and not kit.is_dir():
        raise ConfigError(
            f"{kit}: there is no such folder; tron create-client-tokens --username NAME --kit DIR makes one"
        )
    file = None if kit is None else kit / name
    return file if file is not None and file.is_file() else None


def _settings(
    config: Path | None,
    kit: Path | None,
    hub: str | None,
    auth: Path | None,
    name: str | None,
    slots: int | None,
    http: str | None,
    ca: Path | None,
) -> WorkerSettings:
    """worker.toml, with what the command line gives in place of what stands there, and the kit's files for the rest."""
    from tron_core.sections import validate
    from tron_core.worker.config import WorkerSettings, load_worker

    settings = load_worker(config)
    values = settings.model_dump()
    given: dict[str, dict[str, object]] = {
        "hub": {"url": hub, "auth": auth, "http": http, "ca": ca},
        "worker": {"name": name, "slots": slots},
    }
    for section, options in given.items():
        values[section] |= {key: value for key, value in options.items() if value is not None}
    for key, file in (("auth", "auth.json"), ("ca", "ca.pem")):
        values["hub"][key] = values["hub"][key] or _in_kit(kit, file)
    return validate(WorkerSettings, values, prefix="", source="tron worker", folder=Path())


def _auth(settings: WorkerSettings) -> WorkerAuth:
    from tron_core.errors import ConfigError
    from tron_core.worker.tokens import load_auth

    if settings.hub.auth is None:
        raise ConfigError(
            "no credential: say --auth auth.json (written by tron create-client-tokens --output auth.json)"
        )
    return load_auth(settings.hub.auth)


def _console() -> WorkerConsole:
    import logging
    import sys

    from tron_core.worker.console import LiveConsole, LogConsole

    if sys.stderr.isatty():
        return LiveConsole()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it names each file that is fetched, key and all
    return LogConsole()


async def _work(settings: WorkerSettings, auth: WorkerAuth, console: WorkerConsole, allow_plaintext: bool) -> int:
    """Run until drained; the first signal drains, the second cancels."""
    import asyncio
    import signal

    from tron_core.worker.runtime import run_worker
    from tron_core.worker.stopped import ExitCode

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    running = asyncio.create_task(
        run_worker(settings, auth, stop=stop, console=console, allow_plaintext=allow_plaintext)
    )

    def signalled(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(running.cancel if stop.is_set() else stop.set)

    # Not loop.add_signal_handler: Windows has none.
    previous = {number: signal.signal(number, signalled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        await running
    except asyncio.CancelledError:
        return ExitCode.ABORTED
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return ExitCode.DONE
