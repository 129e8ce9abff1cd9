"""Which message of a channel is edited next, and when. Pure: the time is an argument, in monotonic seconds.

Discord counts the edits of a channel in one bucket. So there is one Lane for each channel: at most one edit is under
way, the latest state of a message replaces what it had to show before, final states go before progress, a message's
progress is shown at most every ``spacing`` seconds, and nothing is begun while the bucket is empty. While the bucket
is known to be nearly empty, its last place is kept for a final state.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SPACING = 1.5
"""Seconds between two edits that show progress in the same message."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be sent now; look again after ``seconds``, or when something changes."""

    seconds: float


class Lane(Generic[K]):
    """The edits that one channel's messages want. ``under_way`` is the message that is being edited, ``is_final`` says
    whether that shows a final state."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._final: dict[K, None] = {}
        self._progress: dict[K, None] = {}
        self._shown_at: dict[K, float] = {}
        self._limit: int | None = None
        self._remaining: int | None = None
        self._free_at = 0.0
        self._not_before = 0.0
        self.under_way: K | None = None
        self.is_final = False

    def want(self, message: K, *, final: bool = False) -> None:
        """The message has a new state to show; once a final one is wanted, progress is not any more."""
        if final:
            self._progress.pop(message, None)
            self._final[message] = None
        elif message not in self._final:
            self._progress[message] = None

    def forget(self, message: K) -> None:
        """The message wants no edit any more."""
        self._final.pop(message, None)
        self._progress.pop(message, None)
        self._shown_at.pop(message, None)

    def next(self, now: float) -> K | Wait | None:
        """The message to edit now; how long to wait; None where nothing is wanted, or an edit is under way."""
        if self.under_way is not None or not (self._final or self._progress):
            return None
        if now < self._not_before:
            return Wait(self._not_before - now)
        left = self._left(now)
        if self._final:
            return next(iter(self._final)) if left is None or left > 0 else Wait(self._free_at - now)
        if left is not None and left <= self._kept():
            return Wait(self._free_at - now)
        message = min(self._progress, key=self._due)
        due = self._due(message)
        return message if due <= now else Wait(due - now)

    def _due(self, message: K) -> float:
        return self._shown_at.get(message, -math.inf) + self._spacing

    def start(self, message: K, now: float) -> None:
        """The edit of ``message`` begins, with its latest state."""
        self.under_way, self.is_final = message, message in self._final
        self._final.pop(message, None)
        self._progress.pop(message, None)
        self._shown_at[message] = now
        if self._remaining is not None:
            self._remaining -= 1

    def end(self, now: float, *, again: bool = False) -> None:
        """The edit that was under way has ended; spacing counts from now. ``again``: it was given up, and is wanted
        still."""
        message, self.under_way = self.under_way, None
        if message is not None and message in self._shown_at:
            self._shown_at[message] = now
            if again:
                self.want(message)

    def limited(self, limit: int, remaining: int, reset_after: float, now: float) -> None:
        """What Discord said about the channel's bucket; ``reset_after`` in seconds."""
        self._limit, self._remaining, self._free_at = limit, remaining, now + reset_after

    def pause(self, seconds: float, now: float) -> None:
        """Begin nothing for ``seconds``: Discord is failing, or said so."""
        self._not_before = max(self._not_before, now + seconds)

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted or under way."""
        return self.under_way is None and not self._final and not self._progress

    def _left(self, now: float) -> int | None:
        """Edits that the bucket has left, None where that is not known."""
        if self._remaining is not None and now >= self._free_at:
            self._remaining = None
        return self._remaining

    def _kept(self) -> int:
        """Places of the bucket that progress leaves to final states."""
        return 1 if self._limit is not None and self._limit > 1 else 0
