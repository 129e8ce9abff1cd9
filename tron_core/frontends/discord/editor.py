"""Runs the lanes: for each channel one task, which sends what its Lane says, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from tron_core.clock import Clock
from tron_core.frontends.discord.edits import SPACING, Lane, Wait

K = TypeVar("K", bound=Hashable)

PAUSE_AFTER_FAILURE = 2.0
"""Seconds for which a channel is left alone after something failed there."""

KEEP = 10.0
"""Seconds for which a channel is remembered after its last edit."""

logger = logging.getLogger(__name__)


class _Runner(Generic[K]):
    def __init__(self, spacing: float) -> None:
        self.lane: Lane[K] = Lane(spacing)
        self.stirred = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.sending: asyncio.Task[None] | None = None


Send = Callable[[K], Coroutine[Any, Any, None]]


class Editor(Generic[K]):
    """``send`` shows the latest state of a message; it is called once at a time for each channel, and what it raises
    holds up that channel alone."""

    def __init__(self, send: Send[K], clock: Clock, *, spacing: float = SPACING) -> None:
        self._send = send
        self._clock = clock
        self._spacing = spacing
        self._runners: dict[int, _Runner[K]] = {}

    def want(self, channel: int, message: K, *, final: bool = False) -> None:
        """The message in ``channel`` has a new state to show; never blocks."""
        runner = self._runner(channel)
        runner.lane.want(message, final=final)
        runner.stirred.set()
        if runner.task is None or runner.task.done():
            loop = asyncio.get_running_loop()
            runner.task = loop.create_task(self._run(channel, runner), name=f"edits in channel {channel}")

    def forget(self, channel: int, message: K) -> None:
        """The message wants nothing any more."""
        runner = self._runners.get(channel)
        if runner is not None:
            runner.lane.forget(message)

    def limited(self, channel: int, limit: int, remaining: int, reset_after: float) -> None:
        """What Discord said about the channel's bucket."""
        runner = self._runners.get(channel)
        if runner is not None:
            runner.lane.limited(limit, remaining, reset_after, self._clock.monotonic())
            runner.stirred.set()

    def failing(self, channel: int) -> None:
        """What the current task sends to the channel was answered with an error that discord.py waits for to pass, and
        then repeats it, with the channel's bucket locked. Progress is given up: a result could not go before it."""
        runner = self._runners.get(channel)
        current = asyncio.current_task()
        if runner is None or runner.lane.is_final or current is None or current is not runner.sending:
            return
        current.cancel()

    async def stop(self) -> None:
        """Send nothing more."""
        tasks = [runner.task for runner in self._runners.values() if runner.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runners.clear()

    def _runner(self, channel: int) -> _Runner[K]:
        if channel not in self._runners:
            self._runners[channel] = _Runner(self._spacing)
        return self._runners[channel]

    async def _run(self, channel: int, runner: _Runner[K]) -> None:
        lane = runner.lane
        while True:
            runner.stirred.clear()
            message = lane.next(self._clock.monotonic())
            if message is None:
                # Kept for a while, as its bucket may still be counting.
                if not await _stirs(runner.stirred, KEEP):
                    break
            elif isinstance(message, Wait):
                await _stirs(runner.stirred, message.seconds)
            else:
                await self._send_one(runner, message)
        self._runners.pop(channel, None)

    async def _send_one(self, runner: _Runner[K], message: K) -> None:
        lane = runner.lane
        lane.start(message, self._clock.monotonic())
        runner.sending = asyncio.ensure_future(self._send(message))
        try:
            await asyncio.wait({runner.sending})
        finally:
            if not runner.sending.done():
                runner.sending.cancel()
                await asyncio.wait({runner.sending})
            given_up = runner.sending.cancelled()
            lane.end(self._clock.monotonic(), again=given_up)
        error = None if given_up else runner.sending.exception()
        if given_up or error is not None:
            lane.pause(PAUSE_AFTER_FAILURE, self._clock.monotonic())
            why = "Discord fails" if error is None else f"{type(error).__name__}: {error}"
            logger.warning("a message could not be shown: %s", why)


async def _stirs(stirred: asyncio.Event, seconds: float) -> bool:
    """Whether something changes within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await stirred.wait()
    except TimeoutError:
        return False
    return True
