"""What the texts of a client mean: progress, failure, an answer. Pure, no I/O.

A client has no messages for these: it edits and sends Discord messages, and what they say is all that there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FAILURES = ("It seems we had an error while generating this image!", "We pooped the bed")
"""How the text begins that a client shows for a job that failed."""
MAX_REASON = 1000
MAX_TEXT = 256 * 1024
"""Characters of an answer."""

_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?\s*%")
_MENTION = re.compile(r"<@!?\d+>\s*:?\s*")
_FENCE = re.compile(r"`{3}(?:\w*\n)?(.*?)(?:`{3}|\Z)", re.DOTALL)


def text_of(arguments: Mapping[str, Any]) -> str:
    """The message of a frame, empty where it has none."""
    message = arguments.get("message")
    return message if isinstance(message, str) else ""


def failure(text: str) -> str | None:
    """What a client says went wrong, without the apology; None where nothing did."""
    stripped = text.lstrip()
    begin = next((known for known in FAILURES if stripped.startswith(known)), None)
    if begin is None:
        return None
    fenced = _FENCE.search(stripped)
    reason = fenced[1] if fenced else stripped.removeprefix(begin).lstrip("!").partition("\n")[2]
    return " ".join(reason.split())[:MAX_REASON] or "the worker says that it failed, and not why"


def fraction(text: str) -> float | None:
    """How far a job is, by the bar that stands in back-ticks; None where the text shows none."""
    found = _PERCENT.search(text) if "`" in text else None
    return None if found is None else min(int(found[1]), 100) / 100


def answer(text: str, prompt: str) -> str:
    """An answer without what stands before it: a mention, and the prompt in back-ticks."""
    return _after(text, prompt)[:MAX_TEXT]


def _after(text: str, prompt: str) -> str:
    mention = _MENTION.match(text)
    rest = text[mention.end() :] if mention else text
    ticks = rest[: len(rest) - len(rest.lstrip("`"))]
    asked = prompt.strip()
    if not ticks or not asked:
        return rest.strip()
    begin = f"{ticks}{asked}"
    inside = f"{ticks}{rest[len(ticks) :].lstrip()}"
    if not inside.startswith(begin):
        return rest.strip()
    after = inside[len(begin) :].lstrip()
    return after[len(ticks) :].strip() if after.startswith(ticks) else rest.strip()
