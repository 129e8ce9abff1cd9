"""What Prometheus reads: counters kept while the hub runs, and gauges read from the scheduler at each scrape."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tron_core.job import JobEvent
from tron_core.scheduling.bus import Bus
from tron_core.scheduling.messages import EVENTS
from tron_core.scheduling.scheduler import Scheduler
from tron_core.scheduling.views import WorkerState

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """A registry of its own, so that several hubs in one process (tests) do not share numbers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Live(scheduler))
        self._transitions = Counter(
            "tron_jobs",
            "Jobs that entered a state since the hub started",
            ["capability", "state"],
            registry=self._registry,
        )
        self._requests = Histogram(
            "tron_http_request_seconds",
            "Seconds from a request's head to the end of its answer",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )

    def listen(self, bus: Bus) -> Callable[[], None]:
        """Count what happens to jobs from now on; returns the function that ends it."""
        return bus.listen(EVENTS, self._on_event)

    def _on_event(self, event: JobEvent) -> None:
        if event.kind == "state" and "state" in event.data:
            self._transitions.labels(event.capability, str(event.data["state"])).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request; ``route`` is the template of its path, so that the number of series is bounded."""
        self._requests.labels(method, route, status).observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Live(Collector):
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def collect(self) -> Iterable[Metric]:
        workers = self._scheduler.workers()
        states = Tally(worker.state for worker in workers)
        by_state = GaugeMetricFamily("tron_workers", "Workers that hold a session or a lease", labels=["state"])
        for state in WorkerState:
            by_state.add_metric([state.value], states[state])
        yield by_state
        yield GaugeMetricFamily(
            "tron_worker_slots", "Jobs that all workers can run at once", sum(w.slots for w in workers)
        )
        yield GaugeMetricFamily("tron_jobs_running", "Jobs that workers run now", sum(len(w.running) for w in workers))
        yield GaugeMetricFamily("tron_jobs_queued", "Jobs that wait for a worker", self._scheduler.queue_length())
