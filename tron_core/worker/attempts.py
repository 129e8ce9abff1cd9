"""The attempts that this worker holds, running or finished but not settled: pure bookkeeping, no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tron_core.hub.protocol import MAX_TEXT, ErrorMessage, Held, JobMessage, Partial, ProgressMessage, ResultMessage
from tron_core.worker.messages import Progressed

Key = tuple[str, int]
"""The job's id and the attempt's number."""


@dataclass(slots=True)
class RunText:
    """The text that a run said so far, and the number of the next ``partial``.

    Its size is counted as JSON writes it, so that the whole of it always fits into one frame.
    """

    text: str = ""
    seq: int = 0
    size: int = 0

    def append(self, text: str) -> str:
        """Take as much of ``text`` as there is room for, and return that."""
        room = MAX_TEXT - self.size
        taken = _fitting(text, room)
        self.text += taken
        self.size += _json_size(taken)
        return taken

    def restart(self) -> None:
        """The next ``partial`` carries the whole text, under number 0."""
        self.seq = 0


def _json_size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def _fitting(text: str, room: int) -> str:
    if _json_size(text) <= room:
        return text
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _json_size(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


@dataclass(slots=True)
class HeldAttempt:
    """One attempt from its ``job`` to its ``settled``.

    ``live``: the hub knows, in this session, that we hold it, so that messages about it may be sent.
    ``kept``: the result or error, once there is one.
    """

    message: JobMessage
    live: bool = True
    kept: ResultMessage | ErrorMessage | None = None
    said: RunText = field(default_factory=RunText)
    progress: Progressed | None = None

    @property
    def key(self) -> Key:
        return self.message.job, self.message.attempt

    @property
    def held(self) -> Held:
        return Held(job=self.message.job, attempt=self.message.attempt)

    def partial(self, text: str) -> Partial | None:
        """Take more text; what is to be sent of it now, if anything."""
        taken = self.said.append(text)
        if not taken or not self.live:
            return None
        return self._numbered(taken)

    def progressed(self, progress: Progressed) -> ProgressMessage | None:
        """Take a progress report; what is to be sent of it now, if anything."""
        self.progress = progress
        return self._progress_message() if self.live else None

    def restart(self) -> list[Partial | ProgressMessage | ResultMessage | ErrorMessage]:
        """Go on in a new session: what the hub may have missed, in order."""
        self.live = True
        self.said.restart()
        if self.kept is not None:
            return [self.kept]
        missed: list[Partial | ProgressMessage | ResultMessage | ErrorMessage] = []
        if self.said.text:
            missed.append(self._numbered(self.said.text))
        if self.progress is not None:
            missed.append(self._progress_message())
        return missed

    def _numbered(self, text: str) -> Partial:
        number = self.said.seq
        self.said.seq += 1
        return Partial(job=self.message.job, attempt=self.message.attempt, seq=number, text=text)

    def _progress_message(self) -> ProgressMessage:
        assert self.progress is not None
        return ProgressMessage(
            job=self.message.job,
            attempt=self.message.attempt,
            fraction=self.progress.fraction,
            step=self.progress.step,
            steps=self.progress.steps,
            message=self.progress.message,
        )


class Attempts:
    """All that is held, by job and attempt."""

    def __init__(self) -> None:
        self._held: dict[Key, HeldAttempt] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldAttempt]:
        return iter(tuple(self._held.values()))

    def get(self, job: str, attempt: int) -> HeldAttempt | None:
        return self._held.get((job, attempt))

    def take(self, message: JobMessage) -> HeldAttempt | None:
        """Hold a new attempt; None where it is held already (a repeated ``job``)."""
        if (message.job, message.attempt) in self._held:
            return None
        held = self._held[message.job, message.attempt] = HeldAttempt(message)
        return held

    def forget(self, job: str, attempt: int) -> HeldAttempt | None:
        """Settled or abandoned."""
        return self._held.pop((job, attempt), None)

    def resuming(self) -> tuple[Held, ...]:
        """What ``hello`` lists."""
        return tuple(held.held for held in self._held.values())

    def disconnected(self) -> None:
        """The session ended: nothing is live until the next one says ``resume``."""
        for held in self._held.values():
            held.live = False
