from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from tron_plugin_stable_diffusion import pictures
from tron_plugin_stable_diffusion.pictures import Recipe

RECIPE = Recipe(
    capability="txt2img",
    prompt="a red fox",
    negative_prompt="",
    model="sd",
    scheduler="EulerAncestralDiscreteScheduler",
    steps=20,
    guidance=7.5,
    seed=42,
    width=512,
    height=768,
)


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_the_file_says_what_the_picture_was_made_from() -> None:
    recipe = replace(RECIPE, negative_prompt="blurry", facts={"revision": "abc", "libraries": {"torch": "2"}})
    picture = opened(pictures.png(Image.new("RGB", (8, 8)), recipe.texts()))
    assert isinstance(picture, Image.Image)
    texts = picture.text  # type: ignore[attr-defined]
    assert texts["tron:prompt"] == "a red fox"
    assert texts["tron:seed"] == "42"
    assert texts["tron:size"] == "512x768"
    assert texts["tron:revision"] == "abc"
    assert texts["tron:libraries"] == '{"torch": "2"}'
    assert texts["Software"] == "TRON"
    assert "tron:strength" not in texts


def test_other_tools_find_the_parameters_where_they_look() -> None:
    recipe = replace(RECIPE, negative_prompt="blurry", loras=(("ink", 0.8),), hires=1.5, strength=0.5)
    assert recipe.parameters() == (
        "a red fox <lora:ink:0.8>\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: sd, "
        "Denoising strength: 0.5, RNG: CPU, Hires upscale: 1.5, Version: TRON"
    )


def test_a_value_with_a_comma_is_quoted_in_the_parameters() -> None:
    assert 'Model: "a, b"' in replace(RECIPE, model="a, b").parameters()


def test_karras_noise_is_named() -> None:
    recipe = replace(RECIPE, scheduler="DPMSolverMultistepScheduler", scheduler_args={"use_karras_sigmas": True})
    assert "Sampler: DPM++ 2M, Schedule type: Karras" in recipe.parameters()


def test_letters_beyond_latin_1_survive() -> None:
    prompt = "ein Füchslein 狐 🦊"
    picture = opened(pictures.png(Image.new("RGB", (8, 8)), replace(RECIPE, prompt=prompt).texts()))
    assert picture.text["tron:prompt"] == prompt  # type: ignore[attr-defined]


def test_equal_pictures_with_equal_recipes_are_equal_files() -> None:
    first, second = (pictures.png(Image.new("RGB", (8, 8), "red"), RECIPE.texts()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("count", "size"), [(1, (100, 50)), (2, (208, 50)), (3, (208, 108)), (4, (208, 108))])
def test_a_sheet_shows_all_in_rows_of_two(count: int, size: tuple[int, int]) -> None:
    colours = ["red", "lime", "blue", "black"][:count]
    sheet = pictures.contact_sheet([Image.new("RGB", (100, 50), colour) for colour in colours])
    assert sheet.size == size
    seen = {sheet.getpixel((x, y)) for x in (0, size[0] - 1) for y in (0, size[1] - 1)}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)} >= seen - {(255, 255, 255)}
    assert len(seen - {(255, 255, 255)}) == count


def test_a_sheet_of_large_pictures_is_made_smaller() -> None:
    sheet = pictures.contact_sheet([Image.new("RGB", (2048, 1024))] * 4)
    assert max(sheet.size) <= pictures.MAX_SHEET
    assert sheet.width == pytest.approx(2 * sheet.height, abs=20)


def test_a_preview_is_a_small_jpeg() -> None:
    picture = opened(pictures.preview(Image.new("RGBA", (1024, 512), "red")))
    assert picture.format == "JPEG"
    assert picture.size == (256, 128)
