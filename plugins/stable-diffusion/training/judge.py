"""Look at a picture with plain image processing, and say where it contradicts a caption. No model has a part in it."""

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
import numpy.typing as npt

from draw import EXTENTS, LIGHT, PALETTE, SIDE
from tron_plugin_stable_diffusion.vocabulary import KINDS, Caption, Shape

LEAST_PIXELS: Final = 60
"""Smaller spots are not shapes; the smallest triangle that is ever drawn has 200."""
LEAST_OVERLAP: Final = 0.72
"""Of a spot and the ideal shape in its bounding box, intersection over union; below it the spot is no known shape."""
SIZE_LIMIT: Final = (EXTENTS["small"][1] + EXTENTS["large"][0]) / 2
FAR_COLOUR: Final = 90.0
"""A pixel further than this from every colour of the palette (Euclidean, RGB bytes) belongs to none."""

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """A shape in a picture; `kind` is None where it is none that we know. Lengths in pixels."""

    kind: str | None
    colour: str
    extent: float
    x: float
    y: float

    def __str__(self) -> str:
        return f"{self.colour} {self.kind or 'something'} of {self.extent:.0f} px at {self.x:.0f}, {self.y:.0f}"


@dataclass(frozen=True, slots=True)
class Sight:
    background: str
    shapes: tuple[Seen, ...]


def look(picture: Picture) -> Sight:
    """What is in an RGB picture of SIDE × SIDE: the colour along its edge, and every spot of another colour."""
    names = list(PALETTE)
    colours = np.array([PALETTE[name] for name in names], dtype=np.float32)
    distances = np.linalg.norm(picture.astype(np.float32)[:, :, None, :] - colours, axis=3)
    labels = np.where(distances.min(axis=2) < FAR_COLOUR, distances.argmin(axis=2), -1)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    background = names[int(np.bincount(edge[edge >= 0], minlength=len(names)).argmax())] if (edge >= 0).any() else LIGHT
    ground = names.index(background)
    shapes = []
    for spot in _spots(labels != ground):
        inside = labels[spot & _inner(spot)]
        inside = inside[(inside >= 0) & (inside != ground)]
        if inside.size:
            shapes.append(_shape(spot, names[int(np.bincount(inside).argmax())]))
    return Sight(background, tuple(shapes))


def faults(caption: Caption, picture: Picture) -> list[str]:
    """Every respect in which `picture` contradicts `caption`; empty where it obeys."""
    sight = look(picture)
    wanted = caption.background or LIGHT
    found = [] if sight.background == wanted else [f"the background is {sight.background}"]
    if len(sight.shapes) != len(caption.shapes):
        return [*found, f"{len(sight.shapes)} shapes: " + "; ".join(map(str, sight.shapes))]
    orders = [_mismatches(caption, order) for order in permutations(sight.shapes)]
    return found + min(orders, key=len)


def _mismatches(caption: Caption, order: tuple[Seen, ...]) -> list[str]:
    found = [fault for shape, seen in zip(caption.shapes, order, strict=True) for fault in _shape_faults(shape, seen)]
    if caption.relation and not _relation_holds(caption.relation, *order):
        found.append(f"{order[0]} is not {caption.relation} {order[1]}")
    if caption.place and not _place_holds(caption.place, order[0]):
        found.append(f"{order[0]} is not {caption.place}")
    return found


def _shape_faults(shape: Shape, seen: Seen) -> list[str]:
    size = "small" if seen.extent < SIZE_LIMIT else "large"
    wrong = (
        (seen.kind is None or (shape.kind is not None and shape.kind != seen.kind))
        or (shape.colour is not None and shape.colour != seen.colour)
        or (shape.size is not None and shape.size != size)
    )
    return [f"{seen} is not {shape}"] if wrong else []


def _relation_holds(relation: str, first: Seen, second: Seen) -> bool:
    """Further apart along the relation's axis than across it, in its direction."""
    right, down = second.x - first.x, second.y - first.y
    along, across = (down, right) if relation in ("above", "below") else (right, down)
    if relation in ("below", "right of"):
        along = -along
    return along > abs(across)


def _place_holds(place: str, seen: Seen) -> bool:
    middle = SIDE / 2
    return {
        "at the top": seen.y < middle,
        "at the bottom": seen.y > middle,
        "on the left": seen.x < middle,
        "on the right": seen.x > middle,
    }[place]


def _shape(spot: Mask, colour: str) -> Seen:
    rows, columns = np.flatnonzero(spot.any(axis=1)), np.flatnonzero(spot.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = int(bottom - top), int(right - left)
    box = spot[top:bottom, left:right]
    overlaps = {kind: _overlap(box, _ideal(kind, height, width)) for kind in KINDS}
    best = max(overlaps, key=lambda kind: overlaps[kind])
    lopsided = min(height, width) < 0.75 * max(height, width)
    kind = None if lopsided or overlaps[best] < LEAST_OVERLAP else best
    return Seen(kind, colour, float(max(height, width)), (left + right) / 2, (top + bottom) / 2)


def _ideal(kind: str, height: int, width: int) -> Mask:
    """The pixels of a shape that fills its box."""
    y = (np.arange(height)[:, None] + 0.5) / height * 2 - 1
    x = (np.arange(width)[None, :] + 0.5) / width * 2 - 1
    if kind == "circle":
        return np.asarray(x * x + y * y <= 1)
    if kind == "triangle":
        return np.asarray(np.abs(x) <= (y + 1) / 2)
    return np.ones((height, width), dtype=bool)


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def _spots(mask: Mask) -> list[Mask]:
    """The connected parts of `mask` (by edges, after a thin rim is taken off) that are large enough, as masks."""
    rest = _inner(mask)
    spots = []
    while rest.any():
        start = np.unravel_index(int(rest.argmax()), rest.shape)
        spot = np.zeros_like(rest)
        spot[start] = True
        size = 0
        while size != (size := int(spot.sum())):
            spot = _grown(spot) & rest
        rest &= ~spot
        whole = _grown(spot) & mask
        if whole.sum() >= LEAST_PIXELS:
            spots.append(whole)
    return spots


def _grown(mask: Mask) -> Mask:
    """With the four neighbours of each pixel."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _inner(mask: Mask) -> Mask:
    """Without the pixels that have a neighbour outside."""
    return np.asarray(~_grown(~mask))
