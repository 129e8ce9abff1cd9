"""What a person sees of a worker: a live table on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

logger = logging.getLogger("tron.worker")

Level = Literal["debug", "info", "warning", "error"]

LONG_JOB = 1.0
"""Seconds from which a finished job is worth a log line; thousands of short ones would be the log's end."""


@dataclass(slots=True)
class SlotView:
    """What one slot does now; ``since`` is on the monotonic clock."""

    state: str = "starting"
    job: str = ""
    capability: str = ""
    since: float = 0.0
    fraction: float = 0.0
    message: str = ""


@dataclass(slots=True)
class WorkerView:
    """Everything that is shown of a worker."""

    name: str
    hub: str
    slots: list[SlotView]
    connection: str = "starting"
    capabilities: tuple[str, ...] = ()
    idle: str = ""
    last_error: str = ""
    done: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def rate(self, now: float) -> float:
        """Jobs an hour since the start."""
        return (self.done + self.failed) * 3600 / max(now - self.started, 1.0)


class WorkerConsole(Protocol):
    """Where a worker shows itself. ``tell`` is for events, ``begin`` is given the view that stays up to date."""

    def begin(self, view: WorkerView) -> None: ...

    def tell(self, level: Level, text: str) -> None: ...

    def end(self) -> None: ...


LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogConsole:
    """One log record an event (logger ``tron.worker``)."""

    def begin(self, view: WorkerView) -> None:
        pass

    def tell(self, level: Level, text: str) -> None:
        logger.log(LEVELS[level], text)

    def end(self) -> None:
        pass


STYLES: dict[Level, str] = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}


class LiveConsole:
    """A table that is redrawn four times a second, events scrolling above it."""

    def __init__(self, terminal: Terminal | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal or Terminal(stderr=True)
        self._monotonic = monotonic
        self._live: Live | None = None

    def begin(self, view: WorkerView) -> None:
        self._live = Live(
            console=self._terminal,
            get_renderable=lambda: render(view, self._monotonic()),
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def tell(self, level: Level, text: str) -> None:
        if level != "debug":
            self._terminal.print(
                f"[dim]{time.strftime('%H:%M:%S')}[/] {escape(text)}", style=STYLES[level], highlight=False
            )

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()


def render(view: WorkerView, now: float) -> RenderableType:
    """The table at the monotonic time ``now``."""
    table = Table(title=f"{view.name} → {view.hub}", title_justify="left", expand=True, title_style="bold")
    for column, ratio in (("slot", 1), ("job", 4), ("time", 1), ("progress", 3), ("", 4)):
        table.add_column(column, ratio=ratio, no_wrap=True)
    for number, slot in enumerate(view.slots, start=1):
        busy = bool(slot.job)
        table.add_row(
            str(number),
            escape(f"{slot.capability} {slot.job}") if busy else f"[dim]{escape(slot.state)}[/]",
            f"{now - slot.since:.0f} s" if busy else "",
            ProgressBar(total=1.0, completed=slot.fraction) if busy else "",
            escape(slot.message),
        )
    summary = f"{view.connection} · {view.done} done, {view.failed} failed, {view.rate(now):.0f} jobs/h"
    lines: list[RenderableType] = [table, Text(summary)]
    if view.idle:
        lines.append(Text(f"not given to this worker: {view.idle}", style="dim"))
    if view.last_error:
        lines.append(Text(f"last error: {view.last_error}", style="red"))
    return Group(*lines)
