"""What a member reads while a job waits and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tron_core.frontends.discord.splitting import LIMIT

CELLS = 12
"""Cells of a progress bar."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a job that is not over: ``phase`` is ``queued`` or ``running``; times in seconds."""

    phase: str = "queued"
    position: int | None = None
    eta_seconds: float | None = None
    worker: str | None = None
    fraction: float | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None
    text: str = ""


def sentence(shown: Shown) -> str:
    """The message of a job that waits or runs."""
    line = _queued(shown) if shown.phase == "queued" else _running(shown)
    if not shown.text:
        return line
    room = LIMIT - len(line) - 4
    text = shown.text if len(shown.text) <= room else "…" + shown.text[-(room - 1) :]
    return f"{_closed(text)}\n\n{line}"


def _queued(shown: Shown) -> str:
    words = ["Queued"]
    if shown.position is not None:
        words.append(f"position {shown.position}")
    if shown.eta_seconds is not None:
        words.append(about(shown.eta_seconds))
    line = ", ".join(words)
    return f"⏳ {line}" if not shown.message else f"⏳ {line}\n-# {one_line(shown.message)}"


def _running(shown: Shown) -> str:
    parts = [bar(shown.fraction or 0.0)]
    if shown.step is not None:
        parts.append(f"step {shown.step}" + (f" of {shown.steps}" if shown.steps else ""))
    if shown.worker:
        parts.append(shown.worker)
    if shown.eta_seconds is not None and shown.fraction:
        parts.append(about(shown.eta_seconds))
    line = " · ".join(parts)
    return line if not shown.message else f"{line}\n-# {one_line(shown.message)}"


def bar(fraction: float) -> str:
    """A bar and the percentage."""
    fraction = min(1.0, max(0.0, fraction))
    full = round(fraction * CELLS)
    return f"`{'█' * full}{'░' * (CELLS - full)}` {fraction:.0%}"


def about(seconds: float) -> str:
    """A duration, no more exact than an estimate is."""
    if seconds < 100:
        rounded = round(seconds) if seconds < 10 else round(seconds / 5) * 5
        return f"about {max(1, rounded)} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"


def one_line(text: str, limit: int = 200) -> str:
    """``text`` in one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plain(value: Any) -> str:
    """A setting or rule as a person types it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def changed(shown: Shown, kind: str, data: Mapping[str, Any]) -> Shown:
    """``shown`` after an event of the job."""
    if kind == "state":
        return _new_state(shown, data)
    if kind == "progress":
        kept = {name: data[name] for name in ("fraction", "step", "steps", "message") if data.get(name) is not None}
        return replace(shown, phase="running", **kept)
    if kind == "partial":
        text = data["text"] if data.get("seq") == 0 else shown.text + data["text"]
        return replace(shown, phase="running", text=text)
    return shown


def _new_state(shown: Shown, data: Mapping[str, Any]) -> Shown:
    if data["state"] == "running":
        return Shown("running", worker=data.get("worker"), eta_seconds=data.get("eta_seconds"))
    if data["state"] == "queued":
        return Shown("queued", data.get("position"), data.get("eta_seconds"), message=data.get("message"))
    return shown


def _closed(text: str) -> str:
    """``text`` with a code block that is still open closed, as a half-written one would swallow what follows."""
    fences = sum(line.strip().startswith("```") for line in text.split("\n"))
    return f"{text}\n```" if fences % 2 else text
