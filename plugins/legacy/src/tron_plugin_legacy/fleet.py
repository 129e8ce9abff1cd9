"""Every client process that is connected, or may come back, and the jobs that its kind can do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import tron_core as tron
from tron_plugin_legacy.api import LegacyJob
from tron_plugin_legacy.runs import Process, Run, State
from tron_plugin_legacy.wire import base_of, wire_id

FORGET_AFTER = 3600.0
"""Seconds after which a process that went is forgotten: whatever it says then is late."""

logger = logging.getLogger(__name__)


class Fleet:
    """``clock`` in seconds; ``inputs_url``: where workers fetch inputs from, instead of the host that they dialled."""

    def __init__(
        self,
        app: tron.App,
        jobs: Sequence[LegacyJob],
        *,
        inputs_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self._inputs_url = inputs_url
        self.clock = clock
        self._jobs = jobs
        self._processes: dict[tuple[str, str], Process] = {}

    def __iter__(self) -> Iterator[Process]:
        return iter(tuple(self._processes.values()))

    def process(self, client_id: str, name: str) -> Process:
        """The process of that name, a new one where none is known."""
        return self._processes.setdefault((client_id, name), Process(client_id, name, left=self.clock()))

    def drop(self, process: Process) -> None:
        """Forget a process."""
        self._processes.pop((process.client_id, process.name), None)

    def drop_gone(self) -> None:
        """Forget those that went long ago."""
        before = self.clock() - FORGET_AFTER
        for process in self:
            if process.link is None and process.left < before:
                self.drop(process)

    def supersede(self, client_id: str, name: str) -> None:
        """A fresh process connects under ``name``: what others of its kind and credential had is lost with them."""
        reason = f"{name}, a fresh process of that worker, connected"
        for process in self:
            if process.client_id == client_id and process.name != name and process.base == base_of(name):
                if process.link is not None:
                    process.link.supersede(reason)
                self.drop(process)
        others = {worker for worker, _ in self.app.workers.leased(client_id)}
        for other in others:
            if other != name and base_of(other) == base_of(name):
                self.app.workers.forget(client_id, other, reason)

    def running(self, client_id: str) -> list[Run]:
        """What the hub waits for from the workers of a credential, also where they were not heard of since its start:
        a client that uploads does nothing else meanwhile, and connects afterwards."""
        found = []
        for worker, assignment in self.app.workers.leased(client_id):
            process = self.process(client_id, worker)
            run = process.runs.get(wire_id(assignment.job, assignment.attempt))
            if run is None:
                run = process.add(Run(assignment, self.clock(), resumed=True))
            if run.state is State.ACTIVE:
                found.append(run)
        return found

    def is_busy(self, client_id: str) -> bool:
        """Whether a process of the credential was given a job of which it has not said that it is done with it."""
        return any(process.runs for process in self if process.client_id == client_id)

    # What they can do

    def offers(self, job_types: frozenset[str]) -> dict[str, tron.Offer]:
        """What a worker of these job types offers, by capability."""
        offers: dict[str, tron.Offer] = {}
        for job in self._jobs:
            if job.job_type in job_types:
                told = self._ask(job)
                if told is not None:
                    offers[job.capability] = _joined(offers.get(job.capability), told)
        return offers

    def keys(self, run: Run, job_types: frozenset[str]) -> Mapping[str, Any] | None:
        """The keys of a job's message, for the first kind of job that can be it; None where none of the worker's can.
        The run remembers the kind."""
        inputs = [(file.name, self._reachable(file.url)) for file in run.assignment.inputs]
        for job in self._jobs:
            if job.capability == run.assignment.capability and job.job_type in job_types:
                run.kind = run.kind or job
                try:
                    keys = job.to_wire(run.assignment.params, inputs)
                except Exception:
                    logger.exception("job %s cannot be put as %s", run.wire, job.job_type)
                    continue
                if keys is not None:
                    run.kind, run.prompt = job, str(keys.get("prompt", ""))
                    return keys
        return None

    def _reachable(self, url: str) -> str:
        """The address of an input for a worker, which trusts no certificate but those that every system does."""
        if self._inputs_url is None:
            return url
        parts = urlsplit(url)
        return self._inputs_url.rstrip("/") + parts._replace(scheme="", netloc="").geturl()

    def _ask(self, job: LegacyJob) -> Mapping[str, Any] | None:
        try:
            return job.offer()
        except Exception:
            logger.exception("what workers offer as %s cannot be told: it is left out", job.job_type)
            return None


def _joined(known: tron.Offer | None, told: Mapping[str, Any]) -> tron.Offer:
    """Two kinds of job for one capability: what either can do."""
    before = known or tron.Offer()
    choices = {name: tuple(values) for name, values in told.get("choices", {}).items()}
    both = {
        name: tuple(dict.fromkeys((*before.choices.get(name, ()), *choices.get(name, ()))))
        for name in {*before.choices, *choices}
    }
    return tron.Offer(models=tuple(dict.fromkeys((*before.models, *told.get("models", ())))), choices=both)
