"""A hub that does not run, opened by a command of a plugin's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tron_core.adoption import Adoption
from tron_core.auth.audit import Action, Audit
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import find_running
from tron_core.clock import SystemClock
from tron_core.errors import ConfigError
from tron_core.offline import bring_up_to_date, operator
from tron_core.plugins import Outcome, Plugins
from tron_core.storage.database import Database

if TYPE_CHECKING:
    import typer

T = TypeVar("T")


class OfflineHub:
    """Its plugins, and its database, which nobody else has meanwhile. ``folder`` is the configuration file's."""

    def __init__(self, folder: Path, plugins: Plugins, database: Database, runner: asyncio.Runner) -> None:
        self.folder = folder
        self._plugins = plugins
        self._database = database
        self._runner = runner
        self._clock = SystemClock()

    def call_each(self, hook: str, /, **arguments: Any) -> Sequence[Outcome]:
        """How the implementation of each plugin ended (``plugin``, ``value``, ``error``) of a hook that is not async;
        raises LookupError where no hook has that name."""
        return self._plugins.call_each_now(hook, **arguments)

    def write(self, fn: Callable[[Adoption], T]) -> T:
        """Run ``fn`` in a transaction, which is committed when this returns. ``fn`` may run again, so it has no other
        effect than on the tables. What it raises undoes all that it wrote, and is raised here."""
        now = self._clock.now()
        return self._runner.run(self._database.write(lambda connection: fn(Adoption(connection, self._plugins, now))))

    def record(self, what: str, **detail: Any) -> None:
        """Write into the audit log that data of ``what`` was imported."""
        audit = Audit(self._database, self._clock)
        self._runner.run(audit.record(f"console:{operator()}", Action.DATA_IMPORTED, what, **detail))


@contextmanager
def open_offline_hub(ctx: typer.Context, *, may_upgrade: bool = True) -> Iterator[OfflineHub]:
    """The hub of the configuration that the command was given. Its tables are brought up to date where they may be.

    Raises ConfigError while the hub runs, where the database cannot be used, and where its tables are out of date.
    """
    context = context_of(ctx)
    loaded = context.load()
    running = find_running(loaded)
    if running is not None:
        raise ConfigError(f"the hub runs ({running.http}, process {running.pid}): stop it first, then try again")
    plugins = context.load_plugins(loaded)
    bring_up_to_date(loaded, may_change=may_upgrade)
    database = Database(loaded.settings.database.url, folder=loaded.folder)
    with asyncio.Runner() as runner:
        runner.run(database.start())
        try:
            yield OfflineHub(loaded.folder, plugins, database, runner)
        finally:
            runner.run(database.stop())
