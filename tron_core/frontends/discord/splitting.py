"""Cuts a long text into messages, at paragraphs, lines or words, with its code blocks kept. Pure."""

from __future__ import annotations

LIMIT = 2000
"""Characters of one Discord message."""
FILE_OVER = 6000
"""Characters beyond which a text is sent as a file."""

_FENCE = "```"
_LONGEST_INFO = 40
"""Characters of a fence's language that a continued block repeats."""


def split(text: str, limit: int = LIMIT) -> list[str]:
    """The pieces of ``text``, each of 1 to ``limit`` characters that are not all blank; a code block that is cut is
    closed at the end of a piece and opened again in the next. ``limit`` is at least 100."""
    pieces: list[str] = []
    fence, rest = "", text.strip("\n")
    while rest.strip():
        head = f"{fence}\n" if fence else ""
        if len(head) + len(rest) + len(_FENCE) + 1 <= limit:
            cut = len(rest)
        else:
            cut = _cut(rest, limit - len(head) - len(_FENCE) - 1, code=bool(fence))
        body, rest = rest[:cut], rest[cut:]
        fence = _open_at_end(fence, body)
        piece = head + body.rstrip()
        pieces.append(f"{piece}\n{_FENCE}" if fence else piece)
        rest = rest.removeprefix("\n") if fence else rest.lstrip()
        line, _, after = rest.partition("\n")
        if fence and line.strip() == _FENCE:  # it would have ended here anyway
            fence, rest = "", after.lstrip()
    return [piece for piece in pieces if piece.strip()]


def _cut(text: str, room: int, *, code: bool) -> int:
    """Where to cut ``text`` so that what is before has at most ``room`` characters: the best place in its last half."""
    for mark in ("\n",) if code else ("\n\n", "\n", ". ", " "):
        found = text.rfind(mark, room // 2, room)
        if found > 0:
            return found + len(mark)
    return room


def _open_at_end(fence: str, body: str) -> str:
    """The line that opened the code block in which ``body`` ends, empty outside of one."""
    for line in body.split("\n"):
        stripped = line.strip()
        if not stripped.startswith(_FENCE):
            continue
        if fence:
            fence = ""
        elif _FENCE not in stripped[len(_FENCE) :]:
            fence = stripped if len(stripped) <= _LONGEST_INFO else _FENCE
    return fence
