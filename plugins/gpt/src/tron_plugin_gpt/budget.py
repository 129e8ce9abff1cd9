"""What of a conversation fits into one request: pure.

A request holds the role, the history and the new message; with the reply it must fit into the model's context. So
the history has ``context - reply - fixed`` tokens, where ``fixed`` is what is sent anyway. Pairs of message and answer
are kept whole, the newest first, without a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class TooLong(Exception):
    """What is sent anyway leaves no room, even without history: ``needed`` tokens, of which there are ``room``."""

    def __init__(self, needed: int, room: int) -> None:
        super().__init__(f"{needed} tokens, and there is room for {room}")
        self.needed = needed
        self.room = room


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens: ``context`` of request and reply together, ``reply`` the longest one."""

    context: int
    reply: int

    @property
    def request(self) -> int:
        """The most that a request may hold."""
        return self.context - self.reply

    def room_beside(self, fixed: int) -> int:
        """What the history may take; raises TooLong where ``fixed`` does not fit by itself."""
        room = self.request - fixed
        if room < 0:
            raise TooLong(fixed, self.request)
        return room


def newest_that_fit(pairs: Iterable[T], room: int, cost: Callable[[T], int]) -> list[T]:
    """Of ``pairs``, the newest first, those that fit into ``room`` tokens; the oldest comes first in the result.

    It stops at the first that does not fit, so that the history has no gap; ``pairs`` is read no further.
    """
    kept: list[T] = []
    for pair in pairs:
        room -= cost(pair)
        if room < 0:
            break
        kept.append(pair)
    kept.reverse()
    return kept
