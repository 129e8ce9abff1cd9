from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest

from tron_core.sections import validate
from tron_plugin_stable_diffusion import sources
from tron_plugin_stable_diffusion.sources import SHAPES, ModelSource, PictureConfig

Installed = Callable[..., None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Say which libraries count as installed."""

    def installed(*names: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in names else None)

    return installed


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the model that ships with the plugin."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "unet.onnx").write_bytes(b"")
    monkeypatch.setattr(sources, "SHAPES_FOLDER", folder)
    return folder


def section(**values: object) -> PictureConfig:
    """The section as a worker reads it from worker.toml."""
    return validate(
        PictureConfig, values, prefix="executors.stable-diffusion", source="worker.toml", folder=Path(), extra="forbid"
    )


def test_without_a_section_the_model_that_ships_is_offered(shapes: Path, installed: Installed) -> None:
    installed(*sources.ONNX)
    assert sources.problem(section()) is None
    assert list(sources.available(section())) == [SHAPES]


def test_without_onnx_runtime_or_torch_what_to_install_is_said(shapes: Path, installed: Installed) -> None:
    installed("numpy", "PIL")
    assert sources.problem(section()) == (
        "onnxruntime not installed, which tron/shapes needs: pip install 'tron-plugin-stable-diffusion[demo]'; "
        "or name models of your own"
    )


def test_own_models_go_before_the_one_that_ships(shapes: Path, installed: Installed) -> None:
    installed(*sources.ONNX, *sources.TORCH)
    config = section(models=["owner/name", "owner/other"])
    assert list(sources.available(config)) == ["owner/name", "owner/other", SHAPES]
    assert sources.problem(config) is None


def test_models_are_paths_ids_or_tables(tmp_path: Path) -> None:
    config = section(models={"a": str(tmp_path), "b": "owner/b", "c": {"path": "x.safetensors", "config": "owner/c"}})
    assert config.models["a"].local == tmp_path
    assert config.models["b"].local is None
    assert config.models["c"] == ModelSource(path="x.safetensors", config="owner/c")
    assert config.models["c"].local == Path("x.safetensors")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("/nowhere/model", "models: mine: /nowhere/model does not exist"),
        ("{folder}", "models: mine: {folder} is no model in diffusers' format: it has no model_index.json"),
        ("{folder}/model.ckpt", "models: mine: {folder}/model.ckpt is neither a folder nor a .safetensors file"),
    ],
)
def test_a_model_that_cannot_be_opened_is_named(
    source: str, sentence: str, tmp_path: Path, installed: Installed
) -> None:
    installed(*sources.TORCH)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.ckpt").write_bytes(b"")
    config = section(models={"mine": source.format(folder=folder)})
    assert sources.problem(config) == sentence.format(folder=folder)


def test_a_model_that_needs_torch_says_so(installed: Installed) -> None:
    installed(*sources.ONNX)
    assert sources.problem(section(models=["owner/name"])) == (
        "models: owner/name: torch, diffusers, transformers not installed: "
        "pip install 'tron-plugin-stable-diffusion[worker]'"
    )


def test_the_engine_may_be_chosen(shapes: Path, installed: Installed) -> None:
    installed(*sources.ONNX, *sources.TORCH)
    source = ModelSource(path=str(shapes))
    assert sources.engine_of(source, section()) == "onnx"
    assert sources.engine_of(source, section(engine="diffusers")) == "diffusers"
    assert "has no .onnx files" in str(sources.problem(section(engine="onnx", models={"a": str(shapes.parent)})))


def test_a_model_for_onnx_runtime_runs_on_diffusers_where_that_alone_is_installed(
    shapes: Path, installed: Installed
) -> None:
    installed(*sources.TORCH)
    assert sources.engine_of(ModelSource(path=str(shapes)), section()) == "diffusers"


def test_the_token_comes_from_the_environment_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF", "hf_secret")
    config = section(huggingface_token="env:HF")
    assert config.engine_settings.token == "hf_secret"
    assert "hf_secret" not in repr(config)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"device": "gpu"}, "executors.stable-diffusion.device = 'gpu'"),
        ({"dtype": "int8"}, "executors.stable-diffusion.dtype = 'int8'"),
        ({"memory_budget_mb": 0}, "executors.stable-diffusion.memory_budget_mb"),
        ({"preview_every": -1}, "executors.stable-diffusion.preview_every = -1"),
        ({"modles": {}}, "did you mean models?"),
    ],
)
def test_a_wrong_key_is_named(values: dict[str, object], key: str) -> None:
    with pytest.raises(Exception, match=r"worker\.toml") as raised:
        section(**values)
    assert key in str(raised.value)


def test_auto_leaves_the_choice_to_the_engine() -> None:
    settings = section().engine_settings
    assert settings.attention_slicing is settings.cpu_offload is settings.memory_budget_mb is None
    chosen = section(attention_slicing=True, cpu_offload=False, memory_budget_mb=2000).engine_settings
    assert (chosen.attention_slicing, chosen.cpu_offload, chosen.memory_budget_mb) == (True, False, 2000)


def test_the_configuration_is_checked_by_its_own_model() -> None:
    with pytest.raises(pydantic.ValidationError):
        PictureConfig(models={"a": {"path": "x", "sha": "y"}})  # type: ignore[arg-type]


def test_the_documentation_names_every_key() -> None:
    page = Path(__file__).parents[4] / "docs" / "how-to" / "picture-worker.md"
    keys = re.findall(r"^\| `(\w+)` \| ", page.read_text(encoding="utf-8"), re.M)
    assert keys == list(PictureConfig.model_fields)
