"""Finding networks by the names of their files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tron_plugin_upscale import MODELS
from tron_plugin_upscale.models import (
    PACKAGE,
    PIPELINE,
    diffusion_problem,
    find_models,
    name_and_factor,
    native_factor,
    packaged_folder,
)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("REALESRGAN_ANIMAVIDEOV3_UP2X", ("realesr-animevideov3", 2)),
        ("REALESRGAN_X4PLUS_UP4X", ("realesrgan-x4plus", 4)),
        ("REALESRGAN_X4PLUSANIME_UP4X", ("realesrgan-x4plus-anime", 4)),
        ("realesr-animevideov3-x3", ("realesr-animevideov3", 3)),
        ("realesrgan-x4plus-anime", ("realesrgan-x4plus-anime", 4)),
        ("4x-UltraSharp", ("4x-ultrasharp", 4)),
        ("photo_2x", ("photo", 2)),
        ("denoise", None),
        ("x8-giant", None),
    ],
)
def test_name_and_factor_are_read_off_the_file_name(stem: str, expected: tuple[str, int] | None) -> None:
    assert name_and_factor(stem) == expected


def test_only_complete_pairs_count_and_the_known_come_first(tmp_path: Path) -> None:
    for name in ("a-x2.param", "a-x2.bin", "realesrgan-x4plus.param", "realesrgan-x4plus.bin", "half-x4.param"):
        (tmp_path / name).touch()
    found = find_models(tmp_path)
    assert list(found) == ["realesrgan-x4plus", "a"]
    assert found["a"] == {2: tmp_path / "a-x2"}


def test_a_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    assert find_models(tmp_path / "absent") == {}


def test_the_package_is_found_without_being_imported() -> None:
    folder = packaged_folder()
    assert folder is not None
    assert tuple(find_models(folder)) == MODELS
    assert PACKAGE not in sys.modules


@pytest.mark.parametrize(("factor", "native"), [(2, 2), (3, 4), (4, 4)])
def test_the_next_larger_network_stands_in_for_a_missing_factor(factor: int, native: int) -> None:
    assert native_factor((2, 4), factor) == native


def test_no_network_stands_in_for_a_larger_factor() -> None:
    assert native_factor((2,), 4) is None


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (None, "no model_index.json"),
        ("not JSON", "no model_index.json"),
        ('{"_class_name": "StableDiffusionPipeline"}', "a StableDiffusionPipeline; wanted is"),
        (f'{{"_class_name": "{PIPELINE}"}}', ""),
    ],
)
def test_a_folder_of_another_pipeline_is_no_diffusion_upscaler(tmp_path: Path, index: str | None, words: str) -> None:
    if index is not None:
        (tmp_path / "model_index.json").write_text(index)
    assert words in (diffusion_problem(str(tmp_path)) or "")


def test_an_id_of_the_hub_may_be_one_and_a_folder_that_is_not_there_is_none() -> None:
    assert diffusion_problem("stabilityai/stable-diffusion-x4-upscaler") is None
    assert "neither a folder" in (diffusion_problem("/srv/nowhere") or "")
