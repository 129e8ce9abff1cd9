"""What this machine is, as it is announced to the hub; no model library is asked."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
from pathlib import Path

from tron_core.hub.protocol import Hardware

NVIDIA_TIMEOUT = 5.0
"""Seconds that nvidia-smi gets: a driver in trouble never answers."""
MIB = 1024 * 1024


async def find_hardware() -> Hardware:
    """Look at processor, memory and the first NVIDIA GPU; what cannot be found out is left out."""
    gpu, gpu_memory_mb = await find_gpu()
    return Hardware(
        gpu=gpu, gpu_memory_mb=gpu_memory_mb, cpu=find_cpu(), memory_mb=find_memory_mb(), platform=platform.platform()
    )


async def find_gpu() -> tuple[str | None, int | None]:
    """The name and memory (MiB) of the first GPU that nvidia-smi shows."""
    program = shutil.which("nvidia-smi")
    if program is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return None, None
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "--query-gpu=name,memory.total",
            "--format=csv,noheader,nounits",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None, None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), NVIDIA_TIMEOUT)
    except TimeoutError:
        return None, None
    finally:
        await _end(process)
    return parse_gpu(output.decode(errors="replace")) if process.returncode == 0 else (None, None)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        # One that hangs in its driver does not even die of this.
        await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=1.0)


def parse_gpu(output: str) -> tuple[str | None, int | None]:
    """Read ``NVIDIA H100 80GB HBM3, 81559``; the memory of some is "[N/A]"."""
    name, _, memory = output.partition("\n")[0].rpartition(",")
    if not name:
        return None, None
    return name.strip(), int(memory) if memory.strip().isdecimal() else None


def find_cpu() -> str | None:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # not a Linux
    return platform.processor() or platform.machine() or None


def find_memory_mb() -> int | None:
    """The machine's memory in MiB, or the container's limit where that is lower."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None  # Windows
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        limit = total
    return min(total, limit) // MIB
