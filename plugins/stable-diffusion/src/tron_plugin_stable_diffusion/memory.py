"""How much memory there is for models, in MiB."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from tron_plugin_stable_diffusion.folders import MIB

OF_THE_GPU = 0.8
"""The share of a GPU's memory that models may fill; the rest is for what they compute."""
OF_THE_RAM = 0.5
WHERE_UNKNOWN_MB = 8192.0
"""Assumed of a machine that does not say how much memory it has."""


def find_device(wanted: str) -> str:
    """``wanted``, or for ``auto`` the best that torch finds here: ``cuda``, ``mps`` or ``cpu``."""
    if wanted != "auto":
        return wanted
    if importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def absent(device: str) -> str | None:
    """A sentence where ``device`` is a GPU that torch does not find here; None where it may be used."""
    if not device.startswith("cuda"):
        return None
    import torch

    number = int(device.partition(":")[2] or 0)
    count = torch.cuda.device_count()
    return f"torch {torch.__version__} finds {count or 'no'} such GPU{'s' * (count > 1)}" if number >= count else None


def default_budget_mb(device: str) -> float:
    """What models may take on ``device`` unless worker.toml says otherwise."""
    if device.startswith("cuda"):
        return total_gpu_mb(device) * OF_THE_GPU
    return (total_ram_mb() or WHERE_UNKNOWN_MB) * OF_THE_RAM


def total_gpu_mb(device: str) -> float:
    """The memory of a CUDA (or ROCm) device."""
    import torch

    properties: Any = torch.cuda.get_device_properties(torch.device(device))
    return float(properties.total_memory) / MIB


def total_ram_mb() -> float | None:
    """The machine's memory, or the container's limit where that is lower; None where nobody says."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None  # Windows
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        limit = total
    return min(total, limit) / MIB
