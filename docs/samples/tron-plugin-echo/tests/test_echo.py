from pathlib import Path

from tron_core.testing.executors import RecordingContext
from tron_plugin_echo import EchoParams
from tron_plugin_echo.executor import EchoExecutor


def test_it_says_it_twice(tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    assert EchoExecutor().run(EchoParams(text="hi", times=2), ctx) == {"text": "hi hi"}
    assert ctx.fractions == [0.5]
