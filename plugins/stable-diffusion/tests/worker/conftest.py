"""The executor on real models in miniature. Only fixtures import torch: without it, the tests are skipped."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_core.testing.executors import RecordingContext
from tron_plugin_stable_diffusion.executor import TextToImageExecutor
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import PictureConfig

sys.path.append(str(Path(__file__).parent))  # tiny_models is no test module

STEPS = 3


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: sd, sd-2 (the same with other weights), sdxl, refiner, inpainting; and lora.safetensors."""
    import tiny_models

    folder = tmp_path_factory.mktemp("models")
    tiny_models.stable_diffusion(folder / "sd")
    tiny_models.stable_diffusion(folder / "sd-2", seed=5)
    tiny_models.sdxl(folder / "sdxl")
    tiny_models.sdxl_refiner(folder / "refiner")
    tiny_models.inpainting(folder / "inpainting")
    tiny_models.lora(folder / "lora", folder / "sd")
    return folder


@dataclass
class Drawn:
    """What one job made."""

    output: dict[str, Any]
    ctx: RecordingContext

    @property
    def files(self) -> list[bytes]:
        """The PNGs, in order."""
        names = sorted(name for name in self.ctx.artifacts if name.startswith("image-"))
        return [self.ctx.artifacts[name].data for name in names]

    @property
    def pictures(self) -> list[np.ndarray[Any, Any]]:
        """Their pixels, as numbers that can be subtracted."""
        return [np.asarray(Image.open(io.BytesIO(file))).astype(int) for file in self.files]


class Stage:
    """A worker's executor with the tiny models, and a way to ask it."""

    def __init__(self, models: Path, tmp_path: Path) -> None:
        self.models = models
        self.executor = TextToImageExecutor()
        self._tmp_path = tmp_path
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Set ``[executors.stable-diffusion]``: the models of the folder, and ``changes``."""
        names = ("sd", "sd-2", "sdxl", "refiner", "inpainting")
        settings = {
            "models": {name: str(self.models / name) for name in names},
            "loras": {"style": str(self.models / "lora" / "adapter.safetensors")},
            "device": "cpu",
            **changes,
        }
        self.executor.options = PictureConfig.model_validate(settings)

    def context(self, **given: Any) -> RecordingContext:
        """A context of a job."""
        return RecordingContext(self._tmp_path, **given)

    def draw(self, prompt: str = "a red fox", *, ctx: RecordingContext | None = None, **params: Any) -> Drawn:
        """Have it drawn; few steps and the first model unless ``params`` say otherwise."""
        ctx = ctx or self.context()
        asked = PictureParams(**{"prompt": prompt, "steps": STEPS, "seed": 1, **params})
        return Drawn(self.executor.run(asked, ctx), ctx)


@pytest.fixture
def stage(models: Path, tmp_path: Path) -> Iterator[Stage]:
    yield Stage(models, tmp_path)
    process_cache().close_all()


@pytest.fixture
def draw(stage: Stage) -> Callable[..., Drawn]:
    return stage.draw
