"""The executor with a scripted engine: what it asks of one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sketching import png

from tron_core.testing import RecordingContext
from tron_core.worker import ExecutorError
from tron_plugin_img2img import Img2ImgParams
from tron_plugin_img2img.executor import STRENGTH, VARIATION_STRENGTH, tron_register_executors


def colour_at(ctx: RecordingContext, place: tuple[int, int]) -> Any:
    return Image.open(io.BytesIO(ctx.artifacts["image-1.png"].data)).convert("RGB").getpixel(place)


def test_so_much_of_the_picture_is_drawn_anew_as_was_asked(studio: Any) -> None:
    ctx = studio.draw(studio.file("a.png", png()), prompt="blue", strength=0.2)
    assert studio.engine.asked.prompt == "blue"
    assert colour_at(ctx, (0, 0)) == (204, 0, 51)


@pytest.mark.parametrize(
    ("prompt", "strength"), [("blue", STRENGTH), ("", VARIATION_STRENGTH), (" ", VARIATION_STRENGTH)]
)
def test_a_prompt_changes_more_than_a_variation(studio: Any, prompt: str, strength: float) -> None:
    studio.draw(studio.file("a.png", png()), prompt=prompt)
    assert studio.engine.asked.strength == strength


def test_the_picture_keeps_its_shape(studio: Any) -> None:
    studio.draw(studio.file("a.png", png((200, 100))))
    assert (studio.output["width"], studio.output["height"]) == (128, 64)
    assert studio.engine.asked.images[0].size == (128, 64)
    studio.draw(studio.file("a.png", png((200, 100))), resolution="512x512")
    assert (studio.output["width"], studio.output["height"]) == (728, 360)


@pytest.mark.parametrize("hires", [None, 1.5])
def test_a_mask_says_where_it_is_drawn_anew_in_every_pass(studio: Any, hires: float | None) -> None:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (32, 0, 64, 64))
    written = io.BytesIO()
    mask.save(written, "PNG")
    image, mask_file = studio.file("a.png", png()), studio.file("mask.png", written.getvalue())
    ctx = studio.draw(image, mask_file, strength=1.0, hires=hires)
    assert colour_at(ctx, (5, 5)) == (255, 0, 0)
    assert colour_at(ctx, (60, 5)) == (0, 0, 255)


def test_several_pictures_have_one_seed_after_the_other_and_a_sheet(studio: Any) -> None:
    ctx = studio.draw(studio.file("a.png", png()), count=3, seed=7)
    assert studio.output["seeds"] == [7, 8, 9]
    assert sorted(ctx.artifacts) == ["image-1.png", "image-2.png", "image-3.png", "sheet.png"]


def test_the_output_and_the_file_say_how_it_was_drawn(studio: Any) -> None:
    ctx = studio.draw(studio.file("a.png", png()), prompt="blue", strength=0.25)
    assert studio.output["model"] == "sketch"
    assert studio.output["revision"] == "scripted"
    texts = Image.open(io.BytesIO(ctx.artifacts["image-1.png"].data)).text  # type: ignore[attr-defined]
    assert texts["tron:capability"] == "img2img"
    assert texts["tron:strength"] == "0.25"
    assert "Denoising strength: 0.25" in texts["parameters"]


def test_the_models_and_what_is_loaded_are_those_of_txt2img(studio: Any) -> None:
    assert studio.image.section == "stable-diffusion"
    assert studio.image.models() == studio.text.models()
    assert studio.image.loaded() == studio.text.loaded() == ["sketch"]
    assert studio.image.unavailable() is None
    studio.draw(studio.file("a.png", png()))
    assert studio.engine is studio.image.studio.engine("sketch", RecordingContext(studio.folder))


def test_an_unknown_model_is_refused_with_those_here(studio: Any) -> None:
    with pytest.raises(ExecutorError, match=r"model: 'other' .* sketch") as caught:
        studio.draw(studio.file("a.png", png()), model="other")
    assert caught.value.kind == "invalid"


def test_a_picture_that_is_too_long_is_refused(studio: Any) -> None:
    with pytest.raises(ExecutorError, match="image: 330 × 10"):
        studio.draw(studio.file("a.png", png((330, 10))))


def test_without_a_picture_nothing_is_drawn(studio: Any, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="image: no file"):
        studio.image.run(Img2ImgParams.model_validate({"image": "up-1"}), RecordingContext(tmp_path))


def test_the_hook_offers_the_executor() -> None:
    assert [executor.capability for executor in tron_register_executors()] == ["img2img"]
