"""Resident memory of a hub with all plugins: idle, and after 10,000 jobs. The hub is a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.stage import install_noop

JOBS = 10_000
IN_FLIGHT = 64


async def memory() -> None:
    """Print three lines: seconds until ready, MiB idle, MiB after the jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install_noop(folder / "plugins")
        (folder / "tron.toml").write_text(
            '[hub]\nport = 0\n[http]\nport = 0\n[database]\nsynchronous = "normal"\n'
            "[limits]\nrequests_per_minute = 10000000\n[scheduling]\nmax_queued_per_user = 1000000\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(folder / "plugins")}
        begun = time.perf_counter()
        hub = await _start(folder, environment, "--config", "tron.toml", "run")
        worker = None
        try:
            running = await _running(folder)
            _print("ready", time.perf_counter() - begun, "s")
            _print("idle", _resident_mib(hub.pid), "MiB")
            async with httpx.AsyncClient(
                base_url=running["http"], headers={"Authorization": f"Bearer {running['token']}"}, timeout=120
            ) as client:
                await _credential(client, folder)
                arguments = ("worker", "--hub", running["hub"], "--http", running["http"], "--auth", "auth.json")
                worker = await _start(
                    folder, environment | {"TRON_PLUGINS": "noop"}, *arguments, "--slots", "4", "--name", "bench"
                )
                await _run_jobs(client)
            _print(f"after {JOBS} jobs", _resident_mib(hub.pid), "MiB")
        finally:
            for process in filter(None, (worker, hub)):
                process.terminate()
                await process.wait()


async def _start(folder: Path, environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tron_core", *arguments, cwd=folder, env=environment, stdout=quiet, stderr=quiet
    )


async def _running(folder: Path) -> dict[str, str]:
    async with asyncio.timeout(60):
        while not (folder / "run.json").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    found: dict[str, str] = json.loads((folder / "run.json").read_text())
    return found


async def _credential(client: httpx.AsyncClient, folder: Path) -> None:
    user = {"username": "bench", "password": "a long enough password", "scope": "worker"}
    (await client.post("/api/v1/users", json=user)).raise_for_status()
    made = (await client.post("/api/v1/tokens", json={"username": "bench"})).raise_for_status()
    (folder / "auth.json").write_text(made.text)


async def _run_jobs(client: httpx.AsyncClient) -> None:
    left = iter(range(JOBS))

    async def submitter() -> None:
        for _ in left:
            body = {"capability": "noop", "params": {"text": "x"}}
            answer = await client.post("/api/v1/jobs", json=body, headers={"Prefer": "wait=60"})
            assert answer.status_code == 200, answer.text

    await asyncio.gather(*(submitter() for _ in range(IN_FLIGHT)))


def _resident_mib(pid: int) -> float:
    """Of /proc, where there is one (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no VmRSS")


def _print(what: str, value: float, unit: str) -> None:
    line = {"bench": "memory", "what": what, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line), flush=True)
