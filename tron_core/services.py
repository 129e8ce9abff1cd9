"""The hub's services in one place, as ``app.py`` builds them and the built-in frontends use them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tron_core.auth.service import Auth
    from tron_core.auth.tickets import Tickets
    from tron_core.auth.tls import HubTls
    from tron_core.clock import Clock
    from tron_core.config import Settings
    from tron_core.hub.server import WorkerServer
    from tron_core.plugins import Plugins
    from tron_core.scheduling.bus import Bus
    from tron_core.scheduling.scheduler import Scheduler
    from tron_core.storage.artifacts import Artifacts
    from tron_core.storage.database import Database
    from tron_core.storage.guild_rules import GuildRules
    from tron_core.storage.saved_settings import SavedSettings


PostMessage = Callable[[str, str, Sequence[str]], Awaitable[Mapping[str, Any]]]
"""Posts to a Discord channel: (channel, content, ids of artifacts); returns ``channel_id`` and ``message_id``."""


@dataclass(slots=True)
class Services:
    """``folder`` is the configuration file's: relative paths are relative to it; ``config_file`` is that file, which
    need not be there. ``tls`` is None without a certificate. ``hub_url`` and ``http_url`` are the addresses of the two
    ports as they are bound, without a trailing slash, known once they listen."""

    settings: Settings
    folder: Path
    config_file: Path
    clock: Clock
    plugins: Plugins
    database: Database
    artifacts: Artifacts
    saved_settings: SavedSettings
    guild_rules: GuildRules
    auth: Auth
    tickets: Tickets
    bus: Bus
    scheduler: Scheduler
    workers: WorkerServer
    tls: HubTls | None = None
    hub_url: str = ""
    http_url: str = ""
    ready: Callable[[], bool] = lambda: False
    post_message: PostMessage | None = None
