"""Captions by chance, and pictures that show exactly what a caption says: the data of tron/shapes.

NumPy alone. Every shape is drawn from its signed distance, so that edges are anti-aliased and whole batches are drawn
at once. Lengths are in pixels of the 96 × 96 picture; y grows downwards.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tron_plugin_stable_diffusion.vocabulary import COLOURS, KINDS, PLACES, RELATIONS, SIZES, Caption, Shape

SIDE: Final = 96
LIGHT: Final = "light"
PALETTE: Final[dict[str, tuple[int, int, int]]] = {
    "red": (216, 40, 44),
    "green": (36, 152, 72),
    "blue": (44, 84, 208),
    "yellow": (244, 204, 40),
    "black": (24, 24, 28),
    "white": (252, 252, 252),
    LIGHT: (206, 210, 214),
}
EXTENTS: Final[dict[str | None, tuple[float, float]]] = {"small": (20, 26), "large": (34, 40), None: (20, 40)}
"""The range of a shape's longer side, by its said size."""
MARGIN: Final = 4.0
GAP: Final = 5.0
"""Least distance of a shape from the edge, and of two shapes from each other along the axis of their relation."""

Rng = np.random.Generator
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Placed:
    """A shape with everything decided; `x` and `y` are the middle of its bounding box."""

    kind: str
    colour: str
    extent: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Scene:
    background: str
    shapes: tuple[Placed, ...]


def random_caption(rng: Rng, *, complete: bool = False) -> Caption:
    """A caption of the grammar; relations come most often, since they are learned last.

    `complete`: every shape has a kind and a colour, so that the picture can be judged in full.
    """
    background = str(rng.choice(COLOURS)) if rng.random() < 0.4 else None
    form = rng.random()
    if form < 0.3:
        place = str(rng.choice(PLACES)) if rng.random() < 0.4 else None
        return Caption((_random_shape(rng, background, complete),), place=place, background=background)
    pair = (_random_shape(rng, background, complete), _random_shape(rng, background, complete))
    relation = str(rng.choice(RELATIONS)) if form < 0.87 else None
    return Caption(pair, relation=relation, background=background)


def _random_shape(rng: Rng, background: str | None, complete: bool) -> Shape:
    said_kind, said_colour = (True, True) if complete else (rng.random() < 0.93, rng.random() < 0.93)
    kind = str(rng.choice(KINDS)) if said_kind else None
    colour = str(rng.choice([colour for colour in COLOURS if colour != background])) if said_colour else None
    size = str(rng.choice(SIZES)) if rng.random() < 0.4 else None
    return Shape(kind, colour, size)


def arrange(caption: Caption, rng: Rng) -> Scene:
    """A scene of which `caption` is true; what it leaves open is decided by chance, the background as plain light."""
    background = caption.background or LIGHT
    free = [colour for colour in COLOURS if colour != background]
    kinds = [shape.kind or str(rng.choice(KINDS)) for shape in caption.shapes]
    colours = [shape.colour or str(rng.choice(free)) for shape in caption.shapes]
    extents = [float(rng.uniform(*EXTENTS[shape.size])) for shape in caption.shapes]
    if len(extents) == 1:
        places = [_single_place(caption.place, extents[0], rng)]
    else:
        places = _pair_places(caption.relation or str(rng.choice(RELATIONS)), extents, rng)
    decided = zip(kinds, colours, extents, places, strict=True)
    return Scene(background, tuple(Placed(kind, colour, extent, x, y) for kind, colour, extent, (x, y) in decided))


def _single_place(place: str | None, extent: float, rng: Rng) -> tuple[float, float]:
    low, high = MARGIN + extent / 2, SIDE - MARGIN - extent / 2
    near, far = (low, max(low, SIDE * 0.34)), (min(high, SIDE * 0.66), high)
    middle = (max(low, SIDE * 0.35), min(high, SIDE * 0.65))
    ranges = {
        "on the left": (near, middle),
        "on the right": (far, middle),
        "at the top": (middle, near),
        "at the bottom": (middle, far),
        None: ((low, high), (low, high)),
    }
    across, down = ranges[place]
    return float(rng.uniform(*across)), float(rng.uniform(*down))


def _pair_places(relation: str, extents: list[float], rng: Rng) -> list[tuple[float, float]]:
    """Along the relation's axis the boxes lie apart; across it they are shifted by less, so nobody can doubt it."""
    first, second = extents
    slack = SIDE - 2 * MARGIN - GAP - first - second
    before, between = np.sort(rng.uniform(0, slack, size=2)) if slack > 0 else (0.0, 0.0)
    forward = relation in ("above", "left of")
    leading, trailing = (first, second) if forward else (second, first)
    start = MARGIN + float(before) + leading / 2
    end = start + leading / 2 + GAP + float(between - before) + trailing / 2
    centre = float(rng.uniform(SIDE * 0.4, SIDE * 0.6))
    most = (end - start) * 0.3
    shift = float(rng.uniform(-most, most)) / 2
    along = (start, end) if forward else (end, start)
    across = [
        float(np.clip(position, MARGIN + extent / 2, SIDE - MARGIN - extent / 2))
        for position, extent in zip((centre - shift, centre + shift), extents, strict=True)
    ]
    if relation in ("left of", "right of"):
        return [(along[0], across[0]), (along[1], across[1])]
    return [(across[0], along[0]), (across[1], along[1])]


def draw(scenes: list[Scene]) -> Pictures:
    """The scenes as RGB pictures, an array of (scene, row, column, channel)."""
    canvas = np.array([PALETTE[scene.background] for scene in scenes], dtype=np.float32)
    pictures = np.broadcast_to(canvas[:, None, None, :], (len(scenes), SIDE, SIDE, 3)).copy()
    for layer in range(max((len(scene.shapes) for scene in scenes), default=0)):
        with_layer = [index for index, scene in enumerate(scenes) if len(scene.shapes) > layer]
        shapes = [scenes[index].shapes[layer] for index in with_layer]
        cover = _coverage(shapes)[..., None]
        colour = np.array([PALETTE[shape.colour] for shape in shapes], dtype=np.float32)[:, None, None, :]
        pictures[with_layer] = pictures[with_layer] * (1 - cover) + colour * cover
    return np.rint(pictures).astype(np.uint8)


def _coverage(shapes: list[Placed]) -> npt.NDArray[np.float32]:
    """How much of each pixel a shape covers, 0 to 1: half a pixel around the edge is blended."""
    grid = np.arange(SIDE, dtype=np.float32) + 0.5
    x = grid[None, None, :] - np.array([shape.x for shape in shapes], dtype=np.float32)[:, None, None]
    y = grid[None, :, None] - np.array([shape.y for shape in shapes], dtype=np.float32)[:, None, None]
    half = np.array([shape.extent / 2 for shape in shapes], dtype=np.float32)[:, None, None]
    kinds = np.array([KINDS.index(shape.kind) for shape in shapes])[:, None, None]
    circle = np.sqrt(x * x + y * y) - half
    square = np.maximum(np.abs(x), np.abs(y)) - half
    # Isosceles, as wide as high, the tip up: two slanted sides (their normals have length √5) and the base.
    triangle = np.maximum((2 * np.abs(x) - y - half) / np.sqrt(np.float32(5)), y - half)
    distance = np.choose(kinds, (circle, square, triangle))
    return np.clip(0.5 - distance, 0, 1).astype(np.float32)
