"""The workers: who is connected, what they offer, what they hold. Pure bookkeeping, no I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tron_core.capability import Requirements
from tron_core.scheduling.messages import WorkerConnected
from tron_core.scheduling.policy import ClassKey
from tron_core.scheduling.views import WorkerState, WorkerView
from tron_core.sessions import Held, Offer

HUB_WORKER = "hub"
"""The name of the in-process worker, for capabilities that run on the hub."""


@dataclass(slots=True, eq=False)
class Worker:
    """A worker, connected (``session`` set) or awaited within its grace time. ``held`` are its leases, ``settling``
    those whose result is being written, so that their slots are free, ``ending`` cancelled attempts whose slot it may
    still occupy; ``inquiries`` counts what it said about other attempts that is being looked up."""

    name: str
    client_id: str
    protocol: str = ""
    software: str = ""
    offers: Mapping[str, Offer] = field(default_factory=dict)
    slots: int = 0
    hardware: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    base_url: str = ""
    grace: float | None = None
    connected_at: float = 0.0
    suspect: bool = False
    draining: bool = False
    leaving: bool = False
    slot_limit: int | None = None
    held: dict[Held, None] = field(default_factory=dict)
    settling: dict[Held, None] = field(default_factory=dict)
    ending: dict[Held, asyncio.TimerHandle] = field(default_factory=dict)
    inquiries: int = 0
    reserved: int = 0
    done: int = 0
    grace_timer: asyncio.TimerHandle | None = None
    idle_told_at: float = float("-inf")

    @property
    def free(self) -> int:
        """Slots to which a job could go now."""
        if self.session is None or self.suspect or self.draining or self.leaving:
            return 0
        slots = self.slots if self.slot_limit is None else min(self.slots, self.slot_limit)
        return max(0, slots - self.occupied)

    @property
    def has_leases(self) -> bool:
        """Whether an attempt is its own, or is about to be."""
        return bool(self.held or self.settling or self.reserved)

    @property
    def occupied(self) -> int:
        return len(self.held) + len(self.ending) + self.reserved

    def limit(self, free_slots: int) -> None:
        """Believe the worker that it has only so many free slots now."""
        self.slot_limit = self.occupied + free_slots

    def forget_ending(self, but: tuple[Held, ...] = ()) -> None:
        """Cancelled attempts hold their slots no longer, ``but`` those that the worker still names."""
        for held in [held for held in self.ending if held not in but]:
            self.ending.pop(held).cancel()

    def lacks(self, capability: str, needs: Requirements) -> str | None:
        """Why this worker cannot do such a job, whether or not it has a slot; None when it can."""
        offer = self.offers.get(capability)
        if offer is None:
            return f"does not offer {capability}"
        if needs.model is not None and needs.model not in offer.models:
            return f"model missing: {needs.model}"
        for wanted, has in (("gpu_memory_mb", needs.gpu_memory_mb), ("memory_mb", needs.memory_mb)):
            if has > (self.hardware.get(wanted) or 0):
                return f"too little memory: {wanted} of {has} needed"
        for name, choice in needs.choices:
            if choice not in offer.choices.get(name, ()):
                return f"{name} missing: {choice}"
        for name, choice in needs.compatible:
            if name in offer.choices and choice not in offer.choices[name]:
                return f"{name} missing: {choice}"
        return None

    def cannot(self, capability: str, needs: Requirements) -> str | None:
        """Why this worker will not do such a job, however long it waits; None when it may."""
        return "draining" if self.draining or self.leaving else self.lacks(capability, needs)

    def has_loaded(self, capability: str, needs: Requirements) -> bool:
        """Whether no model needs to be loaded for such a job."""
        offer = self.offers.get(capability)
        return offer is not None and (needs.model is None or needs.model in offer.loaded)

    @property
    def state(self) -> WorkerState:
        if self.suspect or self.session is None:
            return WorkerState.SUSPECT
        if self.draining or self.leaving:
            return WorkerState.DRAINING
        return WorkerState.BUSY if self.occupied else WorkerState.IDLE

    def view(self, skipped: Mapping[str, int]) -> WorkerView:
        return WorkerView(
            name=self.name,
            state=self.state,
            protocol=self.protocol,
            software=self.software,
            client_id=self.client_id,
            offers=self.offers,
            slots=self.slots,
            running=tuple(job for job, _ in self.held),
            hardware=self.hardware,
            connected_at=self.connected_at,
            skipped=skipped,
        )


class Roster:
    """Every worker by name and by session."""

    def __init__(self) -> None:
        self._by_name: dict[str, Worker] = {}
        self._by_session: dict[str, Worker] = {}
        self.draining_names: set[str] = set()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Worker | None:
        return self._by_name.get(name)

    def of_session(self, session: str) -> Worker | None:
        return self._by_session.get(session)

    def await_worker(self, name: str, client_id: str) -> Worker:
        """A worker that held leases before a restart: it is not connected, but may come back."""
        return self._by_name.setdefault(name, Worker(name, client_id))

    def connect(self, hello: WorkerConnected, now: float) -> tuple[Worker, str | None]:
        """Register a session; returns the worker and the session that it takes over, if any."""
        worker = self._by_name.setdefault(hello.worker, Worker(hello.worker, hello.client_id))
        old = worker.session
        if old is not None:
            self._by_session.pop(old, None)
        worker.session = hello.session
        worker.protocol, worker.software = hello.protocol, hello.software
        worker.offers, worker.slots, worker.hardware = hello.offers, hello.slots, hello.hardware
        worker.base_url, worker.grace, worker.connected_at = hello.base_url, hello.grace, now
        worker.suspect, worker.leaving, worker.slot_limit = False, False, None
        worker.draining = hello.worker in self.draining_names
        if worker.grace_timer is not None:
            worker.grace_timer.cancel()
            worker.grace_timer = None
        if hello.holding is not None:
            worker.forget_ending(but=hello.holding)
        self._by_session[hello.session] = worker
        return worker, old

    def disconnect(self, session: str) -> Worker | None:
        """The session ended; the worker stays until it is forgotten. None where it was taken over before."""
        worker = self._by_session.pop(session, None)
        if worker is not None:
            worker.session = None
        return worker

    def forget(self, worker: Worker) -> None:
        """The worker is gone for good."""
        if self._by_name.get(worker.name) is worker:
            del self._by_name[worker.name]
        worker.forget_ending()

    def capable(self, capability: str, needs: Requirements) -> list[Worker]:
        """The connected workers that may take such a job, now or when they have a slot."""
        return [
            worker
            for worker in self._by_name.values()
            if worker.session is not None and worker.cannot(capability, needs) is None
        ]

    def can_take(self, worker: Worker, key: ClassKey) -> bool:
        """Whether a job of this class may go to the worker: a worker to avoid only where no other can do it."""
        if worker.lacks(key.capability, key.requirements) is not None:
            return False
        return key.avoid != worker.name or self.capable(key.capability, key.requirements) == [worker]
