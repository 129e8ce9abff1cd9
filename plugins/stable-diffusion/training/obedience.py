"""Measure how often tron/shapes draws what a caption says: the share of pictures in which nothing contradicts it.

Runs what ships, on ONNX Runtime; torch is not needed. Every caption states kinds and colours; relations, places, sizes
and backgrounds are judged where it states them. Exits with 1 when fewer than 90 % obey.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

import tron_plugin_stable_diffusion
from draw import random_caption
from judge import faults
from tron_plugin_stable_diffusion.engines import EngineSettings, PictureRequest, SchedulerConfig
from tron_plugin_stable_diffusion.engines.onnx import OnnxEngine
from tron_plugin_stable_diffusion.vocabulary import Caption

SHIPPED: Final = Path(tron_plugin_stable_diffusion.__file__).with_name("shapes")
ENOUGH: Final = 0.9
SEED: Final = 6
"""Of the captions; training draws its own from other seeds."""


@dataclass(frozen=True, slots=True)
class Judged:
    caption: Caption
    faults: list[str]
    picture: Image.Image


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--scheduler", help="class of diffusers; default: the model's own")
    parser.add_argument("--sheet", type=Path, help="write the pictures into this file as well, those at fault first")
    options = parser.parse_args()
    engine = OnnxEngine("tron/shapes", options.model, EngineSettings())
    scheduler = SchedulerConfig(options.scheduler) if options.scheduler else None
    judged = list(measure(engine, options.count, options.steps, options.guidance, scheduler))
    for one in judged:
        if one.faults:
            print(f"{one.caption}: {'; '.join(one.faults)}")
    share = report(judged)
    if options.sheet:
        sheet(judged).save(options.sheet)
    return 0 if share >= ENOUGH else 1


def measure(
    engine: OnnxEngine, count: int, steps: int, guidance: float, scheduler: SchedulerConfig | None
) -> Iterator[Judged]:
    """Draw and judge `count` captions, picture `i` from seed `i`."""
    rng = np.random.default_rng(SEED)
    width, height = engine.native
    for seed in range(count):
        caption = random_caption(rng, complete=True)
        request = PictureRequest(str(caption), "", steps, guidance, 0.0, (seed,), width, height, scheduler)
        picture = engine.generate(request, lambda done, steps, preview: None).images[0]
        yield Judged(caption, faults(caption, np.asarray(picture)), picture)


def report(judged: list[Judged]) -> float:
    """Print a line for each kind of caption and one for all; the share of all that obey."""
    kinds = {
        "one shape": [one for one in judged if len(one.caption.shapes) == 1],
        "two shapes": [one for one in judged if len(one.caption.shapes) == 2],
        "with a relation": [one for one in judged if one.caption.relation],
        "with a place": [one for one in judged if one.caption.place],
        "with a size": [one for one in judged if any(shape.size for shape in one.caption.shapes)],
        "with a background": [one for one in judged if one.caption.background],
        "all": judged,
    }
    print(f"{'captions':<20}{'pictures':>9}{'obey':>6}{'share':>8}")
    for name, ones in kinds.items():
        obeying = sum(not one.faults for one in ones)
        print(f"{name:<20}{len(ones):>9}{obeying:>6}{obeying / max(1, len(ones)):>8.1%}")
    return sum(not one.faults for one in judged) / max(1, len(judged))


def sheet(judged: list[Judged], columns: int = 10) -> Image.Image:
    ordered = sorted(judged, key=lambda one: not one.faults)
    width, height = ordered[0].picture.size
    rows = -(-len(ordered) // columns)
    whole = Image.new("RGB", (columns * width, rows * height))
    for index, one in enumerate(ordered):
        whole.paste(one.picture, (index % columns * width, index // columns * height))
    return whole


if __name__ == "__main__":
    sys.exit(main())
