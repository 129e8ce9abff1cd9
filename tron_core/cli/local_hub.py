"""A throw-away hub in a folder: its configuration, its process, the worker beside it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from tron_core.cli.hub_client import HubClient, client_of
from tron_core.cli.local_worker import LocalWorker, wait_until_idle
from tron_core.cli.processes import TronProcess, wait_for
from tron_core.errors import ConfigError

if TYPE_CHECKING:
    from tron_core.config import Loaded
    from tron_core.run_file import Running

READY_SECONDS = 120.0
"""What a hub gets to start, tables and plugins included."""
FREE_PORTS = {"TRON_HUB__PORT": "0", "TRON_HTTP__PORT": "0"}
"""Not in tron.toml: who goes on with it wants the usual ports."""

MARK = "# Written by `tron demo`."
TRON_TOML = f"""\
{MARK} The database, the artifacts and the logs lie beside this file; all of it may be deleted.
# `tron --config tron.toml run --with-worker` in this folder keeps the hub up.

[logging]
level = "info"
"""
WORKER_TOML = f"""\
{MARK} Each executor's own settings stand in a table [executors.PLUGIN].

[worker]
slots = 1
"""


class LocalHub:
    """``prepare`` writes the configuration; ``start`` and ``start_worker`` are waited for. ``options`` stand before
    the command."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self.folder = folder.absolute()
        self._options = options
        self._hub: TronProcess | None = None
        self._worker: TronProcess | None = None

    @property
    def processes(self) -> list[TronProcess]:
        """Those that were started."""
        return [process for process in (self._worker, self._hub) if process is not None]

    def prepare(self) -> Loaded:
        """Write what is missing of the configuration, and read it.

        Raises ConfigError where the folder holds somebody's own configuration, or a hub runs in it.
        """
        from tron_core.cli.hub_client import find_running
        from tron_core.config import FILE, load

        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((FILE, TRON_TOML), ("worker.toml", WORKER_TOML)):
            _write_once(self.folder / name, content)
        loaded = load(self.folder / FILE)
        running = find_running(loaded)
        if running is not None:
            raise ConfigError(
                f"{self.folder}: a hub runs here already ({running.http}, process {running.pid}): stop it first, "
                "or name another folder with --dir"
            )
        return loaded

    def configure(self, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the sections ``[plugins.NAME]`` that are not in tron.toml yet; what stands there stays."""
        from tron_core.config import FILE

        file = self.folder / FILE
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        plugins = document.setdefault("plugins", tomlkit.table(is_super_table=True))
        for name, section in sections.items():
            if name not in plugins:
                plugins[name] = dict(section)
        if plugins:
            file.write_text(tomlkit.dumps(document), encoding="utf-8")

    def start(self, loaded: Loaded) -> Running:
        """Start the hub and wait until it takes requests; raises TronError."""
        from tron_core.run_file import RunFile

        arguments = ["--config", str(loaded.path), *self._options, "run"]
        hub = self._hub = TronProcess("the hub", arguments, log=self.folder / "hub.log", environment=FREE_PORTS)
        found: list[Running] = []

        def ready() -> bool:
            running = RunFile(self.folder).read()
            if running is None or running.pid != hub.pid:
                return False  # a hub that was killed left its file
            found[:] = [running]
            with client_of(running, loaded) as client:
                return client.is_ready()

        wait_for("the hub", ready, READY_SECONDS, [hub])
        return found[0]

    def start_worker(self, loaded: Loaded, running: Running, client: HubClient, name: str) -> None:
        """Start a worker and wait until the hub has work for it; raises TronError."""
        self._worker = LocalWorker(loaded, running, name=name, renew=True).start()
        wait_until_idle(client, name, self._worker, self.processes)

    def not_offered(self, plugin: str) -> str | None:
        """Why the worker does not offer what a plugin executes, in the words of its log."""
        if self._worker is None:
            return None
        log = self._worker.log.read_text(encoding="utf-8", errors="replace")
        told = re.search(rf"not offered: {re.escape(plugin)}: (.*)", log)
        return None if told is None else told[1]

    def stop(self) -> None:
        """End the worker, then the hub."""
        for process in self.processes:
            process.stop()


def _write_once(file: Path, content: str) -> None:
    if not file.exists() or not file.read_text(encoding="utf-8").strip():
        file.write_text(content, encoding="utf-8")
    elif not file.read_text(encoding="utf-8").startswith(MARK):
        raise ConfigError(f"{file}: is not from `tron demo`, and it would be used; name another folder with --dir")


@contextlib.contextmanager
def without_settings() -> Iterator[None]:
    """Hide the TRON_ variables that configure another hub, from us and from what is started meanwhile."""
    kept: Mapping[str, str] = dict(os.environ)
    for name in kept:
        if name == "TRON_CONFIG" or (name.startswith("TRON_") and "__" in name):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)
