"""Whose turn it is: the messages of one conversation are answered one after the other.

A turn is a job's, from its first attempt until its reply is stored or it has failed: so the next message finds the
whole history, and an attempt that is repeated keeps its place.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

PATIENCE = 90.0
"""Seconds after a run for which its end is waited for; so long a reply may take to be stored."""


class Busy(Exception):
    """Too many messages of one conversation are under way."""


@dataclass(slots=True, eq=False)
class _Turn:
    conversation: str
    job: str
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None


class Turns:
    """The lines of all conversations; the first in a line has the turn. ``limit``: how long a line may be for
    another to be let in."""

    def __init__(self, limit: int, *, patience: float = PATIENCE) -> None:
        self._limit = limit
        self._patience = patience
        self._lines: dict[str, list[_Turn]] = {}
        self._turns: dict[str, _Turn] = {}

    def check(self, conversation: str) -> None:
        """Raise Busy where the line is full."""
        waiting = len(self._lines.get(conversation, ()))
        if waiting >= self._limit:
            raise Busy(f"{waiting} messages of this conversation wait for an answer; ask again when one has it.")

    async def enter(self, conversation: str, job: str) -> None:
        """Wait for the job's turn; one that is in line already keeps its place."""
        turn = self._turns.get(job)
        if turn is None:
            turn = self._turns[job] = _Turn(conversation, job)
            line = self._lines.setdefault(conversation, [])
            line.append(turn)
            line[0].begun.set()
        if turn.timer is not None:
            turn.timer.cancel()
            turn.timer = None
        await turn.begun.wait()

    def expect_end(self, job: str) -> None:
        """The job's run is over: its turn ends with ``leave``, at the latest when patience does."""
        turn = self._turns.get(job)
        if turn is not None and turn.timer is None:
            turn.timer = asyncio.get_running_loop().call_later(self._patience, self.leave, job)

    def leave(self, job: str) -> None:
        """The job is over; nothing happens where it is not in line."""
        turn = self._turns.pop(job, None)
        if turn is None:
            return
        if turn.timer is not None:
            turn.timer.cancel()
        line = self._lines[turn.conversation]
        line.remove(turn)
        if line:
            line[0].begun.set()
        else:
            del self._lines[turn.conversation]
