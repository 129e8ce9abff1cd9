"""Choosing what one's pictures are drawn with, and taking it over from a picture, through Discord."""

from __future__ import annotations

from typing import Any

SHAPES = "tron/shapes"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"


CHOSEN: list[tuple[str, str, str, Any]] = [
    ("steps 30", "`pictures.steps` is **30**", "steps", 30),
    ("guidance 5.5", "is **5.5**", "guidance", 5.5),
    ("guidance_rescale 0.7", "is **0.7**", "guidance_rescale", 0.7),
    ("seed 42", "is **42**", "seed", 42),
    ("negative_prompt fog and rain", "fog and rain", "negative_prompt", "fog and rain"),
    ("settings positive_prompt golden light", "golden light", "positive_prompt", "golden light"),
    ("settings pictures.count 2", "is **2**", "count", 2),
    ("style anime", "Your style is **anime** from now on.", "style", "anime"),
    ("resolution 1024x768", "Your resolution is **1024x768** from now on.", "resolution", "1024x768"),
    ("resolution 832×1216", "Your resolution is **832x1216** from now on.", "resolution", "832x1216"),
    ("scheduler DDIM", "Your scheduler is **ddim** from now on.", "scheduler", "ddim"),
    ("model TRON/shapes", "Your model is **tron/shapes** from now on.", "model", SHAPES),
]


async def test_what_is_chosen_holds_from_the_next_picture_on(stage: Any) -> None:
    for command, said, _, _ in CHOSEN:
        assert said in await stage.answer(f"!{command}"), command
    await stage.say("!generate a fox")
    expected = {field: value for _, _, field, value in CHOSEN}
    assert {field: getattr(stage.drawn, field) for field in expected} == expected


async def test_a_seed_may_be_random_again(stage: Any) -> None:
    await stage.answer("!seed 42")
    assert "another each time" in await stage.answer("!seed random")
    for _ in range(2):
        await stage.say("!generate a fox")
    assert 42 not in {params.seed for params in stage.painter.asked}


WRONG = [
    ("steps 500", "a whole number from 1 to 150"),
    ("guidance 31", "a number from 0 to 30"),
    ("resolution 1000x1001", "1001 is not allowed; allowed: WIDTHxHEIGHT"),
    ("resolution big", "it is no size; allowed: WIDTHxHEIGHT"),
    ("settings resolution 1000x1001", "1001 is not allowed"),
    ("style bogus", "there is none of that name; allowed: base, enhance"),
    ("scheduler bogus", "there is none; allowed: ddim"),
    ("model nobody/has-it", "there is no such model; allowed: "),
]


async def test_what_is_not_allowed_is_not_saved(stage: Any) -> None:
    for command, said in WRONG:
        assert said in await stage.answer(f"!{command}"), command
    await stage.say("!generate a fox")
    assert (stage.drawn.steps, stage.drawn.resolution, stage.drawn.style) == (20, None, None)


ASKED = [
    ("style", "Your style is the usual one."),
    ("resolution", "Landscape: 1984x512"),
    ("scheduler", "Your scheduler is the usual one."),
    ("model", "Your model is the usual one.\nThat is tron/shapes now."),
    ("styles", "pixel-art"),
    ("steps", "`pictures.steps`"),
]


async def test_without_a_value_the_present_one_is_told(stage: Any) -> None:
    for command, said in ASKED:
        assert said in await stage.answer(f"!{command}"), command


async def test_the_present_choice_is_marked_and_may_be_undone(stage: Any) -> None:
    await stage.answer("!resolution 1024x960")
    assert "**1024x960**" in await stage.answer("!resolution")
    await stage.answer("!style anime")
    assert "**anime**" in await stage.answer("!styles")
    assert await stage.answer("!style none") == "Your style is the usual one."
    await stage.say("!generate a fox")
    assert (stage.drawn.style, stage.drawn.resolution) == (None, "1024x960")


