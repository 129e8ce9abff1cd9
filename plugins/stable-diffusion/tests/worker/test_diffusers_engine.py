"""What the engine on diffusers does with real pipelines in miniature."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tron_core.job import ErrorKind, Role
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_stable_diffusion.drawing import Start
from tron_plugin_stable_diffusion.drawing import draw as draw_with
from tron_plugin_stable_diffusion.params import PictureParams

torch = pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

Draw = Callable[..., Any]

LONG = " ".join(["fox"] * 60)
"""With one token a letter, three times what CLIP reads at once."""


def pixels(file: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(file))).astype(int)


def refusal(draw: Draw, **params: Any) -> str:
    with pytest.raises(ExecutorError) as raised:
        draw(**params)
    assert raised.value.kind is ErrorKind.INVALID
    return raised.value.message


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_a_model_draws_at_its_native_size_unless_told_otherwise(draw: Draw, model: str) -> None:
    assert draw(model=model).pictures[0].shape == (64, 64, 3)
    drawn = draw(model=model, resolution="128x64")
    assert drawn.pictures[0].shape == (64, 128, 3)
    assert (drawn.output["width"], drawn.output["height"]) == (128, 64)


def test_each_step_is_told(draw: Draw) -> None:
    reports = draw(model="sdxl", steps=5).ctx.reports
    assert [report.step for report in reports if report.step] == [1, 2, 3, 4, 5]
    assert {report.steps for report in reports if report.step} == {5}


def test_a_cancelled_job_ends_before_its_last_step_and_the_model_stays_usable(stage: Any) -> None:
    whole = stage.draw(model="sdxl", steps=6).files
    ctx = stage.context(cancel_at=0.3)
    with pytest.raises(Cancelled):
        stage.draw(model="sdxl", steps=6, ctx=ctx)
    assert max(report.step or 0 for report in ctx.reports) == 2
    assert ctx.artifacts == {}
    assert stage.executor.loaded() == ["sdxl"]
    assert stage.draw(model="sdxl", steps=6).files == whole


def test_a_preview_is_handed_over_on_the_way(stage: Any) -> None:
    stage.configure(preview_every=2)
    artifact = stage.draw(steps=4).ctx.artifacts["preview.jpg"]
    assert artifact.role is Role.PREVIEW
    assert Image.open(io.BytesIO(artifact.data)).size == (8, 8)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_preview_has_the_colours_that_the_latents_stand_for(models: Path, dtype: str) -> None:
    from diffusers import AutoencoderKL

    from tron_plugin_stable_diffusion.engines.previews import Previews

    vae = AutoencoderKL.from_pretrained(models / "sd" / "vae", dtype=getattr(torch, dtype))
    previews = Previews(vae)
    for strongest in range(3):
        colour = torch.full((1, 3, 1, 1), -1.0, dtype=vae.dtype)
        colour[:, strongest] = 1
        with torch.no_grad():
            latents = vae.encode(colour.expand(1, 3, 64, 64)).latent_dist.mode() * vae.config.scaling_factor
        seen = previews.picture(latents).getpixel((4, 4))
        assert seen.index(max(seen)) == strongest
    assert vae.dtype == getattr(torch, dtype)


def test_guidance_negative_prompt_and_rescale_change_the_picture(draw: Draw) -> None:
    made = [
        draw(guidance=guidance, **params).files
        for guidance, params in [
            (1.0, {}),
            (7.0, {}),
            (7.0, {"negative_prompt": "cat"}),
            (7.0, {"guidance_rescale": 0.7}),
        ]
    ]
    assert len({files[0] for files in made}) == 4


def test_an_adapter_changes_the_picture_by_its_weight_and_leaves_no_trace(draw: Draw) -> None:
    plain = draw().files
    worn = draw(loras="style").files
    assert worn != plain
    assert draw(loras="style:0.5").files not in (plain, worn)
    assert draw(loras="style:1.0").files == worn
    assert draw().files == plain


def test_an_adapter_that_is_not_here_is_refused_with_those_that_are(draw: Draw) -> None:
    assert refusal(draw, loras="ink") == "loras: 'ink' is not on this worker; allowed: style"


def test_an_adapter_of_another_model_is_refused_and_the_model_stays_usable(stage: Any, draw: Draw) -> None:
    stage.configure(loras={"broken": str(stage.models / "sd" / "unet" / "diffusion_pytorch_model.safetensors")})
    plain = draw(model="sdxl").files
    assert refusal(draw, model="sdxl", loras="broken").startswith("loras: broken does not fit the model sdxl: ")
    assert draw(model="sdxl").files == plain


def test_the_refiner_draws_over_what_the_base_made(draw: Draw) -> None:
    base = draw(model="sdxl", steps=4)
    refined = draw(model="sdxl", refiner="refiner", refiner_strength=0.5, steps=4)
    assert refined.files != base.files
    assert refined.output["model"] == "sdxl"
    assert refined.output["revision"] == base.output["revision"]
    steps = [(report.step, report.steps) for report in refined.ctx.reports if report.step]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2)]


def test_the_refiner_alone_is_refused(draw: Draw) -> None:
    assert refusal(draw, model="refiner") == "model: refiner only refines pictures; ask for it as refiner"


def test_hires_makes_a_larger_picture_in_a_second_pass(draw: Draw) -> None:
    drawn = draw(model="sdxl", hires=1.5, count=2, steps=4)
    assert [picture.shape for picture in drawn.pictures] == [(96, 96, 3)] * 2
    assert [report.steps for report in drawn.ctx.reports if report.step] == [4] * 4 + [2] * 2


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_a_long_prompt_is_read_to_its_end(draw: Draw, model: str) -> None:
    one, other = draw(f"{LONG} red", model=model), draw(f"{LONG} blue", model=model)
    assert one.files != other.files
    assert "note" not in one.output


def test_a_long_negative_prompt_is_read_to_its_end(draw: Draw) -> None:
    assert draw(negative_prompt=f"{LONG} red").files != draw(negative_prompt=f"{LONG} blue").files


def test_a_long_prompt_of_four_pictures_is_that_of_each(draw: Draw) -> None:
    together = draw(LONG, count=2, seed=3)
    [alone] = draw(LONG, seed=4).pictures
    assert np.abs(together.pictures[1] - alone).max() <= 1


class TestFromAPicture:
    @pytest.fixture
    def draw_from(self, stage: Any) -> Draw:
        def draw_from(start: Start, **params: Any) -> Any:
            ctx = stage.context()
            asked = PictureParams(**{"prompt": "a fox", "seed": 1, "steps": 4, **params})
            draw_with("img2img", asked, ctx, stage.executor.studio, start)
            return ctx

        return draw_from

    @pytest.fixture
    def image(self) -> Image.Image:
        return Image.effect_noise((64, 64), 80).convert("RGB")

    @pytest.mark.parametrize("model", ["sdxl", "refiner"])
    def test_its_share_of_the_steps_is_taken(self, draw_from: Draw, image: Image.Image, model: str) -> None:
        ctx = draw_from(Start(image, 0.5), model=model)
        assert [(report.step, report.steps) for report in ctx.reports if report.step] == [(1, 2), (2, 2)]

    def test_at_least_one_step_is_taken(self, draw_from: Draw, image: Image.Image) -> None:
        ctx = draw_from(Start(image, 0.01), model="sdxl")
        assert [report.step for report in ctx.reports if report.step] == [1]

    def test_each_seed_gives_another_picture_and_the_same_seed_the_same(
        self, draw_from: Draw, image: Image.Image
    ) -> None:
        files = draw_from(Start(image, 0.8), count=2).artifacts
        again = draw_from(Start(image, 0.8), seed=2).artifacts
        assert files["image-1.png"].data != files["image-2.png"].data
        assert np.abs(pixels(files["image-2.png"].data) - pixels(again["image-1.png"].data)).max() <= 1

    @pytest.mark.parametrize("model", ["inpainting", "sd", "sdxl"])
    def test_a_mask_is_filled(self, draw_from: Draw, image: Image.Image, model: str) -> None:
        mask = Image.new("L", image.size, 0)
        mask.paste(255, (32, 0, 64, 64))
        ctx = draw_from(Start(image, 1.0, mask), model=model)
        assert ctx.artifacts["image-1.png"].media_type == "image/png"

    def test_a_model_for_masks_draws_nothing_else(self, draw_from: Draw, draw: Draw, image: Image.Image) -> None:
        sentence = "model: inpainting only fills masks; it was trained for inpainting"
        assert refusal(draw, model="inpainting") == sentence
        with pytest.raises(ExecutorError, match=sentence):
            draw_from(Start(image, 0.5), model="inpainting")
