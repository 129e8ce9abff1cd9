"""What a run says on its way to the connection process: progress thinned out, text gathered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tron_core.hub.protocol import MAX_TEXT, Message
from tron_core.worker.messages import Progressed, Said

PROGRESS_INTERVAL = 0.2
"""Seconds between two progress reports of one run; the last one always goes out."""
TEXT_INTERVAL = 0.05
"""Seconds between two pieces of text."""


class Outbox:
    """Sends at once what comes after a pause, and the rest from a thread of its own when its time has come.

    What waits is bounded: one progress report (the latest), and as much text as the hub keeps.
    """

    def __init__(self, send: Callable[[Message], None], *, now: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._now = now
        self._changed = threading.Condition()
        self._progress: Progressed | None = None
        self._text: list[str] = []
        self._progress_due = 0.0
        self._text_due = 0.0
        self._room = MAX_TEXT
        self._complete = False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Another run begins: its first words go out at once."""
        with self._changed:
            self._progress_due = self._text_due = 0.0
            self._room = MAX_TEXT
            self._complete = False

    def progress(self, report: Progressed) -> None:
        with self._changed:
            self._progress = report
            final = report.fraction >= 1.0 and not self._complete
            self._complete = report.fraction >= 1.0
            if final or self._now() >= self._progress_due:
                self._flush_progress()
            else:
                self._wake()

    def text(self, text: str) -> None:
        with self._changed:
            text = text[: self._room]
            if not text:
                return
            self._room -= len(text)
            self._text.append(text)
            if self._now() >= self._text_due:
                self._flush_text()
            else:
                self._wake()

    def send(self, message: Message) -> None:
        """Send ``message`` behind everything that was said before."""
        with self._changed:
            self._flush()
            self._send(message)

    def _flush(self) -> None:
        self._flush_text()
        self._flush_progress()

    def _flush_progress(self) -> None:
        if self._progress is not None:
            self._send(self._progress)
            self._progress = None
            self._progress_due = self._now() + PROGRESS_INTERVAL

    def _flush_text(self) -> None:
        if self._text:
            self._send(Said(text="".join(self._text)))
            self._text.clear()
            self._text_due = self._now() + TEXT_INTERVAL

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._flush_in_time, name="tron-outbox", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _flush_in_time(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._until_due())
                now = self._now()
                if now >= self._text_due:
                    self._flush_text()
                if now >= self._progress_due:
                    self._flush_progress()

    def _until_due(self) -> float | None:
        due = [self._text_due] if self._text else []
        if self._progress is not None:
            due.append(self._progress_due)
        return max(0.0, min(due) - self._now()) if due else None
