"""What the executor says of itself to a worker."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine

from tron_core.testing import RecordingContext
from tron_core.worker import Executor
from tron_plugin_stable_diffusion import sources
from tron_plugin_stable_diffusion.executor import TextToImageExecutor, tron_register_executors
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import PictureConfig


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextToImageExecutor:
    monkeypatch.setattr(sources, "SHAPES_FOLDER", tmp_path / "none")
    monkeypatch.setattr(
        "tron_plugin_stable_diffusion.studio.open_engine", lambda name, source, kind, settings: ScriptedEngine(name)
    )
    executor = TextToImageExecutor()
    executor.options = PictureConfig.model_validate({"models": {"one": str(tmp_path), "two": str(tmp_path)}})
    return executor


def test_it_is_found_under_the_name_of_the_plugin() -> None:
    point = EntryPoint("stable-diffusion", "tron_plugin_stable_diffusion.executor", "tron.executors")
    [offered] = point.load().tron_register_executors()
    assert isinstance(offered, Executor)
    assert offered.capability == "txt2img"
    assert offered.section == "stable-diffusion"
    assert len(tron_register_executors()) == 1


def test_it_announces_its_models_and_that_any_may_refine(executor: TextToImageExecutor) -> None:
    assert list(executor.models()) == ["one", "two"]
    assert executor.choices() == {"refiner": ["one", "two"]}
    assert executor.loaded() == []


def test_what_a_job_loaded_is_announced_by_every_executor_of_the_process(
    executor: TextToImageExecutor, tmp_path: Path
) -> None:
    try:
        executor.run(PictureParams(prompt="a fox", steps=1, model="two"), RecordingContext(tmp_path))
        assert executor.loaded() == ["two"]
        other = TextToImageExecutor()
        other.options = executor.options
        assert other.loaded() == ["two"]
    finally:
        process_cache().close_all()


def test_a_broken_model_leaves_it_out_with_a_sentence(executor: TextToImageExecutor, tmp_path: Path) -> None:
    assert str(executor.unavailable()).startswith("models: one: ")
