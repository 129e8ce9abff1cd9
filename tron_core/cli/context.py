"""The global options, and what commands make of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tron_core.config import Loaded
    from tron_core.plugins import Plugins


@dataclass(frozen=True, slots=True)
class Context:
    """What stands before the command."""

    config: Path | None = None
    strict: bool = False
    no_plugins: bool = False

    def load(self) -> Loaded:
        """The settings; raises ConfigError."""
        from tron_core.config import load

        return load(self.config)

    def load_plugins(self, loaded: Loaded) -> Plugins:
        """The plugins that ``loaded`` and the options let in; raises PluginFailed with ``--strict``."""
        from tron_core.plugins import Plugins

        return Plugins.load(
            loaded.settings.plugins,
            source=loaded.source_of,
            folder=loaded.folder,
            strict=self.strict,
            no_plugins=self.no_plugins,
        )


def context_of(ctx: typer.Context) -> Context:
    """The global options of the running command."""
    params = ctx.find_root().params
    config = params.get("config")
    return Context(
        config=config if isinstance(config, Path) else None,
        strict=bool(params.get("strict")),
        no_plugins=bool(params.get("no_plugins")),
    )
