"""The executor on real pipelines of diffusers, in miniature."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_core.testing import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_img2img import Img2ImgParams
from tron_plugin_img2img.capability import EXAMPLE
from tron_plugin_img2img.executor import ImageToImageExecutor
from tron_plugin_stable_diffusion import PictureParams
from tron_plugin_stable_diffusion.executor import TextToImageExecutor
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import PictureConfig

pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

# The models in miniature are those of the tests of stable-diffusion.
sys.path.append(str(Path(__file__).parents[2] / "stable-diffusion" / "tests" / "worker"))

NAMES = ("sd", "sdxl", "inpainting")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tiny_models

    folder = tmp_path_factory.mktemp("models")
    tiny_models.stable_diffusion(folder / "sd")
    tiny_models.sdxl(folder / "sdxl")
    tiny_models.inpainting(folder / "inpainting")
    return folder


class Desk:
    """Both executors of a worker, and a way to ask them."""

    def __init__(self, models: Path, tmp_path: Path) -> None:
        self.text, self.image, self._tmp_path = TextToImageExecutor(), ImageToImageExecutor(), tmp_path
        self._models = models
        self.configure()

    def configure(self, **changes: Any) -> None:
        """The models, and ``changes``, for both."""
        settings = {"models": {name: str(self._models / name) for name in NAMES}, "device": "cpu", **changes}
        self.text.options = self.image.options = PictureConfig.model_validate(settings)

    def draw_from(self, picture: Path = EXAMPLE, *, mask: Path | None = None, **params: Any) -> bytes:
        """The first file that comes of it; the output goes to ``output``, the context to ``ctx``."""
        inputs = {"image": picture, **({"mask": mask} if mask else {})}
        self.ctx = RecordingContext(self._tmp_path, inputs=inputs, cancel_at=params.pop("cancel_at", None))
        asked = {"image": "up-1", "steps": 4, "seed": 1, "resolution": "64x64", **params}
        self.output = self.image.run(Img2ImgParams.model_validate(asked), self.ctx)
        return self.ctx.artifacts["image-1.png"].data


@pytest.fixture
def desk(models: Path, tmp_path: Path) -> Iterator[Desk]:
    yield Desk(models, tmp_path)
    process_cache().close_all()


def pixels(file: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(file))).astype(int)


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_the_same_job_gives_the_same_file_and_another_picture_another(desk: Desk, tmp_path: Path, model: str) -> None:
    first = desk.draw_from(model=model, prompt="a fox")
    assert desk.draw_from(model=model, prompt="a fox") == first
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64), "green").save(other)
    assert desk.draw_from(other, model=model, prompt="a fox") != first
    assert desk.draw_from(model=model, prompt="a fox", seed=2) != first


def test_four_pictures_are_four_jobs_with_the_seeds_that_follow(desk: Desk) -> None:
    desk.draw_from(count=4, seed=10, deterministic=True)
    together = [desk.ctx.artifacts[f"image-{number}.png"].data for number in (1, 2, 3, 4)]
    assert desk.output["seeds"] == [10, 11, 12, 13]
    assert [desk.draw_from(seed=seed, deterministic=True) for seed in (10, 11, 12, 13)] == together


def test_the_strength_is_the_share_of_the_steps_that_are_taken(desk: Desk) -> None:
    taken = {}
    for strength in (0.0, 0.5, 1.0):
        desk.draw_from(strength=strength, model="sdxl")
        taken[strength] = max(report.step or 0 for report in desk.ctx.reports)
    assert taken == {0.0: 1, 0.5: 2, 1.0: 4}


@pytest.mark.parametrize("model", ["sd", "inpainting"])
def test_a_mask_is_filled_and_the_rest_stays_nearly_as_it_was(desk: Desk, tmp_path: Path, model: str) -> None:
    mask = tmp_path / "mask.png"
    image = Image.new("L", (64, 64), 0)
    image.paste(255, (32, 0, 64, 64))
    image.save(mask)
    nothing = tmp_path / "nothing.png"
    Image.new("L", (64, 64), 0).save(nothing)
    filled = pixels(desk.draw_from(mask=mask, model=model, strength=1.0))
    kept = pixels(desk.draw_from(mask=nothing, model=model, strength=1.0))
    difference = np.abs(filled - kept)
    assert difference[:, 48:].mean() > difference[:, :16].mean()


def test_a_model_for_masks_wants_one(desk: Desk) -> None:
    with pytest.raises(ExecutorError, match="only fills masks"):
        desk.draw_from(model="inpainting")


def test_the_weights_are_loaded_once_for_both_executors(desk: Desk, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    desk.text.run(PictureParams(prompt="a fox", steps=2), ctx)
    assert ctx.load_seconds is not None
    desk.draw_from(prompt="a fox")
    assert desk.ctx.load_seconds is None
    assert desk.image.loaded() == desk.text.loaded() == ["sd"]


def test_two_models_that_do_not_fit_together_are_swapped_between_the_executors(desk: Desk, tmp_path: Path) -> None:
    desk.configure(memory_budget_mb=1)
    desk.text.run(PictureParams(prompt="a fox", model="sdxl", steps=2), RecordingContext(tmp_path))
    desk.draw_from(model="sd")
    assert desk.text.loaded() == ["sd"]
    desk.text.run(PictureParams(prompt="a fox", model="sdxl", steps=2), RecordingContext(tmp_path))
    assert desk.image.loaded() == ["sdxl"]


def test_a_cancel_takes_effect_between_two_steps(desk: Desk) -> None:
    with pytest.raises(Cancelled):
        desk.draw_from(steps=10, strength=1.0, cancel_at=0.2)
    assert not desk.ctx.artifacts
