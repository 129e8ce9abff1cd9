"""What a plugin's author writes in the conftest.py of the plugin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tron_core.testing.discord.fixtures import *  # noqa: F403
from tron_core.worker import Executor

SOURCE = Path(__file__).parents[3] / "docs" / "samples" / "tron-plugin-echo" / "src"


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The plugin of the tutorial."""
    monkeypatch.syspath_prepend(SOURCE)
    yield __import__("tron_plugin_echo.executor")
    for name in [name for name in sys.modules if name.startswith("tron_plugin_echo")]:
        del sys.modules[name]


@pytest.fixture
def tron_plugins(echo: ModuleType) -> Mapping[str, object]:
    return {"echo": echo}


@pytest.fixture
def tron_executors(echo: ModuleType) -> Sequence[Executor]:
    return [echo.executor.EchoExecutor()]
