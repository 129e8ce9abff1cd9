"""The legacy plugin of TRON: workers of discord-tron-master connect as they are, and its database is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tron_core as tron
from tron_plugin_legacy import hookspecs
from tron_plugin_legacy.config import LegacyConfig

if TYPE_CHECKING:
    import typer

    from tron_plugin_legacy.api import LegacyImport


@tron.hookimpl
def tron_register_hookspecs() -> Any:
    """Declare the hooks that other plugins may implement."""
    return hookspecs


@tron.hookimpl
def tron_register_config() -> type[LegacyConfig]:
    """Declare ``[plugins.legacy]``."""
    return LegacyConfig


@tron.hookimpl
def tron_register_cli(cli: typer.Typer) -> None:
    """Add ``tron import-upstream``."""
    from tron_plugin_legacy.importing import command

    command.register(cli)


@tron.hookimpl
def tron_legacy_import() -> Sequence[LegacyImport]:
    """Take what becomes the core's."""
    from tron_plugin_legacy.importing.accounts import Accounts
    from tron_plugin_legacy.importing.guilds import GuildRules

    return [Accounts(), GuildRules()]
