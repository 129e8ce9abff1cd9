"""What a person at a console sees of a job: a bar or plain lines while it runs, its text as it comes, its files."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tron_core.errors import TronError
from tron_core.frontends.server_sent import ServerSent

Json = Mapping[str, Any]


class View(Protocol):
    """Where the way of one job is shown."""

    def status(self, text: str) -> None:
        """What the job does or waits for now."""

    def progress(self, fraction: float, text: str) -> None:
        """How far it is, from 0 to 1."""

    def end(self) -> None:
        """Show nothing more; may be called again."""


class BarView:
    """A bar on a terminal, gone when it has ended unless ``keep``."""

    def __init__(self, title: str, console: Console, *, keep: bool = False) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[title]}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", style="dim", markup=False),
            console=console,
            transient=not keep,
        )
        self._task = self._bar.add_task("", total=1.0, title=title)
        self._bar.start()

    def status(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def progress(self, fraction: float, text: str) -> None:
        self._bar.update(self._task, completed=fraction, description=text)

    def end(self) -> None:
        self._bar.stop()


class LineView:
    """Lines, for a log or a pipe: what changes, and each quarter of the way."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title = title
        self._stream = stream
        self._last = ""
        self._quarter = 0

    def status(self, text: str) -> None:
        if text and text != self._last:
            self._last = text
            print(f"{self._title}: {text}", file=self._stream, flush=True)

    def progress(self, fraction: float, text: str) -> None:
        quarter = int(fraction * 4)
        if quarter > self._quarter:
            self._quarter = quarter
            self.status(f"{quarter * 25} %" + (f", {text}" if text else ""))

    def end(self) -> None:
        pass


def open_view(title: str, *, keep: bool = False) -> View:
    """A bar where standard error is a terminal, lines elsewhere."""
    console = Console(stderr=True)
    return BarView(title, console, keep=keep) if console.is_terminal else LineView(title, sys.stderr)


class TextStream:
    """Text as it comes, onto a stream; then the reply's text without what was shown already."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""

    def add(self, seq: int, text: str) -> None:
        """More text; ``seq`` 0 begins anew, as another attempt does."""
        if seq == 0 and self._shown:
            if text.startswith(self._shown):  # the same text again, after a reconnect
                text = text[len(self._shown) :]
            else:
                self._write("\n")
                self._shown = ""
        self._write(text)
        self._shown += text

    def finish(self, reply: str) -> None:
        """The whole text of the reply, as far as it was not shown, and a line end."""
        shown = self._shown.strip()
        if shown and reply.startswith(shown):
            rest = reply[len(shown) :]
            gap = len(self._shown) - len(self._shown.rstrip())  # shown after the text's last letter
            rest = rest[min(gap, len(rest) - len(rest.lstrip())) :]
        else:
            rest = f"\n{reply}" if shown and reply else reply
        self._write(rest)
        whole = self._shown + rest
        if whole and not whole.endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def follow(events: Iterable[ServerSent], view: View, text: TextStream | None = None) -> dict[str, Any] | None:
    """Show a job's events until its result, the job as JSON; None where they end before. The bar ends where text
    begins."""
    for event in events:
        if event.name == "result":
            view.end()
            return event.data
        if event.name == "state":
            view.status(describe(event.data))
        elif event.name == "progress":
            view.progress(event.data.get("fraction") or 0.0, event.data.get("message") or "")
        elif event.name == "partial" and text is not None:
            view.end()
            text.add(event.data["seq"], event.data["text"])
    return None


def describe(state: Json) -> str:
    """A state as a person reads it: ``queued, position 3, about 40 s; no worker for this now``."""
    parts = [str(state["state"])]
    if state.get("worker"):
        parts[0] += f" on {state['worker']}"
    if state.get("position"):
        parts.append(f"position {state['position']}")
    if (state.get("attempt") or 0) > 1:
        parts.append(f"attempt {state['attempt']}")
    if (state.get("eta_seconds") or 0) >= 1:
        parts.append(f"about {_duration(state['eta_seconds'])}")
    sentence = ", ".join(parts)
    return f"{sentence}; {state['message']}" if state.get("message") else sentence


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def results(job: Json) -> list[dict[str, Any]]:
    """The artifacts that are the job's result, in order."""
    return [artifact for artifact in job["artifacts"] if artifact["role"] == "result"]


def extension(artifact: Json) -> str:
    """The artifact's extension with its dot, from the name under which the hub stores it."""
    return Path(_safe(unquote(urlsplit(artifact["url"]).path).rpartition("/")[2])).suffix or ".bin"


def file_name(job: Json, artifact: Json) -> str:
    """The name under which a result is saved: ``echo-b1c0df42-picture.png``."""
    stem = Path(_safe(artifact["name"]))
    suffix = extension(artifact)
    name = stem.name if stem.suffix == suffix else f"{stem.name}{suffix}"
    return f"{_safe(job['capability'])}-{job['id'][-8:].lower()}-{name}"


def _safe(name: str) -> str:
    """``name`` without what could lead out of a folder or upset a file system: it comes from elsewhere."""
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "file"


def save(artifact: Json, file: Path, download: Callable[[str], Iterator[bytes]]) -> Path:
    """Download an artifact to ``file``, whole or not at all; raises TronError where other bytes came than the hub
    announced."""
    digest, part = hashlib.sha256(), file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            for chunk in download(artifact["url"]):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != artifact["sha256"]:
            raise TronError(f"{artifact['url']}: other bytes came than were stored", code="download_corrupt")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file
