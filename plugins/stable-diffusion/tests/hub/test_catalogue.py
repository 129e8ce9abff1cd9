"""The catalogue of models and schedulers through Discord: listed for everybody, changed by administrators."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

SHAPES = "tron/shapes"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
TURBO = "stabilityai/sd-turbo"


async def test_the_first_migration_fills_the_catalogue(stage: Any) -> None:
    models = await stage.answer("!model-list")
    assert f"**{SHAPES}** · " in models
    assert "a worker has it" in models
    assert f"**{SDXL}** · " in models
    assert "no worker has it now" in models
    assert "refiner" not in models
    schedulers = await stage.answer("!scheduler-list")
    for name in ("euler", "euler-a", "ddim", "dpm++-2m", "dpm++-2m-karras", "lcm", "unipc", "pndm", "plms", "heun"):
        assert f"**{name}** · " in schedulers
    shown = await stage.answer(f"!model-show {SD15.upper()}")
    assert "steps: 25 (5 to 100)" in shown
    assert "resolution: 512x512" in shown


CHANGES = [
    f"model-add {TURBO}",
    f"model-approve {SHAPES}",
    f"model-delete {SHAPES}",
    f"model-description {SHAPES} mine",
    f"model-allow {SHAPES}",
    f"model-defaults {SHAPES} --steps 3",
    "scheduler-add mine HeunDiscreteScheduler 1 9 mine",
    "scheduler-delete euler",
    "scheduler-description euler mine",
    "scheduler-usage euler mine",
]


async def test_changes_are_for_administrators(make_stage: Any) -> None:
    stage = await make_stage(huggingface_url="http://127.0.0.1:9")
    for command in CHANGES:
        assert "This is for administrators" in await stage.answer(f"!{command}"), command
    for command in CHANGES:
        assert "This is for administrators" not in await stage.answer(f"!{command}", by=stage.manager), command


async def test_an_added_model_waits_for_approval(make_stage: Any) -> None:
    stage = await make_stage([SHAPES, TURBO], huggingface_url="http://127.0.0.1:9")
    added = await stage.answer(f"!model-add {TURBO} image Few steps", by=stage.manager)
    assert f"{TURBO} is in the catalogue and waits for approval" in added
    assert "Hugging Face cannot be reached" in added
    assert "it was added without its metadata" in added
    assert f"model ({TURBO}): it waits for an administrator's approval" in await stage.answer(
        f"!generate a fox --model {TURBO}"
    )
    assert f"Waiting for approval: {TURBO}." in await stage.answer("!model-list")
    assert f"{TURBO} is approved." in await stage.answer(f"!model-approve {TURBO}", by=stage.manager)
    await stage.say(f"!generate a fox --model {TURBO}")
    assert stage.drawn.model == TURBO
    assert "is in the catalogue already" in await stage.answer(f"!model-add {TURBO}", by=stage.manager)
    await stage.answer(f"!model-approve {TURBO} --withdraw", by=stage.manager)
    assert "it waits for" in await stage.answer(f"!generate a fox --model {TURBO}")


async def test_a_model_may_be_described_and_deleted(stage: Any) -> None:
    said = await stage.answer(f"!model-description {SHAPES} Round and square", by=stage.manager)
    assert said == f"{SHAPES}: Round and square"
    assert "Round and square" in await stage.answer("!model-list")
    await stage.answer(f"!model-delete {SDXL}", by=stage.manager)
    assert "there is no such model" in await stage.answer(f"!generate a fox --model {SDXL}")
    assert "it is not in the catalogue" in await stage.answer(f"!model-delete {SDXL}", by=stage.manager)


async def test_a_server_may_allow_some_models_alone(make_stage: Any) -> None:
    stage = await make_stage([SHAPES, SD15])
    assert await stage.answer(f"!model-allow {SHAPES}", by=stage.manager) == f"Allowed on this server: {SHAPES}."
    assert f"model ({SD15}): not on this server; allowed: {SHAPES}." in await stage.answer(
        f"!generate a fox --model {SD15}"
    )
    assert "not on this server" in await stage.answer(f"!model {SD15}")
    assert SD15 not in await stage.answer("!model-list")
    await stage.say("!generate a fox")
    assert stage.drawn.model == SHAPES
    said = await stage.answer(f"!model-allow {SHAPES} --remove", by=stage.manager)
    assert said == "Every approved model is allowed here."
    await stage.say(f"!generate a fox --model {SD15}")


async def test_a_model_s_defaults_hold_where_nobody_says_otherwise(stage: Any) -> None:
    said = await stage.answer(
        f"!model-defaults {SHAPES} --steps 12 --max-steps 40 --resolution 128x128 --guidance 2 --scheduler ddim "
        "--positive-prompt neat --negative-prompt crooked",
        by=stage.manager,
    )
    assert "steps: 12 (1 to 40)" in said
    await stage.say("!generate a circle")
    drawn = stage.drawn
    assert (drawn.steps, drawn.resolution, drawn.guidance, drawn.scheduler) == (12, "128x128", 2, "ddim")
    assert (drawn.full_prompt, drawn.full_negative_prompt) == ("a circle, neat", "crooked")
    await stage.say("!generate a circle --negative-prompt none")
    assert stage.drawn.full_negative_prompt == ""
    assert "allowed: 1 to 40" in await stage.answer("!generate a circle --steps 41")
    assert "say what is to change" in await stage.answer(f"!model-defaults {SHAPES}", by=stage.manager)
    assert "not from min_steps to max_steps" in await stage.answer(
        f"!model-defaults {SHAPES} --steps 50", by=stage.manager
    )
    await stage.answer(f"!model-defaults {SHAPES} --reset --scheduler none", by=stage.manager)
    await stage.say("!generate a circle")
    assert (stage.drawn.steps, stage.drawn.scheduler) == (None, None)


async def test_a_scheduler_may_be_added_used_described_and_deleted(stage: Any) -> None:
    added = await stage.answer(
        '!scheduler-add mine HeunDiscreteScheduler 2 9 Slow and fine --args {"use_karras_sigmas":true}',
        by=stage.manager,
    )
    assert added == "**mine** · Slow and fine · 2 to 9 steps"
    await stage.say("!generate a fox --scheduler mine --steps 9")
    assert json.loads(stage.drawn.scheduler_config) == {
        "class": "HeunDiscreteScheduler",
        "args": {"use_karras_sigmas": True},
    }
    assert "**mine** · Even finer" in await stage.answer("!scheduler-description mine Even finer", by=stage.manager)
    said = await stage.answer('!scheduler-usage mine ["portraits", "cats"]', by=stage.manager)
    assert "for portraits, cats" in said
    assert "for boats" in await stage.answer("!scheduler-usage mine boats", by=stage.manager)
    assert "that is no list" in await stage.answer('!scheduler-usage mine ["a"', by=stage.manager)
    assert "mine is not there any more" in await stage.answer("!scheduler-delete mine", by=stage.manager)
    assert "there is none of that name" in await stage.answer("!generate a fox --scheduler mine")


WRONG = [
    ("mine", "something is missing; allowed: NAME CLASS FEWEST MOST DESCRIPTION"),
    ("Mine! HeunDiscreteScheduler 1 9", "that is no name"),
    ("mine os.system 1 9", "that is no scheduler; allowed: a class of diffusers"),
    ("mine HeunDiscreteScheduler 9 1", "that is no range; allowed: 1 to 150"),
    ("mine HeunDiscreteScheduler 1 9 --args nonsense", "that is no JSON object"),
    ("euler HeunDiscreteScheduler 1 9", "there is one already"),
]


async def test_a_scheduler_that_cannot_be_is_refused(stage: Any) -> None:
    for text, said in WRONG:
        assert said in await stage.answer(f"!scheduler-add {text}", by=stage.manager), text


async def test_only_some_servers_may_change_what_holds_for_all(make_stage: Any) -> None:
    stage = await make_stage(catalogue_guilds=["123456789012345678"])
    said = await stage.answer(f"!model-approve {SHAPES}", by=stage.manager)
    assert "is not changed from this one" in said
    assert "Allowed on this server" in await stage.answer(f"!model-allow {SHAPES}", by=stage.manager)


class TestMetadata:
    """What Hugging Face says, from a server that says it."""

    @pytest.fixture
    async def huggingface(self) -> AsyncIterator[Any]:
        import asyncio

        seen: list[str] = []
        answers: dict[str, tuple[int, Any]] = {}

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.append(head)
            status, body = answers.get(head.split()[1], (404, {"error": "Repository not found"}))
            data = json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
            )
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield type("HuggingFace", (), {"url": f"http://127.0.0.1:{port}", "seen": seen, "answers": answers})

    async def test_a_model_is_added_with_what_is_known_of_it(self, make_stage: Any, huggingface: Any) -> None:
        huggingface.answers[f"/api/models/{TURBO}"] = (
            200,
            {
                "sha": "abc123",
                "pipeline_tag": "text-to-image",
                "library_name": "diffusers",
                "gated": False,
                "tags": ["diffusers", "license:openrail++", "region:us"],
            },
        )
        stage = await make_stage(huggingface_url=huggingface.url, huggingface_token="hf_secret")
        added = await stage.answer(f"!model-add {TURBO}", by=stage.manager)
        assert "pipeline text-to-image, library diffusers, license openrail++" in added
        assert "hf_secret" not in added
        assert "authorization: bearer hf_secret" in huggingface.seen[0].lower()
        shown = await stage.answer(f"!model-show {TURBO}")
        assert "revision: abc123" in shown
        assert "tags: diffusers" in shown

    async def test_the_token_goes_to_no_worker(self, make_stage: Any, huggingface: Any) -> None:
        stage = await make_stage(huggingface_url=huggingface.url, huggingface_token="hf_secret")
        await stage.say("!generate a fox")
        assert "hf_secret" not in str(stage.drawn)

    async def test_what_is_no_model_of_pictures_is_refused(self, make_stage: Any, huggingface: Any) -> None:
        huggingface.answers["/api/models/openai/whisper"] = 200, {"pipeline_tag": "automatic-speech-recognition"}
        stage = await make_stage(huggingface_url=huggingface.url)
        said = await stage.answer("!model-add openai/whisper", by=stage.manager)
        assert "it is for automatic-speech-recognition, not for pictures" in said
        assert "whisper" not in await stage.answer("!model-list")

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ((404, {}), "Hugging Face has no model a/b, or not for this hub's token"),
            ((500, {}), "Hugging Face answered with HTTP 500: it was added without its metadata"),
            ((200, ["odd"]), "Hugging Face's answer cannot be read"),
        ],
    )
    async def test_without_metadata_it_is_added_all_the_same(
        self, make_stage: Any, huggingface: Any, answer: Any, said: str
    ) -> None:
        huggingface.answers["/api/models/a/b"] = answer
        stage = await make_stage(huggingface_url=huggingface.url)
        added = await stage.answer("!model-add a/b", by=stage.manager)
        assert added.startswith("a/b is in the catalogue")
        assert said in added
