"""The model that ships, on ONNX Runtime, and the judge of its pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_plugin_stable_diffusion.engines import EngineSettings, Made, OnStep, PictureRequest
from tron_plugin_stable_diffusion.engines.onnx import OnnxEngine
from tron_plugin_stable_diffusion.sources import SHAPES, SHAPES_FOLDER

# The scripts of the training are no package; draw and judge are the ones that need no torch.
sys.path.append(str(Path(__file__).parents[2] / "training"))

Generate = Callable[..., Made]


@pytest.fixture(scope="session")
def engine() -> OnnxEngine:
    return OnnxEngine(SHAPES, SHAPES_FOLDER, EngineSettings())


@pytest.fixture
def generate(engine: OnnxEngine) -> Generate:
    """Make pictures of a prompt; what is not said is as the catalogue's defaults would have it."""

    def generate(prompt: str, step: OnStep = lambda done, steps, preview: None, **changes: Any) -> Made:
        return engine.generate(request_of(prompt, **changes), step)

    return generate


def request_of(prompt: str, **changes: Any) -> PictureRequest:
    given: dict[str, Any] = {
        "negative_prompt": "",
        "steps": 20,
        "guidance": 5.0,
        "guidance_rescale": 0.0,
        "seeds": (1,),
        "width": 96,
        "height": 96,
    }
    return PictureRequest(prompt, **{**given, **changes})


@pytest.fixture
def look() -> Callable[[Image.Image], list[tuple[str | None, str]]]:
    """The kinds and colours of a picture's shapes, and of its background, found by plain image processing."""
    import judge

    def look(picture: Image.Image) -> list[tuple[str | None, str]]:
        sight = judge.look(np.asarray(picture))
        return [*sorted((shape.kind, shape.colour) for shape in sight.shapes), ("background", sight.background)]

    return look
