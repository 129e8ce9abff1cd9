"""The model that ships is a model of diffusers too, and draws the same on torch as on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_plugin_stable_diffusion.engines import EngineSettings, Made, PictureRequest, Preview
from tron_plugin_stable_diffusion.sources import SHAPES, SHAPES_FOLDER

GUIDANCE = 5.0

Generate = Callable[..., Made]
Look = Callable[[Image.Image], list[tuple[str | None, str]]]

pytestmark = pytest.mark.workers


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torch_and_onnx_runtime_make_the_same_picture_of_the_same_noise(generate: Generate) -> None:
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(SHAPES_FOLDER, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    noise = np.random.Generator(np.random.Philox(7)).standard_normal((1, 4, 12, 12), dtype=np.float32)
    prompt = "a red circle above a blue square"
    theirs: Any = pipeline(
        prompt, num_inference_steps=20, guidance_scale=GUIDANCE, latents=torch.from_numpy(noise)
    ).images[0]
    ours: Image.Image = generate(prompt, guidance=GUIDANCE, seeds=(7,)).images[0]
    assert np.abs(np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)).mean() < 1.0


def test_the_engine_on_torch_draws_it_with_previews(look: Look) -> None:
    pytest.importorskip("torch")
    from tron_plugin_stable_diffusion.engines.diffusers import DiffusersEngine

    previews: list[Image.Image] = []

    def step(done: int, steps: int, preview: Preview | None) -> None:
        if preview:
            previews.append(preview())

    engine = DiffusersEngine(SHAPES, str(SHAPES_FOLDER), EngineSettings(device="cpu"))
    prompt = "a red circle above a blue square"
    made = engine.generate(PictureRequest(prompt, "", 20, GUIDANCE, 0.0, (1,), *engine.native), step)
    assert look(made.images[0]) == [("circle", "red"), ("square", "blue"), ("background", "light")]
    assert len(previews) == 20
