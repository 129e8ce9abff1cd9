"""What a worker says about attempts that are not its own (now): it has no effect, and each gets its distinct answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tron_core.job import JobState, Outcome
from tron_core.scheduling.board import Board
from tron_core.scheduling.messages import AttemptSettled, TellFault
from tron_core.scheduling.roster import Worker
from tron_core.storage.job_queries import HeldBefore, held_before

MAX_INQUIRIES = 100
"""Messages of one worker about such attempts that are looked up at once."""


class Fencing:
    """``wake`` is called when a slot became free."""

    def __init__(self, board: Board, *, wake: Callable[[], None]) -> None:
        self._board = board
        self._wake = wake

    def answer_late(self, worker: Worker, job: str, attempt: int) -> None:
        """Answer a result or error, in the background."""
        self._look_up(worker, job, attempt, self.fence)

    def check_held(self, worker: Worker, job: str, attempt: int) -> None:
        """Answer anything else, in the background: with silence where it is late, with a fault where it is foreign."""
        self._look_up(worker, job, attempt, self._check_held)

    async def _check_held(self, worker: Worker, job: str, attempt: int) -> None:
        if await self._held_by(worker, job, attempt) is None:
            self._board.send(worker, TellFault(f"job {job}, attempt {attempt}: never held by this worker"))

    def ended(self, worker: Worker, job: str, attempt: int) -> None:
        """A cancelled attempt occupies its worker's slot no longer."""
        timer = worker.ending.pop((job, attempt), None)
        if timer is not None:
            timer.cancel()
            self._wake()

    def _look_up(
        self, worker: Worker, job: str, attempt: int, ask: Callable[[Worker, str, int], Awaitable[None]]
    ) -> None:
        """Look up what a worker speaks of that is not leased to it, in the background."""
        if worker.inquiries >= MAX_INQUIRIES:
            text = f"job {job}, attempt {attempt}: wait for the answers about attempts that are not held any more"
            self._board.send(worker, TellFault(text))
            return
        worker.inquiries += 1
        self._board.spawn(self._counted(worker, job, attempt, ask), f"look up {job}")

    async def _counted(
        self, worker: Worker, job: str, attempt: int, ask: Callable[[Worker, str, int], Awaitable[None]]
    ) -> None:
        try:
            await ask(worker, job, attempt)
        finally:
            worker.inquiries -= 1

    async def fence(self, worker: Worker, job: str, attempt: int) -> None:
        """Answer a result or error of an attempt that holds no lease: it has no effect."""
        entry = self._board.entries.get(job)
        if entry is not None:
            async with entry.lock:
                pass  # what is being written about the job decides the answer
        held = await self._held_by(worker, job, attempt)
        if held is None:
            self._board.send(worker, TellFault(f"job {job}, attempt {attempt}: never held by this worker"))
            return
        self.ended(worker, job, attempt)
        if held.outcome in (Outcome.SUCCEEDED, Outcome.ERROR):
            outcome = "duplicate"
        elif held.last_attempt > attempt or held.state is JobState.QUEUED:
            outcome = "superseded"
        else:
            outcome = "gone"
        self._board.send(worker, AttemptSettled(job, attempt, outcome))

    async def _held_by(self, worker: Worker, job: str, attempt: int) -> HeldBefore | None:
        """The history of an attempt, if it was this worker's; None for any other, and for none at all."""
        read = self._board.database.read
        held = await self._board.durably(lambda: read(lambda connection: held_before(connection, job, attempt)))
        return held if held and (held.worker, held.client_id) == (worker.name, worker.client_id) else None
