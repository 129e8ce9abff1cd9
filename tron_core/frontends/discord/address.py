"""Points discord.py at the API of the configuration: it has no setting for that, but three class attributes."""

from __future__ import annotations

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route


def use_api(url: str) -> None:
    """Send REST calls to ``url`` (``https://discord.com/api/v10``)."""
    Route.BASE = url.rstrip("/")


async def use_its_gateway(http: HTTPClient) -> None:
    """Connect, and after a lost session identify again, where the API says that its gateway is."""
    _, url, _ = await http.get_bot_gateway()
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
