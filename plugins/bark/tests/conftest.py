"""What the tests of the voice share: one process that speaks, since starting it takes a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tron_plugin_bark.engines.piper_process import PiperProcess
from tron_plugin_bark.engines.piper_voices import find_voices, packaged_folder
from tron_plugin_bark.executor import SpeechExecutor


@pytest.fixture(scope="session")
def voice() -> Path:
    folder = packaged_folder()
    assert folder is not None
    return next(iter(find_voices(folder).values()))


@pytest.fixture
def piper() -> Iterator[PiperProcess]:
    process = PiperProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def executor() -> Iterator[SpeechExecutor]:
    executor = SpeechExecutor()
    assert executor.unavailable() is None
    yield executor
    executor.close()
