"""The diffusion upscaler: a real pipeline of diffusers, in miniature."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tron_core.testing import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_upscale import UpscaleParams
from tron_plugin_upscale.config import UpscaleConfig
from tron_plugin_upscale.executor import UpscaleExecutor
from tron_plugin_upscale.models import PIPELINE

pytest.importorskip("diffusers", reason="diffusers is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

sys.path.append(str(Path(__file__).parent))  # tiny_upscaler is no test module

STEPS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tiny_upscaler

    return tiny_upscaler.save(tmp_path_factory.mktemp("x4"))


def executor_of(folder: Path, **options: object) -> UpscaleExecutor:
    executor = UpscaleExecutor()
    settings = {"diffusion_models": {"x4": str(folder)}, "diffusion_steps": STEPS, "diffusion_device": "cpu", **options}
    executor.options = UpscaleConfig.model_validate(settings)
    return executor


@pytest.fixture(scope="module")
def executor(folder: Path) -> UpscaleExecutor:
    return executor_of(folder, diffusion_tile=32)


def picture(tmp_path: Path, size: tuple[int, int], mode: str = "RGB") -> Path:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    path = tmp_path / "small.png"
    Image.fromarray(noise, mode).save(path)
    return path


def enlarged(executor: UpscaleExecutor, ctx: RecordingContext, factor: int = 4) -> Image.Image:
    output = executor.run(UpscaleParams(image="up-1", factor=factor, model="x4"), ctx)
    image = Image.open(io.BytesIO(ctx.artifacts["upscaled.png"].data))
    image.load()
    assert output == {"width": image.width, "height": image.height, "model": "x4"}
    return image


def test_it_is_offered_after_the_networks_and_loaded_when_it_is_used(folder: Path, tmp_path: Path) -> None:
    executor = executor_of(folder)
    assert executor.unavailable() is None
    assert executor.models()[-1] == "x4"
    assert executor.loaded() == []
    ctx = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, (16, 16))})
    enlarged(executor, ctx)
    assert executor.loaded() == ["x4"]
    assert ctx.load_seconds is not None


@pytest.mark.parametrize(("size", "factor"), [((32, 24), 4), ((13, 30), 4), ((24, 16), 3), ((1, 1), 2)])
def test_a_picture_of_any_size_becomes_as_large_as_was_asked(
    executor: UpscaleExecutor, tmp_path: Path, size: tuple[int, int], factor: int
) -> None:
    ctx = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, size)})
    assert enlarged(executor, ctx, factor).size == (size[0] * factor, size[1] * factor)


def test_a_large_picture_goes_through_in_tiles_whose_steps_are_told(executor: UpscaleExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, (50, 40))})
    assert enlarged(executor, ctx).size == (200, 160)
    told = [(report.step, report.steps) for report in ctx.reports if report.step]
    assert told == [(step, 4 * STEPS) for step in range(1, 4 * STEPS + 1)]
    assert [report.message for report in ctx.reports if report.step][:3] == ["tile 1 of 4"] * 2 + ["tile 2 of 4"]


def test_the_same_picture_becomes_the_same_and_another_seed_another(folder: Path, tmp_path: Path) -> None:
    path = picture(tmp_path, (16, 16))

    def file(executor: UpscaleExecutor) -> bytes:
        ctx = RecordingContext(tmp_path, inputs={"image": path})
        enlarged(executor, ctx)
        return ctx.artifacts["upscaled.png"].data

    executor = executor_of(folder)
    assert file(executor) == file(executor)
    assert file(executor) != file(executor_of(folder, diffusion_seed=1))


def test_transparency_is_not_invented(executor: UpscaleExecutor, tmp_path: Path) -> None:
    sprite = Image.new("RGBA", (16, 16), (200, 40, 40, 0))
    sprite.paste((200, 40, 40, 255), (4, 4, 12, 12))
    path = tmp_path / "sprite.png"
    sprite.save(path)
    ctx = RecordingContext(tmp_path, inputs={"image": path})
    alpha = np.asarray(enlarged(executor, ctx).getchannel("A"))
    assert alpha[:8].max() == 0
    assert alpha[24:40, 24:40].min() == 255


def test_a_cancel_takes_effect_between_two_steps(executor: UpscaleExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, (50, 40))}, cancel_at=0.1)
    with pytest.raises(Cancelled):
        enlarged(executor, ctx)
    assert not ctx.artifacts
    again = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, (16, 16))})
    assert enlarged(executor, again).size == (64, 64)


def test_a_broken_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    index = {"_class_name": PIPELINE, "unet": ["diffusers", "UNet2DConditionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    ctx = RecordingContext(tmp_path, inputs={"image": picture(tmp_path, (16, 16))})
    with pytest.raises(ExecutorError, match="broken cannot be opened"):
        enlarged(executor_of(folder), ctx)
