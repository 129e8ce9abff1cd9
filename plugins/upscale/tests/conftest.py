"""A Discord, a hub with the plugin, and a worker that enlarges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

import tron_plugin_upscale
from tron_core.testing.discord.fixtures import *  # noqa: F403
from tron_core.worker import Executor
from tron_plugin_upscale.executor import UpscaleExecutor


@pytest.fixture
def tron_plugins() -> Mapping[str, object]:
    return {"upscale": tron_plugin_upscale}


@pytest.fixture
def tron_executors() -> Sequence[Executor]:
    return [UpscaleExecutor()]
