"""A prompt that is a conversation, and which of its turns a model still has room for. Pure."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Sequence

from tron_plugin_wizardlm.templates import Message

_MARK = re.compile(r"^(user|assistant):[ \t]*", re.IGNORECASE | re.MULTILINE)


def messages_of(prompt: str) -> list[Message]:
    """The turns of a prompt that begins with a line ``User:`` and ends with one, ``Assistant:`` lines between; any
    other prompt is one message. Each holds until the next mark; what one side says in a row is one message."""
    marks = list(_MARK.finditer(prompt.strip()))
    prompt = prompt.strip()
    if not marks or marks[0].start() != 0 or marks[0][1].lower() != "user":
        return [Message("user", prompt)]
    ends = [*(mark.start() for mark in marks[1:]), len(prompt)]
    messages: list[Message] = []
    for mark, end in zip(marks, ends, strict=True):
        text = prompt[mark.end() : end].strip()
        role = "user" if mark[1].lower() == "user" else "assistant"
        if text and messages and messages[-1].role == role:
            messages[-1] = Message(messages[-1].role, f"{messages[-1].text}\n{text}")
        elif text:
            messages.append(Message("user" if role == "user" else "assistant", text))
    complete = messages and messages[0].role == messages[-1].role == "user"
    return messages if complete else [Message("user", prompt)]


def fit(messages: Sequence[Message], count: Callable[[Sequence[Message]], int], budget: int) -> int:
    """How many of the oldest turns (a question with its answer) must go, so that ``count`` of the rest is at most
    ``budget``; the last question always stays."""
    turns = (len(messages) - 1) // 2
    return bisect.bisect_left(range(turns), True, key=lambda dropped: count(messages[2 * dropped :]) <= budget)
