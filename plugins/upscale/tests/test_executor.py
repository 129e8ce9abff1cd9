"""The executor with its real networks, on small pictures."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tron_plugin_upscale.executor as executor_module
from tron_core.testing import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_upscale import MODELS, Upscale, UpscaleParams
from tron_plugin_upscale.config import UpscaleConfig
from tron_plugin_upscale.executor import UpscaleExecutor, tron_register_executors
from tron_plugin_upscale.models import find_models, packaged_folder

HARBOUR = Path(__file__).parents[3] / "tests" / "data" / "harbour.png"


@pytest.fixture(scope="module")
def executor() -> UpscaleExecutor:
    executor = UpscaleExecutor()
    assert executor.unavailable() is None
    return executor


def with_options(**options: object) -> UpscaleExecutor:
    executor = UpscaleExecutor()
    executor.options = UpscaleConfig(**options)
    return executor


def enlarged(
    executor: UpscaleExecutor, picture: Path, ctx_dir: Path, factor: int = 4, model: str | None = None
) -> Image.Image:
    ctx = RecordingContext(ctx_dir, inputs={"image": picture})
    output = executor.run(UpscaleParams(image="up-1", factor=factor, model=model), ctx)
    artifact = ctx.artifacts["upscaled.png"]
    assert (artifact.media_type, artifact.role) == ("image/png", "result")
    image = Image.open(io.BytesIO(artifact.data))
    image.load()
    assert image.size == (output["width"], output["height"])
    return image


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one.convert("RGB"), np.int16) - np.asarray(other.convert("RGB"), np.int16))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_drawing_becomes_larger_and_stays_itself(executor: UpscaleExecutor, tmp_path: Path, factor: int) -> None:
    with Image.open(HARBOUR) as source:
        larger = enlarged(executor, HARBOUR, tmp_path, factor)
        assert larger.size == (source.width * factor, source.height * factor)
        back = larger.resize(source.size, Image.Resampling.BOX)
        assert difference(back, source).mean() < 6


def test_edges_are_sharper_than_interpolation_makes_them(executor: UpscaleExecutor, tmp_path: Path) -> None:
    def sharpness(image: Image.Image) -> float:
        grey = np.asarray(image.convert("L"), np.float64)
        return float(np.percentile(np.abs(np.diff(grey, axis=1)), 99.5))

    larger = enlarged(executor, HARBOUR, tmp_path)
    with Image.open(HARBOUR) as source:
        interpolated = source.resize(larger.size, Image.Resampling.BICUBIC)
    assert sharpness(larger) > 1.3 * sharpness(interpolated)


def test_the_seams_of_tiles_cannot_be_seen(executor: UpscaleExecutor, tmp_path: Path) -> None:
    whole = enlarged(executor, HARBOUR, tmp_path)
    tiled = enlarged(with_options(tile=64), HARBOUR, tmp_path)
    assert difference(whole, tiled).max() <= 2


def test_a_model_of_one_factor_is_reduced_to_a_smaller_one(tmp_path: Path) -> None:
    folder = packaged_folder()
    assert folder is not None
    only_four = tmp_path / "models"
    only_four.mkdir()
    files = find_models(folder)[MODELS[0]][4]
    for ending in (".param", ".bin"):
        shutil.copy(files.with_suffix(ending), only_four / f"mine-x4{ending}")
    executor = with_options(models=only_four)
    assert executor.models() == ["mine"]
    assert enlarged(executor, HARBOUR, tmp_path, factor=3).size == (600, 450)


def test_transparency_grows_with_the_picture(executor: UpscaleExecutor, tmp_path: Path) -> None:
    sprite = Image.new("RGBA", (48, 32), (200, 40, 40, 0))
    sprite.paste((200, 40, 40, 255), (12, 8, 36, 24))
    path = tmp_path / "sprite.png"
    sprite.save(path)
    alpha = np.asarray(enlarged(executor, path, tmp_path).getchannel("A"))
    assert alpha[:24].max() == 0
    assert alpha[40:88, 56:136].min() == 255


def test_the_smallest_picture_is_a_picture(executor: UpscaleExecutor, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), "red").save(path)
    assert enlarged(executor, path, tmp_path).size == (4, 4)


def test_the_picture_says_how_it_was_made(executor: UpscaleExecutor, tmp_path: Path) -> None:
    image = enlarged(executor, HARBOUR, tmp_path, factor=2, model=MODELS[0])
    assert image.text == {"Software": "TRON", "capability": "upscale", "model": MODELS[0], "factor": "2"}


def test_progress_counts_tiles_and_loading_is_told_once(tmp_path: Path) -> None:
    executor = with_options(tile=100)
    assert executor.loaded() == []
    ctx = RecordingContext(tmp_path, inputs={"image": HARBOUR})
    executor.run(UpscaleParams(image="up-1"), ctx)
    assert [(report.step, report.steps) for report in ctx.reports if report.step] == [(n, 4) for n in (1, 2, 3, 4)]
    assert ctx.fractions == sorted(ctx.fractions)
    assert ctx.fractions[-1] == 1
    assert ctx.load_seconds is not None
    assert executor.loaded() == [MODELS[0]]
    again = RecordingContext(tmp_path, inputs={"image": HARBOUR})
    executor.run(UpscaleParams(image="up-1"), again)
    assert again.load_seconds is None


def test_a_cancel_stops_between_two_tiles(tmp_path: Path) -> None:
    executor = with_options(tile=64)
    ctx = RecordingContext(tmp_path, inputs={"image": HARBOUR}, cancel_at=0.2)
    with pytest.raises(Cancelled):
        executor.run(UpscaleParams(image="up-1"), ctx)
    assert ctx.fractions[-1] < 0.4
    assert not ctx.artifacts


def test_an_unknown_model_is_refused_with_those_here(executor: UpscaleExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, inputs={"image": HARBOUR})
    with pytest.raises(ExecutorError, match="realesrgan-x4plus-anime") as caught:
        executor.run(UpscaleParams(image="up-1", model="no-such"), ctx)
    assert caught.value.kind == "invalid"


def test_an_empty_folder_leaves_the_executor_out_with_a_reason(tmp_path: Path) -> None:
    assert "no model in" in (with_options(models=tmp_path).unavailable() or "")


def test_a_diffusion_model_that_cannot_run_here_leaves_the_executor_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tron_plugin_upscale.executor.DIFFUSION", ("json", "no_such_library"))
    reason = with_options(diffusion_models={"x4": "owner/x4"}).unavailable()
    assert reason is not None
    assert "no_such_library not installed: pip install 'tron-plugin-upscale[diffusion]'" in reason


def test_a_diffusion_model_that_is_not_there_leaves_the_executor_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tron_plugin_upscale.executor.DIFFUSION", ())
    assert "diffusion_models: x4: " in (with_options(diffusion_models={"x4": str(tmp_path)}).unavailable() or "")
    executor = with_options(diffusion_models={"x4": "owner/x4"})
    assert executor.unavailable() is None
    assert executor.models()[-1] == "x4"


def test_files_that_are_no_network_are_an_error_that_names_them(tmp_path: Path) -> None:
    for ending in (".param", ".bin"):
        (tmp_path / f"broken-x4{ending}").write_bytes(b"no network")
    with pytest.raises(ValueError, match="broken-x4"):
        enlarged(with_options(models=tmp_path), HARBOUR, tmp_path)


def test_the_demo_runs(executor: UpscaleExecutor, tmp_path: Path) -> None:
    demo = Upscale().demo()
    picture = enlarged(executor, demo.inputs["image"], tmp_path, factor=demo.params["factor"])
    assert picture.size == (640, 480)


def test_the_hook_offers_the_executor() -> None:
    (executor,) = tron_register_executors()
    assert executor.capability == "upscale"
    assert executor.models()[0] == MODELS[0]


def test_where_memory_runs_out_the_others_make_room_and_tiles_become_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = with_options(tile=200)
    plain, tiles = executor_module._enlarged, []

    def short_of_memory(picture: Any, factor: int, enlarger: Any, tile: int, ctx: Any) -> Any:
        tiles.append(tile)
        if len(tiles) == 1:
            raise MemoryError
        return plain(picture, factor, enlarger, tile, ctx)

    monkeypatch.setattr(executor_module, "_enlarged", short_of_memory)
    assert enlarged(executor, HARBOUR, tmp_path).size == (800, 600)
    assert tiles == [200, 100]


def test_no_more_than_two_models_stay_in_memory(tmp_path: Path) -> None:
    executor = with_options()
    for number, factor in enumerate((2, 3, 4, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        enlarged(executor, HARBOUR, folder, factor)
    assert list(executor._loaded) == [(MODELS[0], 4), (MODELS[0], 3)]
