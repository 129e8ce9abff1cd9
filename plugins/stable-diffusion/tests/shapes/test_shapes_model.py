"""The model that ships: what it draws is what was asked for, and what it says of itself is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_stable_diffusion.engines import EngineSettings, Made, Preview, SchedulerConfig
from tron_plugin_stable_diffusion.engines.onnx import OnnxEngine
from tron_plugin_stable_diffusion.sources import SHAPES_FOLDER

Generate = Callable[..., Made]
Look = Callable[[Image.Image], list[tuple[str | None, str]]]

CAPTIONS = [
    "a red circle above a blue square",
    "a large green triangle on a white background",
    "a yellow square left of a black circle",
    "a small white circle below a large red triangle on a blue background",
    "a black triangle right of a green square on a yellow background",
    "a blue circle on the left",
]


def test_captions_are_obeyed(generate: Generate) -> None:
    """Nearly all of a few; training/obedience.py measures the share over 200."""
    import judge
    from tron_plugin_stable_diffusion.vocabulary import read

    disobeyed = {}
    for seed, caption in enumerate(CAPTIONS):
        picture = generate(caption, seeds=(seed,)).images[0]
        disobeyed[caption] = judge.faults(read(caption).caption, np.asarray(picture))
    assert sum(map(bool, disobeyed.values())) <= 1, disobeyed


@pytest.mark.parametrize(
    "scheduler",
    [
        "DDIMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
    ],
)
def test_each_sampling_method_draws_it(generate: Generate, look: Look, scheduler: str) -> None:
    made = generate("a red circle above a blue square", scheduler=SchedulerConfig(scheduler))
    assert look(made.images[0]) == [("circle", "red"), ("square", "blue"), ("background", "light")]
    assert made.facts["scheduler"] == scheduler
    assert "notes" not in made.facts


def test_a_method_that_is_not_here_is_stood_in_for_and_named(generate: Generate) -> None:
    made = generate(
        "a circle", steps=2, scheduler=SchedulerConfig("HeunDiscreteScheduler", {"use_karras_sigmas": True})
    )
    assert made.facts["scheduler"] == "DPMSolverMultistepScheduler"
    assert made.facts["notes"] == [
        "HeunDiscreteScheduler is not available for this model; DPMSolverMultistepScheduler stood in for it.",
        "Left out of the scheduler's configuration: use_karras_sigmas.",
    ]


def test_a_spacing_that_does_not_exist_is_refused(generate: Generate) -> None:
    with pytest.raises(ExecutorError, match="timestep_spacing: 'odd' is none of leading, linspace, trailing"):
        generate("a circle", scheduler=SchedulerConfig("DDIMScheduler", {"timestep_spacing": "odd"}))


def test_words_outside_the_vocabulary_are_named(generate: Generate) -> None:
    facts = generate("please a RED ball over a square", steps=2).facts
    assert facts["understood"] == ["red", "ball", "over", "square"]
    assert facts["ignored"] == ["please"]


def test_a_prompt_without_any_known_word_still_gives_a_picture(generate: Generate) -> None:
    made = generate("a fox in the snow", steps=2)
    assert made.images[0].size == (96, 96)
    assert made.facts["understood"] == []
    assert made.facts["notes"] == ["No word of the prompt is in the model's vocabulary, so it drew what it liked."]


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(generate: Generate) -> None:
    one, again, other = (generate("a circle", steps=4, seeds=(seed,)).images[0].tobytes() for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_batch_is_exactly_what_its_pictures_are_alone(generate: Generate) -> None:
    batch = generate("a circle", steps=4, seeds=(5, 6, 7, 8)).images
    alone = [generate("a circle", steps=4, seeds=(seed,)).images[0] for seed in (5, 6, 7, 8)]
    assert [picture.tobytes() for picture in batch] == [picture.tobytes() for picture in alone]


def test_each_step_is_reported_with_a_preview(generate: Generate) -> None:
    steps: list[tuple[int, int]] = []
    sizes: list[tuple[int, int]] = []

    def step(done: int, total: int, preview: Preview | None) -> None:
        steps.append((done, total))
        if preview:
            sizes.append(preview().size)

    generate("a circle", step, steps=3, seeds=(1, 2))
    assert steps == [(done, 6) for done in range(1, 7)]
    assert sizes == [(96, 96)] * 6


def test_a_job_can_be_cancelled_between_steps(generate: Generate) -> None:
    def step(done: int, total: int, preview: Preview | None) -> None:
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        generate("a circle", step, steps=4)


def test_a_picture_can_be_begun_from(generate: Generate, look: Look) -> None:
    begun = Image.new("RGB", (96, 96), (206, 210, 214))
    ImageDraw.Draw(begun).ellipse((14, 52, 46, 84), fill=(216, 40, 44))
    kept = generate("a red circle", images=(begun,), strength=0.3).images[0]
    anew = generate("a red circle", images=(begun,), strength=1.0).images[0]
    assert look(kept) == [("circle", "red"), ("background", "light")]
    assert difference(kept, begun) < difference(anew, begun)
    assert difference(kept, begun) < 4


def test_what_is_not_under_the_mask_stays_as_it_was(generate: Generate) -> None:
    begun = Image.new("RGB", (96, 96), (206, 210, 214))
    mask = Image.new("L", (96, 96), 0)
    mask.paste(255, (0, 0, 48, 96))
    made = generate("a red circle on the left", images=(begun,), mask=mask).images[0]
    assert np.array_equal(np.asarray(made)[:, 48:], np.asarray(begun)[:, 48:])


def test_guidance_and_the_negative_prompt_change_the_picture(generate: Generate) -> None:
    variants: list[dict[str, Any]] = [{}, {"guidance": 1.0}, {"negative_prompt": "a circle"}, {"guidance_rescale": 0.7}]
    pictures = [generate("a red shape", steps=4, **changes).images[0].tobytes() for changes in variants]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("size", [(256, 256), (64, 64), (320, 192)])
def test_other_sizes_are_drawn_at_its_own_and_resized(generate: Generate, size: tuple[int, int]) -> None:
    made = generate("a circle", steps=2, width=size[0], height=size[1])
    assert made.images[0].size == size
    assert made.facts["notes"] == ["Drawn at 96x96, the model's only size, and resized."]


def test_adapters_are_refused(generate: Generate) -> None:
    with pytest.raises(ExecutorError, match="loras: the model tron/shapes takes none"):
        generate("a circle", loras=(("ink", 1.0),))


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match=r"tron/shapes: .* is no whole model: .*text_encoder\.onnx"):
        OnnxEngine("tron/shapes", tmp_path, EngineSettings())


def test_it_says_what_it_holds_and_draws(engine: OnnxEngine) -> None:
    assert engine.native == (96, 96)
    assert 1 < engine.memory_mb < 50


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SHAPES_FOLDER.rglob("*") if path.is_file()) < 8_000_000


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean of the channels' absolute differences."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())
