"""pytest fixtures for plugin authors. In the conftest.py beside the tests::

from tron_core.testing.discord.fixtures import *  # noqa: F403

@pytest.fixture
def tron_plugins():
    return {"echo": tron_plugin_echo}

@pytest.fixture
def tron_executors():
    return [EchoExecutor()]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from tron_core.plugins import Plugins
from tron_core.testing.discord.people import FakeDiscord, Member, Place
from tron_core.testing.discord.stage import staged
from tron_core.worker import Executor

__all__ = ["channel", "discord", "tron_executors", "tron_plugins", "user"]


@pytest.fixture
def tron_plugins() -> Mapping[str, object]:
    """The plugins of the hub by name: modules or objects with hook implementations. To be overridden."""
    return {}


@pytest.fixture
def tron_executors() -> Sequence[Executor]:
    """What the worker beside the hub can do. To be overridden."""
    return ()


@pytest.fixture
async def discord(
    tmp_path: Path, tron_plugins: Mapping[str, object], tron_executors: Sequence[Executor]
) -> AsyncIterator[FakeDiscord]:
    """A Discord to which a hub with ``tron_plugins`` is connected."""
    plugins = Plugins(strict=True)
    for name, plugin in tron_plugins.items():
        plugins.register(name, plugin)
    async with staged(tmp_path, plugins, tron_executors) as fake:
        yield fake


@pytest.fixture
def user(discord: FakeDiscord) -> Member:
    """A member who writes in ``channel``."""
    return discord.member("user")


@pytest.fixture
def channel(discord: FakeDiscord) -> Place:
    """The channel of the server."""
    return discord.general
