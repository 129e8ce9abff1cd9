"""The contract between the executor and what enlarges a tile: a network on ncnn, or a diffusion model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tron_plugin_upscale.tiles import Pixels


class Enlarger(Protocol):
    """A model in memory that enlarges pictures by one factor."""

    steps: int
    """How often ``step`` is called for each tile."""
    takes_alpha: bool
    """Whether transparency may be enlarged as if it were a picture; one that invents details may not have it."""

    def enlarge(self, pixels: Pixels, step: Callable[[], None]) -> Pixels:
        """Enlarge one tile. What ``step`` raises, Cancelled above all, passes through."""
