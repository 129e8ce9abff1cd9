"""``python -m benchmarks [T1 T3 …]``: one line of JSON a figure. Absolute figures mean nothing; ratios do."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import tron_core as tron
from benchmarks.floors import echo_server, fsyncs_per_second, round_trips, sqlite_jobs_per_second
from benchmarks.memory import memory
from benchmarks.report import percentile, report
from benchmarks.stage import stage
from tron_core.services import Services

ROUNDS = 3
IN_FLIGHT = 128


async def run_job(services: Services, params: dict[str, object]) -> tuple[float, float]:
    """Seconds from submit to the job at its executor, and to its stored reply."""
    begun, wall = time.perf_counter(), time.time()
    live = await services.scheduler.submit(tron.JobRequest("noop", params, "console:bench"))
    async for event in services.scheduler.watch(live.job.id):
        if event.kind == "result":
            break
    ended = time.perf_counter() - begun
    done = await services.scheduler.get(live.job.id)
    return float((done.job.output or {})["at"]) - wall, ended


async def jobs_per_second(services: Services, count: int) -> float:
    """Jobs a second, submit to stored reply, with ``IN_FLIGHT`` of them under way."""
    begun = time.perf_counter()
    left = iter(range(count))

    async def submitter() -> None:
        for _ in left:
            await run_job(services, {"text": "x"})

    await asyncio.gather(*(submitter() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - begun)


async def throughput(bench: str, synchronous: str) -> None:
    """T1 and T2: durable no-op jobs a second, beside three bare SQLite transactions a job."""
    values, floors = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stage(folder, synchronous=synchronous, slots=8) as services:
            await jobs_per_second(services, 200)
            for _ in range(ROUNDS):
                floors.append(await asyncio.to_thread(sqlite_jobs_per_second, folder, 500, synchronous.upper()))
                values.append(await jobs_per_second(services, 1000))
        fsyncs = fsyncs_per_second(folder)
    report(bench, values, floors, "jobs/s", synchronous=synchronous, fsyncs_per_second=round(fsyncs))


async def latency() -> None:
    """T3 and T4: an idle hub, one job at a time, beside the raw WebSocket round trip."""
    starts: list[float] = []
    ends: list[float] = []
    tails: list[float] = []
    floors: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        async with stage(Path(name), synchronous="normal", slots=1) as services, echo_server() as url:
            await run_job(services, {"text": "x"})
            for _ in range(ROUNDS):
                floors.append(percentile(await round_trips(url, 500), 0.5))
                pairs = [await run_job(services, {"text": "x"}) for _ in range(150)]
                starts.append(percentile([start for start, _ in pairs], 0.5))
                ends.append(percentile([end for _, end in pairs], 0.5))
                tails.append(percentile([end for _, end in pairs], 0.99))
    microseconds = [value * 1e6 for value in floors]
    report("T3", [value * 1e6 for value in starts], microseconds, "µs p50, submit to executor")
    report("T4", [value * 1e6 for value in ends], microseconds, "µs p50, submit to reply")
    report("T4p99", [value * 1e6 for value in tails], microseconds, "µs p99, submit to reply")


async def in_a_row() -> None:
    """T5: jobs of 50 ms one after the other on one slot, beside the ideal of no gap at all."""
    values, floors, count = [], [], 40
    with tempfile.TemporaryDirectory() as name:
        async with stage(Path(name), synchronous="normal", slots=1) as services:
            await run_job(services, {"text": "x"})
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                await asyncio.gather(*(run_job(services, {"text": "x", "milliseconds": 50}) for _ in range(count)))
                values.append(count / (time.perf_counter() - begun))
                floors.append(20.0)
    report("T5", values, floors, "jobs/s of 50 ms, one slot")


BENCHES: dict[str, Callable[[], Awaitable[None]]] = {
    "T1": lambda: throughput("T1", "normal"),
    "T2": lambda: throughput("T2", "full"),
    "T3": latency,
    "T5": in_a_row,
    "memory": memory,
}


async def main(wanted: list[str]) -> None:
    for name, bench in BENCHES.items():
        if not wanted or name in wanted or (name == "T3" and "T4" in wanted):
            await bench()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
