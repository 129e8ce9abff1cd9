"""A hub that does not run, opened by a command of a plugin's."""

from __future__ import annotations

import asyncio
import tempfile
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
from tron_core.storage import migrations
from tron_core.storage.database import Database
from tron_core.storage.engine import resolve_url, sqlite_file

if TYPE_CHECKING:
    import typer
    from sqlalchemy import Connection

    from tron_core.config import Loaded

T = TypeVar("T")

STAND_IN = "sqlite:///tron.db"


class _Undone(Exception):
    """Takes what a function returned out of a transaction that is not to be committed."""

    def __init__(self, value: Any) -> None:
        super().__init__("a dry run")
        self.value = value


class OfflineHub:
    """Its plugins, and its database, which nobody else has meanwhile. ``folder`` is the configuration file's; with
    ``dry_run`` nothing that is written stays."""

    def __init__(
        self, folder: Path, plugins: Plugins, database: Database, runner: asyncio.Runner, *, dry_run: bool
    ) -> None:
        self.folder = folder
        self.dry_run = dry_run
        self._plugins = plugins
        self._database = database
        self._runner = runner
        self._clock = SystemClock()

    def call_each(self, hook: str, /, **arguments: Any) -> Sequence[Outcome]:
        """How the implementation of each plugin ended (``plugin``, ``value``, ``error``) of a hook that is not async;
        raises LookupError where no hook has that name."""
        return self._plugins.call_each_now(hook, **arguments)

    def write(self, fn: Callable[[Adoption], T]) -> T:
        """Run ``fn`` in a transaction, which is committed when this returns, or in a dry run undone. ``fn`` may run
        again, so it has no other effect than on the tables. What it raises undoes all that it wrote, and is raised
        here."""
        now = self._clock.now()

        def work(connection: Connection) -> T:
            value = fn(Adoption(connection, self._plugins, now))
            if self.dry_run:
                raise _Undone(value)
            return value

        try:
            return self._runner.run(self._database.write(work))
        except _Undone as undone:
            value: T = undone.value
            return value

    def record(self, what: str, **detail: Any) -> None:
        """Write into the audit log that data of ``what`` was imported."""
        if not self.dry_run:
            audit = Audit(self._database, self._clock)
            self._runner.run(audit.record(f"console:{operator()}", Action.DATA_IMPORTED, what, **detail))


@contextmanager
def open_offline_hub(ctx: typer.Context, *, dry_run: bool = False) -> Iterator[OfflineHub]:
    """The hub of the configuration that the command was given. Its tables are brought up to date where they may be.

    A dry run changes nothing: an empty database stands in for one on SQLite that is still to be made. Raises
    ConfigError while the hub runs, where the database cannot be used, and where its tables are out of date.
    """
    context = context_of(ctx)
    loaded = context.load()
    running = find_running(loaded)
    if running is not None:
        raise ConfigError(f"the hub runs ({running.http}, process {running.pid}): stop it first, then try again")
    plugins = context.load_plugins(loaded)
    with _database(loaded, dry_run) as database, asyncio.Runner() as runner:
        runner.run(database.start())
        try:
            yield OfflineHub(loaded.folder, plugins, database, runner, dry_run=dry_run)
        finally:
            runner.run(database.stop())


@contextmanager
def _database(loaded: Loaded, dry_run: bool) -> Iterator[Database]:
    url = loaded.settings.database.url
    file = sqlite_file(resolve_url(url, loaded.folder))
    if dry_run and file is not None and not file.exists():
        with tempfile.TemporaryDirectory(prefix="tron-dry-run-") as folder:
            migrations.upgrade(STAND_IN, Path(folder))
            yield Database(STAND_IN, folder=Path(folder))
        return
    bring_up_to_date(loaded, may_change=not dry_run)
    yield Database(url, folder=loaded.folder)
