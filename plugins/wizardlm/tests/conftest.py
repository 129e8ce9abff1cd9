"""Fixtures of the wizardlm tests."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tron_core.testing.executors import RecordingContext


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., RecordingContext]:
    """Makes a context that keeps what an executor says."""
    return partial(RecordingContext, tmp_path)
