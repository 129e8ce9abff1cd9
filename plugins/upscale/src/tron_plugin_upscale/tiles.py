"""A picture in tiles: pure planning, and the loop that enlarges tile by tile.

A network's result at a pixel depends on its surroundings, so each tile is taken with a margin of its neighbours'
pixels, and the margin is cut off the result. The picture's own border gets none, as it would in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""

MARGIN = 24
"""Pixels. realesr-animevideov3 sees 18 pixels far; the larger networks see farther, and too faintly to matter."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one axis: ``start`` to ``end`` is the tile's own, ``outer_start`` to ``outer_end`` with margins."""

    start: int
    end: int
    outer_start: int
    outer_end: int

    @property
    def outer(self) -> slice:
        return slice(self.outer_start, self.outer_end)

    def enlarged(self, factor: int) -> slice:
        """Where the tile's own pixels go in the result."""
        return slice(self.start * factor, self.end * factor)

    def within(self, factor: int) -> slice:
        """Where the tile's own pixels stand in the enlarged tile."""
        return slice((self.start - self.outer_start) * factor, (self.end - self.outer_start) * factor)


def spans(length: int, tile: int, margin: int = MARGIN) -> list[Span]:
    """Cut ``length`` pixels into the fewest stretches of at most ``tile``, of equal length but for one pixel."""
    count = -(-length // tile)
    cuts = [length * n // count for n in range(count + 1)]
    return [Span(start, end, max(0, start - margin), min(length, end + margin)) for start, end in pairwise(cuts)]


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a picture."""

    rows: Span
    columns: Span


def plan(width: int, height: int, tile: int, margin: int = MARGIN) -> list[Tile]:
    """The tiles of a picture, row by row."""
    columns = spans(width, tile, margin)
    return [Tile(rows, column) for rows in spans(height, tile, margin) for column in columns]


def enlarge(
    pixels: Pixels,
    factor: int,
    tiles: Iterable[Tile],
    network: Callable[[Pixels], Pixels],
) -> Pixels:
    """Enlarge ``pixels`` by ``factor``, the network's own; what ``network`` raises ends the work."""
    height, width, channels = pixels.shape
    result = np.zeros((height * factor, width * factor, channels), np.uint8)
    for tile in tiles:
        rows, columns = tile.rows, tile.columns
        enlarged = network(pixels[rows.outer, columns.outer])
        result[rows.enlarged(factor), columns.enlarged(factor)] = enlarged[rows.within(factor), columns.within(factor)]
    return result
