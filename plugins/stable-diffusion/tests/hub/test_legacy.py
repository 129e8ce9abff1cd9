"""What workers of discord-tron-master are asked to draw, and what becomes of what they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tron_plugin_stable_diffusion.capability import Txt2Img
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model
from tron_plugin_stable_diffusion.legacy import BEYOND, OldPicture
from tron_plugin_stable_diffusion.params import PictureParams

MODELS = (Model("stabilityai/sdxl"), Model("tron/shapes"), Model("local"), Model("stabilityai/refine", kind="refiner"))


@pytest.fixture
def service() -> Any:
    return SimpleNamespace(catalogue=Catalogue(models={model.name: model for model in MODELS}))


@pytest.fixture
def job(service: Any) -> OldPicture:
    return OldPicture(service)


def params(**given: Any) -> dict[str, Any]:
    known = {"prompt": "a cat", "model": "stabilityai/sdxl", "seed": 7, "steps": 30, "resolution": "1024x768"}
    return PictureParams(**{**known, **given}).model_dump()


def test_such_a_worker_has_the_models_that_it_can_fetch(job: OldPicture) -> None:
    assert job.offer()["models"] == ["stabilityai/sdxl"]


def test_it_is_sent_the_whole_prompt_and_every_setting_that_it_needs(job: OldPicture) -> None:
    config = '{"class": "DDIMScheduler", "args": {"clip_sample": false}}'
    asked = params(guidance=5.0, scheduler="ddim") | {
        "full_prompt": "a cat, painted", "full_negative_prompt": "blur", "scheduler_config": config,
    }  # fmt: skip
    wire = job.to_wire(asked, [])
    assert wire is not None
    assert (wire["module_name"], wire["module_command"]) == ("image_generation", "generate_image")
    assert (wire["image_prompt"], wire["upscaler"], "image_data" in wire) == ("a cat, painted", False, False)
    assert wire["config"] == {
        "model": "stabilityai/sdxl", "resolution": {"width": 1024, "height": 768}, "negative_prompt": "blur",
        "positive_prompt": "", "style": None, "steps": 30, "guidance_scaling": 5.0, "guidance_rescale": 0.0,
        "temperature": 0.0, "strength": 0.8, "seed": 7, "latent_refiner": False, "encode_metadata": True,
    }  # fmt: skip
    assert wire["scheduler_config"] == {
        "name": "ddim", "scheduler": "DDIMScheduler", "use_cases": "", "description": "",
        "config_blob": {"clip_sample": False}, "steps_range_begin": 1, "steps_range_end": 150,
    }  # fmt: skip


@pytest.mark.parametrize(
    "more", [{"loras": "fine:0.8"}, {"hires": 2.0}, {"refiner": "stabilityai/refine"}, {"deterministic": True}]
)
def test_what_it_cannot_do_goes_to_another(job: OldPicture, service: Any, more: dict[str, Any]) -> None:
    assert job.to_wire(params(**more), []) is None
    needs = Txt2Img(cast(Any, service)).requirements(PictureParams(**params(**more)))
    [(name, _)] = needs.compatible
    assert job.offer()["choices"][name] == []
    assert set(job.offer()["choices"]) == set(BEYOND)


def test_the_rest_needs_nothing_of_the_kind(service: Any) -> None:
    assert Txt2Img(cast(Any, service)).requirements(PictureParams(**params())).compatible == ()


def test_the_seeds_are_the_workers_own_where_it_says_them(job: OldPicture) -> None:
    files = [
        SimpleNamespace(metadata={"seed": "42"}),
        SimpleNamespace(metadata={"seed": "x"}),
        SimpleNamespace(metadata={}),
    ]
    output = job.to_output(params(), SimpleNamespace(files=files, model=None))
    assert output == {
        "seeds": [42, 8, 9], "model": "stabilityai/sdxl", "scheduler": None, "steps": 30, "width": 1024, "height": 768,
    }  # fmt: skip