async def test_the_settings_of_a_picture_may_be_taken_over_but_not_its_seed(stage: Any) -> None:
    reply = await stage.say("!generate a fox --steps 9 --style anime --seed 5")
    await stage.answer("!guidance 3", by=stage.manager)
    copied = await reply.click("Copy settings", by=stage.manager)
    await copied.until("Your settings are those of the picture: style anime, model tron/shapes, steps 9")
    await stage.manager.say("!generate an owl")
    await stage.drew(2)
    assert stage.drawn.prompt == "an owl"
    drawn = stage.drawn
    assert (drawn.steps, drawn.style, drawn.model, drawn.guidance) == (9, "anime", SHAPES, 5.0)
    assert drawn.seed != 5


async def test_the_seed_of_a_picture_may_be_taken_over(stage: Any) -> None:
    assert "There is no job" in await stage.answer("!copy-seed 01ARZ3NDEKTSV4RRFFQ69G5FAV")
    reply = await stage.say("!generate a fox --seed 5")
    await (await reply.click("Copy seed", by=stage.manager)).until("Your seed is **5** from now on")
    await stage.manager.say("!generate an owl")
    await stage.drew(2)
    assert stage.drawn.prompt == "an owl"
    assert stage.drawn.seed == 5


async def test_the_same_prompt_with_ones_own_settings(stage: Any) -> None:
    reply = await stage.say("!generate a fox --steps 9 --style anime")
    await stage.answer("!steps 12", by=stage.manager)
    await reply.click("My settings", by=stage.manager)
    await stage.drew(2)
    drawn = stage.drawn
    assert (drawn.prompt, drawn.steps, drawn.style) == ("a fox", 12, None)


async def test_the_same_with_a_new_seed_by_button_and_by_reaction(stage: Any) -> None:
    reply = await stage.say("!generate a fox --steps 9 --seed 5")
    await reply.click("New seed")
    await stage.drew(2)
    await reply.react("♻️", by=stage.alice)
    await stage.drew(3)
    seeds = [params.seed for params in stage.painter.asked]
    assert seeds[0] == 5
    assert len(set(seeds)) == 3
    assert [params.steps for params in stage.painter.asked] == [9, 9, 9]


async def test_what_was_drawn_can_be_found_again(stage: Any) -> None:
    for prompt in ("a red fox in snow", "a red owl at night", "a blue fox"):
        await stage.say(f"!generate {prompt}")
    await stage.say("!generate a red herring", by=stage.manager)
    found = await stage.answer("!search red --not night")
    assert found.splitlines()[0] == "1 of your prompts fit:"
    assert "- a red fox in snow · tron/shapes, seed " in found
    assert "2 of your prompts fit" in await stage.answer("!search f?x")
    assert "None of your prompts fits." in await stage.answer("!search herring")
    raw = await stage.answer("!random 2 raw")
    assert len(raw.splitlines()) == 2
    assert set(raw.splitlines()) <= {"a red fox in snow", "a red owl at night", "a blue fox"}
    assert (await stage.answer("!random")).count("\n- ") == 3
    assert "allowed: 1 to 25" in await stage.answer("!random 99")
    stats = await stage.answer("!stats")
    assert "3 pictures of 3 different prompts." in stats


async def test_what_was_drawn_is_forgotten_with_the_person(stage: Any) -> None:
    await stage.say("!generate a red fox")
    await stage.answer("!forget-me yes")
    assert "None of your prompts fits." in await stage.answer("!search fox")


async def test_slash_commands_offer_what_there_is(stage: Any) -> None:
    alice = stage.alice
    assert await alice.completions("generate", "model", "sh") == [SHAPES]
    assert SD15 in await alice.completions("generate", "model", "")
    assert await alice.completions("generate", "style", "pix") == ["pixel-art"]
    assert await alice.completions("generate", "scheduler", "euler") == ["euler", "euler-a"]
    assert await alice.completions("generate", "resolution", "1024x1") == ["1024x1024"]
    assert await alice.completions("model", "value", "v1-5") == [SD15]
    assert "refiner" in (await alice.completions("generate", "refiner", ""))[0]
    reply = await alice.slash("generate", prompt="a fox", steps=9, style="anime")
    await reply.until("9 steps")
