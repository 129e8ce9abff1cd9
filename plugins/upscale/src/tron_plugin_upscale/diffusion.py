"""The diffusion upscaler on torch: Stable Diffusion x4, which invents the details that a picture is too small to have.

It is asked without a prompt and with a fixed seed: the same picture becomes the same each time on one kind of machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image

from tron_core.worker import ExecutorError
from tron_plugin_upscale.models import DIFFUSION_FACTOR, PIPELINE
from tron_plugin_upscale.tiles import Pixels

# A worker's console is no terminal that could draw a bar.
diffusers.utils.logging.disable_progress_bar()

SIDE_STEP = 8
"""The sides of a tile are filled up to multiples of it: the smallest patch that the UNet sees."""


@dataclass(frozen=True, slots=True)
class DiffusionSettings:
    """How it runs. ``noise``: how much of it (0 to 350) is put on the picture before, for details to grow from."""

    device: str = "auto"
    steps: int = 20
    noise: int = 20
    seed: int = 0
    token: str | None = None


class DiffusionUpscaler:
    """A StableDiffusionUpscalePipeline of diffusers.

    On a GPU its weights are there only while they compute, so that other models of this machine find their memory.
    """

    takes_alpha = False

    def __init__(self, name: str, source: str, settings: DiffusionSettings) -> None:
        """Load a folder or an id of the Hugging Face hub; raises ExecutorError where it cannot be opened."""
        self._settings = settings
        self._device = _find_device(settings.device)
        on_gpu = self._device.startswith("cuda")
        self._pipeline = _open(name, source, torch.float16 if on_gpu else torch.float32, settings.token)
        self._pipeline.set_progress_bar_config(disable=True)
        if on_gpu:
            self._pipeline.enable_model_cpu_offload(device=self._device)
        else:
            self._pipeline.to(self._device)
        self.steps = settings.steps

    def enlarge(self, pixels: Pixels, step: Callable[[], None]) -> Pixels:
        """See Enlarger."""
        height, width = pixels.shape[:2]
        below, right = -height % SIDE_STEP, -width % SIDE_STEP
        filled = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        result = self._pipeline(
            prompt="",
            image=Image.fromarray(filled),
            num_inference_steps=self.steps,
            guidance_scale=1.0,  # nothing to follow, so nothing is computed twice
            noise_level=self._settings.noise,
            generator=torch.Generator("cpu").manual_seed(self._settings.seed),
            callback=lambda *_: step(),
        )
        enlarged: Pixels = np.asarray(result.images[0].convert("RGB"))
        return enlarged[: height * DIFFUSION_FACTOR, : width * DIFFUSION_FACTOR]


def _find_device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _open(name: str, source: str, dtype: Any, token: str | None) -> Any:
    try:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(source, dtype=dtype, token=token)
    except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ExecutorError(f"{name}: {source} cannot be opened: {sentence}", "internal") from error
    if type(pipeline).__name__ != PIPELINE:
        raise ExecutorError(f"{name}: {source} is a {type(pipeline).__name__}; wanted is a {PIPELINE}", "internal")
    return pipeline
