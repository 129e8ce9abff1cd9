"""What goes on around an engine: batches, passes, memory that runs out, files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripted_engine import ScriptedEngine

from tron_core.job import ErrorKind, Role
from tron_core.testing.executors import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_stable_diffusion import drawing, picture_filters, studio
from tron_plugin_stable_diffusion.drawing import Start
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.pipelines import PipelineCache
from tron_plugin_stable_diffusion.sources import PictureConfig
from tron_plugin_stable_diffusion.studio import Studio


class Desk:
    """Models ``one``, ``two`` and ``refiner`` on scripted engines; ``engines`` are those that were opened, in order."""

    def __init__(self, tmp_path: Path) -> None:
        self.ctx = RecordingContext(tmp_path)
        self.engines: list[ScriptedEngine] = []
        self.settings: dict[str, dict[str, Any]] = {}
        config = PictureConfig(models={name: str(tmp_path) for name in ("one", "two", "refiner")}, memory_budget_mb=250)
        self.studio = Studio(config, PipelineCache())

    def open(self, name: str, source: str, kind: str, settings: object) -> ScriptedEngine:
        self.engines.append(ScriptedEngine(name, **self.settings.get(name, {})))
        return self.engines[-1]

    def draw(self, start: Start | None = None, **params: Any) -> dict[str, Any]:
        asked = PictureParams(**{"prompt": "a fox", "steps": 4, "seed": 1, **params})
        return drawing.draw("txt2img", asked, self.ctx, self.studio, start)

    def picture(self, name: str = "image-1.png") -> Image.Image:
        return Image.open(io.BytesIO(self.ctx.artifacts[name].data))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    monkeypatch.setattr(studio, "open_engine", desk.open)
    return desk


def test_pictures_are_made_in_one_batch_and_handed_over_with_a_sheet(desk: Desk) -> None:
    output = desk.draw(count=3)
    [request] = desk.engines[0].requests
    assert request.seeds == (1, 2, 3)
    assert list(desk.ctx.artifacts) == ["image-1.png", "image-2.png", "image-3.png", "sheet.png"]
    assert desk.ctx.artifacts["sheet.png"].role is Role.SHEET
    assert output["seeds"] == [1, 2, 3]
    assert (output["model"], output["width"], output["height"], output["filtered"]) == ("one", 64, 64, 0)
    assert desk.picture("image-2.png").getpixel((0, 0)) == (2, 0, 0)
    assert desk.picture().text["tron:seed"] == "1"  # type: ignore[attr-defined]


def test_one_picture_has_no_sheet(desk: Desk) -> None:
    desk.draw()
    assert list(desk.ctx.artifacts) == ["image-1.png"]


def test_what_the_hub_derived_goes_before_what_was_typed(desk: Desk) -> None:
    desk.draw(
        prompt="fox",
        negative_prompt="cat",
        full_prompt="photo of a fox",
        full_negative_prompt="cat, blurry",
        scheduler_config='{"class": "DDIMScheduler", "args": {"eta": 1}}',
        guidance=0.0,
    )
    [request] = desk.engines[0].requests
    assert (request.prompt, request.negative_prompt, request.guidance) == ("photo of a fox", "cat, blurry", 0.0)
    assert request.scheduler is not None
    assert (request.scheduler.class_name, request.scheduler.args) == ("DDIMScheduler", {"eta": 1})


def test_without_the_hub_sensible_values_are_taken(desk: Desk) -> None:
    output = desk.draw(steps=None)
    [request] = desk.engines[0].requests
    assert (request.prompt, request.negative_prompt) == ("a fox", "")
    assert (output["steps"], output["guidance"]) == (drawing.STEPS, drawing.GUIDANCE)


def test_progress_only_grows_and_ends_at_one(desk: Desk) -> None:
    desk.draw(hires=1.5, refiner="refiner", deterministic=True, count=2)
    assert desk.ctx.fractions == sorted(desk.ctx.fractions)
    assert desk.ctx.fractions[-1] == 1.0
    assert desk.ctx.reports[-2].step == desk.ctx.reports[-2].steps == 4


def test_a_cancelled_job_stops_between_steps(desk: Desk, tmp_path: Path) -> None:
    desk.ctx = RecordingContext(tmp_path, cancel_at=0.5)
    with pytest.raises(Cancelled):
        desk.draw(steps=10)
    assert max(report.step or 0 for report in desk.ctx.reports) == 6
    assert desk.ctx.artifacts == {}


def test_previews_come_every_so_many_steps_but_not_after_the_last(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    artifact = desk.ctx.artifact

    def record(name: str, media_type: str, data: bytes, **role: Any) -> None:
        seen.append(name)
        artifact(name, media_type, data, **role)

    monkeypatch.setattr(desk.ctx, "artifact", record)
    desk.draw(steps=6, preview_every=2)
    assert seen == ["preview.jpg", "preview.jpg", "image-1.png"]
    assert desk.ctx.artifacts["preview.jpg"].role is Role.PREVIEW


def test_deterministic_asks_for_one_picture_at_a_time(desk: Desk) -> None:
    desk.draw(count=3, deterministic=True)
    assert [request.seeds for request in desk.engines[0].requests] == [(1,), (2,), (3,)]
    assert all(request.deterministic for request in desk.engines[0].requests)


def test_a_batch_that_is_too_large_is_made_once_more_one_at_a_time(desk: Desk) -> None:
    desk.settings["one"] = {"room": 1}
    output = desk.draw(count=3)
    assert [request.seeds for request in desk.engines[0].requests] == [(1, 2, 3), (1,), (2,), (3,)]
    assert output["seeds"] == [1, 2, 3]
    assert len(desk.engines) == 1


def test_when_memory_runs_out_the_other_models_go_first(desk: Desk) -> None:
    desk.settings["one"] = {"room": 1}
    desk.draw(model="two")
    desk.ctx.artifacts.clear()
    desk.draw(model="one", count=2)
    assert desk.engines[0].closed
    assert desk.studio.loaded() == ["one"]


def test_one_picture_that_does_not_fit_alone_is_out_of_memory(desk: Desk) -> None:
    desk.settings["one"] = {"room": 0}
    with pytest.raises(ExecutorError) as raised:
        desk.draw()
    assert raised.value.kind is ErrorKind.OUT_OF_MEMORY
    assert raised.value.retryable
    assert "64x64" in raised.value.message
    assert "the GPU is full" in raised.value.message
    assert len(desk.engines[0].requests) == 1


def test_a_batch_that_fits_in_no_way_is_out_of_memory_and_leaves_nothing_loaded(desk: Desk) -> None:
    desk.settings["one"] = {"room": 0}
    with pytest.raises(ExecutorError, match="too little memory"):
        desk.draw(count=2)
    assert [len(request.seeds) for request in desk.engines[0].requests] == [2, 1]
    assert desk.studio.loaded() == []


def test_two_models_over_the_budget_are_swapped(desk: Desk) -> None:
    desk.settings = {"one": {"memory_mb": 200.0}, "two": {"memory_mb": 200.0}}
    for model in ("one", "two", "one"):
        desk.draw(model=model)
        desk.ctx.artifacts.clear()
        assert desk.studio.loaded() == [model]
    assert [engine.closed for engine in desk.engines] == [True, True, False]
    assert desk.ctx.load_seconds is not None


def test_hires_draws_again_from_the_enlarged_pictures(desk: Desk) -> None:
    output = desk.draw(count=2, hires=1.5)
    first, second = desk.engines[0].requests
    assert (second.width, second.height, second.strength) == (96, 96, drawing.HIRES_STRENGTH)
    assert [image.size for image in second.images] == [(96, 96)] * 2
    assert second.seeds == first.seeds
    assert (output["width"], output["height"]) == (96, 96)
    assert desk.picture("image-2.png").getpixel((0, 0)) == (2, 0, 10)


def test_a_refiner_draws_the_last_steps_with_its_own_scheduler(desk: Desk) -> None:
    output = desk.draw(refiner="refiner", refiner_strength=0.25, scheduler_config='{"class": "DDIMScheduler"}')
    assert [engine.name for engine in desk.engines] == ["one", "refiner"]
    [request] = desk.engines[1].requests
    assert (request.strength, request.scheduler) == (0.25, None)
    assert output["model"] == output["revision"] == "one"
    assert desk.picture().text["tron:refiner"] == "refiner"  # type: ignore[attr-defined]


def test_one_at_a_time_keeps_each_seeds_own_picture(desk: Desk) -> None:
    desk.draw(count=3, hires=2, deterministic=True)
    assert [desk.picture(f"image-{number}.png").getpixel((0, 0)) for number in (1, 2, 3)] == [
        (1, 0, 10),
        (2, 0, 10),
        (3, 0, 10),
    ]


def test_a_picture_to_begin_from_is_brought_to_the_size(desk: Desk) -> None:
    start = Start(Image.new("RGB", (30, 20), "lime"), 0.6, Image.new("L", (30, 20), "white"))
    desk.draw(start, count=2, resolution="128x64")
    [request] = desk.engines[0].requests
    assert [image.size for image in request.images] == [(128, 64)]
    assert request.mask is not None
    assert request.mask.size == (128, 64)
    assert request.strength == 0.6
    assert desk.picture().text["tron:strength"] == "0.6"  # type: ignore[attr-defined]


def test_what_the_models_own_checker_refuses_is_withheld(desk: Desk) -> None:
    desk.settings["one"] = {"flags": frozenset({2})}
    output = desk.draw(count=3)
    assert (output["seeds"], output["filtered"]) == ([1, 3], 1)
    assert list(desk.ctx.artifacts) == ["image-1.png", "image-2.png", "sheet.png"]
    assert desk.picture("image-2.png").text["tron:seed"] == "3"  # type: ignore[attr-defined]


def test_when_all_are_withheld_there_is_no_picture(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_filters, "withheld", lambda pictures, params: [True] * len(pictures))
    output = desk.draw(count=2)
    assert (output["seeds"], output["filtered"]) == ([], 2)
    assert desk.ctx.artifacts == {}


def test_where_everything_may_be_shown_nothing_is_filtered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_filters, "withheld", lambda pictures, params: [True] * len(pictures))
    assert desk.draw(nsfw=True)["filtered"] == 0
    assert not desk.engines[0].requests[0].checked


def test_what_an_engine_left_out_is_said(desk: Desk) -> None:
    desk.settings["one"] = {"facts": {"notes": ["no guidance_rescale"], "ignored": ["fox"]}}
    output = desk.draw()
    assert output["note"] == "no guidance_rescale"
    assert output["ignored"] == ["fox"]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"model": "three"}, "model: 'three' is not on this worker; allowed: one, two, refiner"),
        ({"refiner": "three"}, "refiner: 'three' is not on this worker; allowed: one, two, refiner"),
        ({"loras": "ink:much"}, "loras: 'ink:much': the weight must be a number, as in NAME:0.8"),
        ({"scheduler_config": "ddim"}, "scheduler_config: 'ddim' is not {\"class\": CLASS"),
        ({"scheduler_config": '{"class": 3}'}, "scheduler_config: "),
        ({"scheduler_config": '["x"]'}, "scheduler_config: "),
    ],
)
def test_what_cannot_be_asked_is_said_with_what_can(desk: Desk, params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ExecutorError) as raised:
        desk.draw(**params)
    assert raised.value.kind is ErrorKind.INVALID
    assert not raised.value.retryable
    assert raised.value.message.startswith(sentence) or sentence in raised.value.message


def test_adapters_are_read_with_their_weights() -> None:
    assert drawing.parse_loras(" ink:0.8, wool ,neon:-1 ") == (("ink", 0.8), ("wool", 1.0), ("neon", -1.0))
    assert drawing.parse_loras(None) == ()
