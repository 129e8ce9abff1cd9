"""Where the revisions of the core and of each plugin lie, and how Alembic is told to run them.

Plugins are found by their distributions' metadata alone (entry-point group ``tron.migrations``, value
``package:folder``): a plugin that cannot be imported still has its tables kept right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import tron_core
from alembic import command

GROUP = "tron.migrations"
CORE = "core"
CORE_VERSION_TABLE = "tron_version"
_PLUGIN_VERSION_TABLE = re.compile(r"tron_(.+)_version")


@dataclass(frozen=True, slots=True)
class Owner:
    """The core or a plugin, as far as its tables go. ``folder`` holds its revision files; where it cannot be found,
    ``problem`` says why."""

    name: str
    folder: Path | None
    problem: str | None = None

    @property
    def version_table(self) -> str:
        """The table that says which of the owner's revisions the database is at."""
        return CORE_VERSION_TABLE if self.name == CORE else f"tron_{in_tables(self.name)}_version"

    @property
    def prefix(self) -> str:
        """How the names of a plugin's tables begin."""
        return in_tables(self.name) + "_"

    def head(self) -> str | None:
        """The newest revision, None where there is none; raises what its files raise when they are read."""
        return ScriptDirectory.from_config(self._config()).get_current_head()

    def revision(self, connection: Connection) -> str | None:
        """The revision that the database is at, None where none of the owner's has run."""
        options = {"version_table": self.version_table}
        return MigrationContext.configure(connection, opts=options).get_current_revision()

    def upgrade(self, connection: Connection) -> list[str]:
        """Run the revisions that the database lacks, each in a transaction, and say which those were."""
        applied: list[str] = []

        def note(*, step: Any, **_: Any) -> None:
            applied.append(str(step.up_revision_id))

        connection.rollback()  # a transaction that is open already Alembic would leave for us to commit
        command.upgrade(self._config(connection=connection, on_version_apply=note), "head")
        return applied

    def _config(self, **attributes: Any) -> Config:
        config = Config(attributes={"version_table": self.version_table, **attributes})
        config.set_main_option("script_location", _literal(core_folder()))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", _literal(self.folder or Path()))
        return config


def in_tables(name: str) -> str:
    """A plugin's name as it stands in names of tables."""
    return name.replace("-", "_")


def core_folder() -> Path:
    """The core's ``env.py`` and ``versions``: in the package where it is installed, at the root of a checkout."""
    package = Path(tron_core.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def owners() -> list[Owner]:
    """The core, then every installed plugin that brings revisions, by name."""
    core = Owner(CORE, core_folder() / "versions")
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return [core, *(_plugin(found[name]) for name in sorted(found))]


def left_behind(tables: Iterable[str], known: Iterable[Owner]) -> list[Owner]:
    """The owners of version tables that no installed plugin claims."""
    claimed = {owner.version_table for owner in known}
    names = (_PLUGIN_VERSION_TABLE.fullmatch(table) for table in sorted(tables) if table not in claimed)
    return [Owner(match[1], None, "not installed; its tables are left as they are") for match in names if match]


def _plugin(entry: EntryPoint) -> Owner:
    package, *parts = re.split(r"[:./]", entry.value)
    for place in _places(package) if parts else ():
        folder = place.joinpath(*parts)
        if folder.is_dir():
            versions = folder / "versions"
            return Owner(entry.name, versions if versions.is_dir() else folder)
    return Owner(entry.name, None, f"its entry point names {entry.value}, and there is no such folder")


def _places(package: str) -> list[Path]:
    """Where a top-level package lies; finding its spec does not run it, and knows editable installs."""
    try:
        spec: ModuleSpec | None = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def _literal(path: Path) -> str:
    return str(path).replace("%", "%%")
