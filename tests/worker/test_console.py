import io

import pytest
from rich.console import Console

from tron_core.worker.console import LiveConsole, LogConsole, SlotView, WorkerView, render


def view() -> WorkerView:
    return WorkerView("w1", "wss://hub:6789", [SlotView(state="idle"), SlotView()], connection="connected", started=0.0)


def shown(view: WorkerView, now: float) -> str:
    terminal = Console(file=io.StringIO(), width=120)
    terminal.print(render(view, now))
    return terminal.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_shows_every_slot_and_the_rate() -> None:
    worker = view()
    worker.slots[1] = SlotView("running", "job-7", "txt2img", since=90.0, fraction=0.5, message="step [3]")
    worker.done, worker.last_error, worker.idle = 2, "upscale j1: too large", "1 × model missing: x"
    text = shown(worker, 100.0)
    for part in ("w1 → wss://hub:6789", "idle", "txt2img job-7", "10 s", "step [3]", "72 jobs/h", "model missing"):
        assert part in text
    assert "last error: upscale j1: too large" in text


def test_a_terminal_gets_events_above_the_table() -> None:
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    console = LiveConsole(terminal, monotonic=lambda: 1.0)
    console.begin(view())
    console.tell("warning", "something [red]happened[/]")
    console.tell("debug", "what an executor printed")
    console.end()
    text = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "something [red]happened[/]" in text
    assert "what an executor printed" not in text


def test_elsewhere_events_are_log_records(caplog: pytest.LogCaptureFixture) -> None:
    console = LogConsole()
    console.begin(view())
    console.tell("warning", "100 % done")
    console.end()
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [("tron.worker", "WARNING", "100 % done")]
