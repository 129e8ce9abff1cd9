"""Draws a conversation as SVG, as Discord would look."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LINE, MARGIN = 640, 20, 16
PICTURE = (200, 150)
BUTTON_HEIGHT = 28
FONT = "font-family='DejaVu Sans, Verdana, sans-serif' font-size='14'"


@dataclass(frozen=True)
class Said:
    """One message: ``states`` are what it said, one after the other."""

    author: str
    states: Sequence[str]
    buttons: Sequence[str] = ()
    answering: str = ""
    pictures: Sequence[bytes] = field(default=(), repr=False)


def as_text(conversation: Sequence[Said]) -> str:
    """The conversation in a terminal."""
    lines: list[str] = []
    for said in conversation:
        lines.append(f"{said.author}{f' (answering {said.answering})' if said.answering else ''}")
        for number, state in enumerate(said.states):
            mark = "  " if number == len(said.states) - 1 else "  … "
            lines += [f"{mark}{line}" for line in state.splitlines()]
        lines += ["  (a picture)"] * len(said.pictures)
        lines += [f"  {' '.join(f'[{label}]' for label in said.buttons)}"] if said.buttons else []
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_svg(conversation: Sequence[Said]) -> str:
    """The conversation as a picture; of a message that changed, each state faintly above the last."""
    parts: list[str] = []
    y = MARGIN
    for said in conversation:
        drawn, y = _message(said, y)
        parts += drawn
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{y + MARGIN}' {FONT}>\n"
        f"<rect width='100%' height='100%' fill='#313338'/>\n{body}\n</svg>\n"
    )


def _message(said: Said, y: int) -> tuple[list[str], int]:
    colour = "#7289da" if said.author == "TRON" else "#43b581"
    parts = [f"<circle cx='{MARGIN + 18}' cy='{y + 18}' r='18' fill='{colour}'/>"]
    left = MARGIN + 48
    name = escape(said.author) + (f" · answering {escape(said.answering)}" if said.answering else "")
    parts.append(f"<text x='{left}' y='{y + 12}' fill='{colour}' font-weight='bold'>{name}</text>")
    y += LINE + 12
    for number, state in enumerate(said.states):
        fill = "#dbdee1" if number == len(said.states) - 1 else "#80848e"
        for line in state.splitlines():
            parts.append(_line(line, left, y, fill))
            y += LINE
    for picture in said.pictures:
        data = base64.b64encode(picture).decode()
        place = f"x='{left}' y='{y - 10}' width='{PICTURE[0]}' height='{PICTURE[1]}'"
        parts.append(f"<image {place} href='data:image/png;base64,{data}'/>")
        y += PICTURE[1] + 8
    if said.buttons:
        parts += _buttons(said.buttons, left, y - 8)
        y += BUTTON_HEIGHT + 8
    return parts, y + 12


def _line(line: str, x: int, y: int, fill: str) -> str:
    """A line of text, small where Discord's Markdown says so."""
    small = " font-size='11'" if line.startswith("-# ") else ""
    words = escape(line.removeprefix("-# ").replace("`", ""))
    return f"<text x='{x}' y='{y}' fill='{fill}'{small} xml:space='preserve'>{words}</text>"


def _buttons(labels: Sequence[str], x: int, y: int) -> list[str]:
    parts = []
    for label in labels:
        width = 9 * len(label) + 24
        parts.append(f"<rect x='{x}' y='{y}' width='{width}' height='{BUTTON_HEIGHT}' rx='6' fill='#4e5058'/>")
        parts.append(f"<text x='{x + 12}' y='{y + 19}' fill='#ffffff'>{escape(label)}</text>")
        x += width + 8
    return parts
