"""The randomness of the diffusers engine: for each picture from its seed alone, on the CPU.

So a picture does not depend on which others are made with it, nor on the GPU that it is made on (but for what the
arithmetic of GPUs differs by).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

Generator = Any
Tensor = Any


def generators(seeds: Sequence[int]) -> list[Generator]:
    """One generator for each picture; a sampler that adds noise in each step goes on to draw from it."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def draw(drawers: Sequence[Generator], shape: Sequence[int], dtype: Any) -> Tensor:
    """The noise to begin from, one row of ``shape`` for each of ``drawers``.

    It is drawn as float32, so that the same seed begins alike whatever type the model computes with.
    """
    rows = [torch.randn(tuple(shape), generator=drawer, dtype=torch.float32) for drawer in drawers]
    return torch.stack(rows).to(dtype)


@contextmanager
def pinned(enabled: bool) -> Iterator[None]:
    """While this lasts, one thread and deterministic algorithms alone; what was set before is put back.

    An operation that has no deterministic algorithm raises RuntimeError.
    """
    if not enabled:
        yield
        return
    threads = torch.get_num_threads()
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        torch.set_num_threads(threads)
