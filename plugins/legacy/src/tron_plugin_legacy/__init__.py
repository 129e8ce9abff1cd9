"""The legacy plugin of TRON: workers of discord-tron-master connect as they are, and its database is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tron_core as tron
from tron_plugin_legacy import hookspecs
from tron_plugin_legacy.config import LegacyConfig
from tron_plugin_legacy.kit import kit
from tron_plugin_legacy.plugin import Clients

if TYPE_CHECKING:
    import typer

    from tron_plugin_legacy.api import LegacyImport


_clients = Clients()
"""Those of this process's hub."""


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


@tron.hookimpl
def tron_register_kits() -> list[tron.Kit]:
    """Offer ``tron create-client-tokens --legacy DIR``."""
    return [kit()]


@tron.hookimpl
async def tron_startup(app: tron.App) -> None:
    """Ask the other plugins what their jobs are for old workers."""
    await _clients.start(app)


@tron.hookimpl
async def tron_shutdown(app: tron.App) -> None:
    """End what was begun."""
    await _clients.stop()


@tron.hookimpl
def tron_register_worker_protocols(app: tron.App) -> list[tron.WorkerProtocol]:
    """Serve workers that name no subprotocol."""
    return _clients.protocols()


@tron.hookimpl
def tron_register_routes(router: Any) -> Any:
    """Serve their tickets and uploads, at the root."""
    return _clients.routes()
