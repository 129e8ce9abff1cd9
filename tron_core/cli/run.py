"""``tron run``: the hub."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from tron_core.cli.context import context_of

if TYPE_CHECKING:
    from tron_core.app import Hub
    from tron_core.cli.local_worker import LocalWorker
    from tron_core.config import Loaded
    from tron_core.plugins import Plugins
    from tron_core.run_file import Running
    from tron_core.services import Services


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("run")(run)


def run(
    ctx: typer.Context,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Keep a worker on this machine too, with what is installed here.")
    ] = False,
    discord_playground: Annotated[
        bool,
        typer.Option("--discord-playground", help="Talk to the bot in this terminal, in a Discord that is not real."),
    ] = False,
) -> None:
    """Run the hub: Discord, the WebSocket side for workers, REST and the web page, in one process.

    Ctrl-C or SIGTERM drains: nothing more is taken, running jobs get hub.drain_seconds. A second one ends that wait.

    Example: tron --config hub/tron.toml run
    """
    import asyncio

    from tron_core.app import Hub
    from tron_core.cli.logs import configure

    context = context_of(ctx)
    loaded = context.load()
    configure(loaded.settings.logging)
    plugins = context.load_plugins(loaded)
    if discord_playground:
        asyncio.run(_play(plugins, loaded, with_worker))
    else:
        asyncio.run(_serve(Hub(loaded, plugins=plugins), loaded, with_worker))


async def _play(plugins: Plugins, loaded: Loaded, with_worker: bool) -> None:
    """The hub with a Discord of its own, in this terminal."""
    from tron_core.app import Hub
    from tron_core.testing.discord.playground import Playground

    playground = Playground(typer.echo)
    loaded = await playground.start(loaded)
    try:
        await _serve(Hub(loaded, plugins=plugins), loaded, with_worker, then=playground.listen)
    finally:
        await playground.stop()


async def _serve(hub: Hub, loaded: Loaded, with_worker: bool, then: Callable[[], None] = lambda: None) -> None:
    import asyncio

    from tron_core import app

    companion = Companion(loaded) if with_worker else None

    def started(services: Services) -> None:
        running = _running(loaded)
        _announce(running, loaded)
        then()
        if companion is not None:
            companion.start(running)

    try:
        await app.run(hub, started=started)
    finally:
        if companion is not None:
            await asyncio.shield(companion.stop())


def _running(loaded: Loaded) -> Running:
    from tron_core.run_file import RunFile

    running = RunFile(loaded.folder).read()
    if running is None:
        raise RuntimeError("a hub that has started wrote run.json")
    return running


def _announce(running: Running, loaded: Loaded) -> None:
    from tron_core.cli.hub_client import dialled
    from tron_core.config import is_loopback

    typer.echo(f"workers connect to {running.hub}")
    typer.echo(f"REST and web page  {running.http}")
    if is_loopback(loaded.settings.hub.host) and is_loopback(loaded.settings.http.host):
        typer.echo("Only this machine reaches them; hub.host and http.host say where else to listen.")
    option = f" --config {shlex.quote(str(loaded.path))}" if loaded.path else ""
    typer.echo(f"To ask for something, open {dialled(running.http)}/ or type: tron{option} submit --help")
    typer.echo("Ctrl-C stops.")
    sys.stdout.flush()


class Companion:
    """The worker of ``--with-worker``. The hub goes on when it ends, and ends when it cannot be started."""

    def __init__(self, loaded: Loaded) -> None:
        import asyncio

        self._loaded = loaded
        self._worker: LocalWorker | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, running: Running) -> None:
        """Begin to start it; the hub that runs is asked for its credential, so this must not wait."""
        import asyncio

        self._starting = asyncio.create_task(self._start(running), name="start the local worker")

    async def stop(self) -> None:
        """End it; raises TronError where it could not be started."""
        import asyncio

        if self._starting is not None:
            await asyncio.wait({self._starting})
        self._stopping = True
        if self._worker is not None:
            await asyncio.to_thread(self._worker.stop)
        if self._starting is not None:
            self._starting.result()

    async def _start(self, running: Running) -> None:
        import asyncio
        import signal
        import threading

        from tron_core.cli.local_worker import LocalWorker
        from tron_core.errors import TronError

        self._worker = LocalWorker(self._loaded, running)
        try:
            process = await asyncio.to_thread(self._worker.start)
        except TronError:
            signal.raise_signal(signal.SIGTERM)
            raise
        typer.echo(f"A worker on this machine is process {process.pid}; its log is {process.log}")
        threading.Thread(target=self._watch, daemon=True, name="watch the local worker").start()

    def _watch(self) -> None:
        """Say it when the worker ends by itself."""
        import logging

        process = self._worker.process if self._worker else None
        if process is None:
            return
        status = process.wait()
        if not self._stopping:
            logging.getLogger(__name__).error("the local worker ended with status %d; see %s", status, process.log)
