"""`generate` and what belongs to it, through Discord."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tron_core.testing import RecordingContext
from tron_core.testing.discord import Reply
from tron_plugin_stable_diffusion import the_plugin

SHAPES = "tron/shapes"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


async def test_a_bare_prompt_needs_no_setting_where_only_the_small_model_is(stage: Any) -> None:
    reply = await stage.say("!generate a fox")
    assert reply.content.startswith("a fox\n— tron/shapes · 128 × 128 · 20 steps · seed ")
    assert [file.filename for file in reply.attachments] == ["image-1.png"]
    assert stage.drawn.model == SHAPES
    assert stage.drawn.full_prompt == "a fox"
    assert stage.drawn.seed >= 0


async def test_the_model_s_defaults_are_filled_in(make_stage: Any) -> None:
    stage = await make_stage([SHAPES, SD15])
    await stage.say("!generate a fox")
    drawn = stage.drawn
    assert (drawn.model, drawn.steps, drawn.guidance, drawn.resolution) == (SD15, 25, 7.5, "512x512")
    assert drawn.full_negative_prompt.startswith("blurred")
    assert json.loads(drawn.scheduler_config) == {
        "class": "DPMSolverMultistepScheduler",
        "args": {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": True},
    }


async def test_a_model_waits_for_a_worker_with_the_memory_that_it_takes(make_stage: Any) -> None:
    stage = await make_stage([SDXL])
    await stage.alice.say("!generate a fox")
    await (await stage.general.next_reply()).until("too little memory: gpu_memory_mb of 6000 needed")


async def test_flags_and_saved_settings_give_the_same_job(make_stage: Any) -> None:
    stage = await make_stage([SD15])
    await stage.say(
        "!generate a fox --steps 30 --guidance 5.5 --seed 7 --resolution 1024x768 --style anime --scheduler euler-a "
        "--guidance-rescale 0.5 --negative-prompt fog --count 2"
    )
    for setting in (
        "steps 30", "guidance 5.5", "seed 7", "resolution 1024x768", "style anime", "scheduler euler-a",
        "guidance_rescale 0.5", "negative_prompt fog", "count 2",
    ):  # fmt: skip
        assert "⚠️" not in await stage.answer(f"!{setting}")
    await stage.say("!generate a fox")
    first, second = stage.painter.asked
    assert first == second
    assert (first.resolution, first.scheduler, first.full_negative_prompt.startswith("fog, ")) == (
        "1024x768", "euler-a", True,
    )  # fmt: skip
    assert "Japanese animation" in first.full_prompt


async def test_each_line_is_a_job(stage: Any) -> None:
    await stage.alice.say("!generate a fox\nan owl --seed 3\n--steps 9")
    for prompt in ("a fox", "an owl"):
        await (await stage.general.next_reply()).until(f"{prompt}\n—")
    assert {(params.prompt, params.steps) for params in stage.painter.asked} == {("a fox", 9), ("an owl", 9)}


async def test_a_random_seed_is_settled_before_the_job_is_there_and_again_repeats_it(stage: Any) -> None:
    reply = await stage.say("!generate a fox --seed -1 --count 2")
    seed = stage.drawn.seed
    assert f"seeds {seed}, {seed + 1}" in reply.content
    await reply.click("Again")
    await (await stage.general.next_reply()).until(f"seeds {seed}, {seed + 1}")
    first, second = stage.painter.asked
    assert first == second


async def test_what_is_derived_nobody_is_asked_for(stage: Any) -> None:
    reply = await stage.answer("!generate a fox --full-prompt a-hound")
    assert "--full-prompt: there is no such flag" in reply
    assert "--nsfw" not in reply


WRONG = [
    ("--steps 151", "steps"),
    ("--resolution 1000x1001", "1001 is not allowed; allowed: WIDTHxHEIGHT, each from 64 to 2048"),
    ("--resolution 4096x512", "4096 is not allowed"),
    ("--style bogus", "style (bogus): there is none of that name; allowed: base, enhance, anime"),
    ("--scheduler bogus", "scheduler (bogus): there is none of that name; allowed: ddim"),
    ("--model nobody/has-it", "model (nobody/has-it): there is no such model; allowed: "),
    ("--count 5", "count"),
    ("--guidance 31", "guidance"),
    ("--seed -2", "seed"),
]


async def test_what_is_not_allowed_is_said_with_what_is(stage: Any) -> None:
    for flags, said in WRONG:
        reply = await stage.answer(f"!generate a fox {flags}")
        assert reply.startswith("⚠️"), flags
        assert said in reply
    assert not stage.painter.asked


async def test_steps_outside_a_model_s_range_are_refused_with_the_range(make_stage: Any) -> None:
    stage = await make_stage([SD15])
    assert "steps (3): " + SD15 + " does not take so many or few; allowed: 5 to 100" in await stage.answer(
        "!generate a fox --steps 3"
    )
    reply = await stage.answer("!generate a fox --steps 30 --scheduler lcm")
    assert "steps (30): the scheduler lcm does not take so many or few; allowed: 1 to 12" in reply
    await stage.say("!generate a fox --scheduler lcm")
    assert stage.drawn.steps == 12


async def test_a_model_that_no_worker_has_is_said_at_once(stage: Any) -> None:
    await stage.alice.say(f"!generate a fox --model {SD15}")
    await (await stage.general.next_reply()).until("No worker for this now")


async def test_without_a_worker_the_first_that_comes_may_choose(make_stage: Any) -> None:
    stage = await make_stage([])
    await stage.alice.say("!generate a fox")
    await (await stage.general.next_reply()).until("No worker for this now")
    assert stage.watcher.requests[-1].params["model"] is None


async def test_a_model_of_a_worker_s_own_needs_no_catalogue(make_stage: Any) -> None:
    stage = await make_stage(["my-model"])
    await stage.say("!generate a fox")
    assert stage.drawn.model == "my-model"


async def test_the_operator_s_default_goes_before_the_catalogue_s(make_stage: Any) -> None:
    stage = await make_stage([SDXL, SHAPES], default_model=SHAPES)
    await stage.say("!generate a fox")
    assert stage.drawn.model == SHAPES


async def test_the_reply_says_what_was_not_drawn_as_asked(stage: Any) -> None:
    stage.painter.says = {"ignored": ["fox", "snow", "cinematic"], "filtered": 1, "notes": ["The size was 128 × 128."]}
    reply = await stage.answer("!generate a red circle, a fox in snow")
    assert reply.splitlines()[2:] == [
        "Drawn without: fox, snow.",
        "1 picture was held back by the safety filter.",
        "The size was 128 × 128.",
    ]


async def test_words_that_are_blocked_are_refused(make_stage: Any) -> None:
    stage = await make_stage(blocked_prompts=["evil  clown", "/x+z/"])
    assert "prompt: 'evil clown' is not allowed here." in await stage.answer("!generate an EVIL clown")
    assert "'xxz'" in await stage.answer("!generate a fox --positive-prompt xxz")
    await stage.say("!generate evil clowns")
    assert len(stage.painter.asked) == 1


@pytest.mark.parametrize("place", ["an ordinary channel", "an age-restricted one"])
async def test_adult_words_are_for_age_restricted_channels(make_stage: Any, place: str) -> None:
    adult = place == "an age-restricted one"
    stage = await make_stage(nsfw=adult, adult_prompts=["nude"])
    reply = await stage.answer("!generate a nude")
    if adult:
        assert stage.drawn.nsfw
        await stage.answer("!admin set nsfw off", by=stage.manager)
        reply = await stage.answer("!generate a nude")
    assert "prompt: 'nude' is not allowed here; it is in age-restricted channels." in reply


async def test_a_worker_s_filter_is_off_where_adult_pictures_are_always_fine(make_stage: Any) -> None:
    stage = await make_stage(adult="always")
    await stage.say("!generate a fox")
    assert stage.drawn.nsfw


async def test_generate_x_makes_as_many_jobs_with_seeds_of_their_own(stage: Any) -> None:
    asked = await stage.alice.say("!generate-x 3 a fox --steps 9")
    replies = [await stage.general.next_reply() for _ in range(4)]
    for reply in replies:
        await reply.until(lambda each: "3 pictures asked for." in each.content or "a fox\n—" in each.content)
        assert reply.answers == asked.id
    assert len({params.seed for params in stage.painter.asked}) == 3
    assert {(params.prompt, params.steps) for params in stage.painter.asked} == {("a fox", 9)}


async def test_generate_x_goes_on_from_a_seed_that_is_given(stage: Any) -> None:
    await stage.alice.say("!generate-x a fox --times 2 --seed 10 --count 2")
    await _all_there(stage, 3)
    assert sorted(params.seed for params in stage.painter.asked) == [10, 12]


async def test_generate_x_without_a_number_is_three_and_has_a_bound(stage: Any) -> None:
    await stage.alice.say("!generate-x a fox")
    await _all_there(stage, 4)
    assert len(stage.painter.asked) == 3
    assert "times (9): so many are not drawn at once; allowed: 1 to 8" in await stage.answer("!generate-x 9 a fox")
    assert "say what to draw" in await stage.answer("!generate-x 2")
    assert "style (bogus)" in await stage.answer("!generate-x 2 a fox --style bogus")


async def test_generate_x_keeps_to_the_rules_of_its_channel(make_stage: Any) -> None:
    stage = await make_stage(nsfw=True)
    await stage.alice.say("!generate-x 1 a fox")
    await _all_there(stage, 2)
    assert stage.drawn.nsfw


async def test_generate_random_x_draws_what_another_plugin_wrote(stage: Any) -> None:
    await stage.alice.say("!generate-random-x 2 lighthouse")
    await _all_there(stage, 3)
    assert {params.prompt for params in stage.painter.asked} == {
        "an owl on a lighthouse, number 1",
        "an owl on a lighthouse, number 2",
    }
    await stage.alice.say("!generate-random-x 1")
    await _all_there(stage, 2)
    assert stage.writer.themes == ["lighthouse", "lighthouse", ""]


@pytest.mark.parametrize("command", ["generate-x", "generate-random-x"])
async def test_a_hub_that_restarts_meanwhile_asks_for_nothing_twice(stage: Any, tmp_path: Path, command: str) -> None:
    await stage.alice.say(f"!{command} 2 owl")
    await _all_there(stage, 3)
    requests = [request for request in stage.watcher.requests if request.parent]
    job = await stage.watcher.app.job(requests[0].parent)
    capability = next(each for each in the_plugin().capabilities if each.name == job.capability)
    await capability.run(capability.parse(job.params), RecordingContext(tmp_path, job=job.id))
    await stage.say("!generate end")
    assert len(stage.painter.asked) == 3


async def test_generate_random_x_says_where_nobody_writes(stage: Any) -> None:
    stage.writer.idea = None
    assert "Nobody here writes prompts now" in await stage.answer("!generate-random-x 2 owls")
    assert not stage.painter.asked


async def _all_there(stage: Any, count: int) -> list[Reply]:
    replies = [await stage.general.next_reply() for _ in range(count)]
    return [await reply.until(lambda each: "Again" in each.buttons) for reply in replies]
