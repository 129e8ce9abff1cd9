"""All slots of a worker: started, handed out, and started again where one ended by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tron_core.hub.protocol import Announced, Status
from tron_core.worker.announced import changes, merge
from tron_core.worker.backoff import wait_after
from tron_core.worker.console import SlotView, WorkerConsole
from tron_core.worker.messages import Changed, Ready
from tron_core.worker.slots import ChildLost, Slot
from tron_core.worker.stopped import ExitCode, WorkerStopped


class SlotPool:
    """``views`` are shown to people, one a slot. ``tell`` takes what the hub should know of a change, ``free`` is
    called when a slot can take a job."""

    def __init__(
        self,
        views: list[SlotView],
        sections: Mapping[str, Mapping[str, Any]],
        *,
        cancel_grace: float,
        console: WorkerConsole,
        random: Random,
        tell: Callable[[Status], None],
        free: Callable[[], None],
    ) -> None:
        self._views = views
        self._console = console
        self._random = random
        self._tell = tell
        self._free = free
        self._slots = [
            Slot(number, sections, cancel_grace=cancel_grace, show=self._shower(number), on_lost=self._lost)
            for number in range(1, len(views) + 1)
        ]
        self._idle: list[Slot] = []
        self._has: dict[Slot, dict[str, Announced]] = {}
        self._reviving: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.announced: dict[str, Announced] = {}

    async def start(self) -> None:
        """Start all slots; raises WorkerStopped where nothing can be offered."""
        try:
            answers = await asyncio.gather(*(slot.start() for slot in self._slots))
        except ChildLost as error:
            raise WorkerStopped(f"The executors cannot be loaded: {error.message}", ExitCode.NOTHING_TO_OFFER) from None
        for left_out in answers[0].left_out:
            self._console.tell("warning", f"not offered: {left_out.plugin}: {left_out.reason}")
        for slot, ready in zip(self._slots, answers, strict=True):
            self._has[slot] = dict(ready.capabilities)
            self._put_idle(slot)
        self.announced = merge(list(self._has.values()))
        if not self.announced:
            raise WorkerStopped(_nothing(answers[0]), ExitCode.NOTHING_TO_OFFER)

    def take(self) -> Slot | None:
        """A slot that is free, if there is one."""
        return self._idle.pop() if self._idle else None

    def give_back(self, slot: Slot) -> None:
        """The run is over; a process that ended with it is replaced."""
        if slot.alive:
            self._put_idle(slot)
            self._free()
        else:
            self._replace(slot)

    def changed(self, slot: Slot, changed: Changed) -> None:
        """An executor has something else now."""
        self._has[slot][changed.capability] = changed.announced
        self._announce()

    def view(self, slot: Slot) -> SlotView:
        return self._views[slot.number - 1]

    async def stop(self) -> None:
        """End every process; what runs is given up."""
        self._stopping = True
        for task in self._reviving:
            task.cancel()
        await asyncio.gather(*self._reviving, return_exceptions=True)
        await asyncio.gather(*(slot.stop() for slot in self._slots))

    def _put_idle(self, slot: Slot) -> None:
        self._views[slot.number - 1] = SlotView(state="idle")
        self._idle.append(slot)

    def _shower(self, number: int) -> Callable[[str], None]:
        return lambda text: self._console.tell("info", f"[slot {number}] {text}")

    def _lost(self, slot: Slot) -> None:
        if slot in self._idle:
            self._idle.remove(slot)
            self._console.tell("warning", f"slot {slot.number}: the executor process ended by itself; starting another")
            self._replace(slot)

    def _replace(self, slot: Slot) -> None:
        if self._stopping:
            return
        self._views[slot.number - 1] = SlotView(state="starting again")
        self._has.pop(slot, None)
        self._announce()
        self._tell(Status(free_slots=len(self._idle)))
        task = asyncio.create_task(self._revive(slot))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _revive(self, slot: Slot) -> None:
        failures = 0
        while True:
            try:
                ready = await slot.start()
                break
            except ChildLost as error:
                failures += 1
                seconds = wait_after(failures, self._random)
                self._console.tell("error", f"slot {slot.number}: {error.message}; trying again in {seconds:.0f} s")
            await asyncio.sleep(seconds)
        self._has[slot] = dict(ready.capabilities)
        self._put_idle(slot)
        self._announce()
        self._tell(Status(free_slots=len(self._idle)))
        self._free()

    def _announce(self) -> None:
        """Tell what changed. What only a lost slot had stays announced without being loaded: it will be back."""
        now = merge([*self._has.values(), {name: _unloaded(had) for name, had in self.announced.items()}])
        status = changes(self.announced, now)
        self.announced = now
        if status is not None:
            self._tell(status)


def _unloaded(announced: Announced) -> Announced:
    return announced.model_copy(update={"loaded": (), "choices": {}})


def _nothing(ready: Ready) -> str:
    if not ready.left_out:
        return (
            "No plugin with an executor is installed here. Install one with what its executor needs, for example: "
            "pip install 'tron-plugin-NAME[worker]'"
        )
    reasons = "".join(f"\n  {left_out.plugin}: {left_out.reason}" for left_out in ready.left_out)
    return f"No executor works here:{reasons}"
