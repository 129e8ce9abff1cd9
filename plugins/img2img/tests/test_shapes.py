"""The executor with the small model that ships with stable-diffusion, on ONNX Runtime."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_core.testing import RecordingContext
from tron_plugin_img2img import Img2ImgParams
from tron_plugin_img2img.capability import EXAMPLE, Img2Img
from tron_plugin_img2img.executor import ImageToImageExecutor
from tron_plugin_stable_diffusion import api
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import SHAPES, SHAPES_FOLDER

pytestmark = pytest.mark.skipif(not SHAPES_FOLDER.is_dir(), reason="tron/shapes is not in this checkout")

COLOURS = {"red": (216, 40, 44), "green": (36, 152, 72), "blue": (44, 84, 208), "yellow": (244, 204, 40)}
NEAR = 60
"""How far a pixel may be from a colour, summed over red, green and blue."""


class Drawer:
    """The executor, and what it drew last."""

    def __init__(self, folder: Path) -> None:
        self.executor, self._folder = ImageToImageExecutor(), folder

    def draw(self, **params: Any) -> np.ndarray[Any, Any]:
        """The pixels of what becomes of the example; the output goes to ``output``, the file to ``file``."""
        inputs = {"image": EXAMPLE, **({"mask": params.pop("with_mask")} if "with_mask" in params else {})}
        ctx = RecordingContext(self._folder, inputs=inputs)
        asked = {"image": "up-1", "model": SHAPES, "seed": 7, "steps": 20, "guidance": 3.0, **params}
        self.output = self.executor.run(Img2ImgParams.model_validate(asked), ctx)
        self.file = ctx.artifacts["image-1.png"].data
        return np.asarray(Image.open(io.BytesIO(self.file)).convert("RGB")).astype(int)


@pytest.fixture
def drawer(tmp_path: Path) -> Iterator[Drawer]:
    yield Drawer(tmp_path)
    process_cache().close_all()


def example(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The example, as large as ``pixels``."""
    size = pixels.shape[1], pixels.shape[0]
    return np.asarray(Image.open(EXAMPLE).convert("RGB").resize(size, Image.Resampling.LANCZOS)).astype(int)


def colours_in(pixels: np.ndarray[Any, Any]) -> set[str]:
    """Those that a hundredth of the picture has."""
    return {
        name
        for name, colour in COLOURS.items()
        if (np.abs(pixels - np.array(colour)).sum(axis=-1) < NEAR).mean() > 0.01
    }


def height_of(name: str, pixels: np.ndarray[Any, Any]) -> float:
    """The row in the middle of a colour, from the top."""
    return float(np.argwhere(np.abs(pixels - np.array(COLOURS[name])).sum(axis=-1) < NEAR)[:, 0].mean())


def test_the_example_becomes_what_the_prompt_says(drawer: Drawer) -> None:
    demo = Img2Img(api.service()).demo()
    assert colours_in(np.asarray(Image.open(EXAMPLE).convert("RGB")).astype(int)) == {"red", "blue"}
    pixels = drawer.draw(**demo.params)
    assert colours_in(pixels) == {"green", "yellow"}
    assert height_of("green", pixels) < height_of("yellow", pixels)
    assert drawer.output["ignored"] == []
    assert drawer.output["width"] == drawer.output["height"]


def test_the_same_job_gives_the_same_file(drawer: Drawer) -> None:
    drawer.draw(prompt="a green circle")
    first = drawer.file
    drawer.draw(prompt="a green circle")
    assert drawer.file == first


def test_a_variation_stays_nearer_to_the_picture_the_less_is_drawn_anew(drawer: Drawer) -> None:
    away = []
    for strength in (0.2, 1.0):
        pixels = drawer.draw(strength=strength)
        away.append(np.abs(pixels - example(pixels)).mean())
    assert away[0] < away[1]
    assert "notes" not in drawer.output


def test_what_a_mask_leaves_black_stays_as_it_was(drawer: Drawer, tmp_path: Path) -> None:
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 64, 128, 128))
    mask.save(tmp_path / "mask.png")
    pixels = drawer.draw(prompt="a yellow square", strength=1.0, with_mask=tmp_path / "mask.png")
    kept = slice(0, int(len(pixels) * 0.45))
    assert np.abs(pixels - example(pixels))[kept].mean() < 0.5
