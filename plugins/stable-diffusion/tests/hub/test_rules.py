"""The pure parts: completing a request, styles, sizes, word filters, searching."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

import tron_core as tron
from tron_plugin_stable_diffusion import history, resolutions
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.deriving import Situation, derive
from tron_plugin_stable_diffusion.history import Drawn, Search
from tron_plugin_stable_diffusion.huggingface import HuggingFace
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.styles import STYLES
from tron_plugin_stable_diffusion.word_filter import WordFilter

BIG = Model(
    "big/model", kind="base", approved=True, preference=1, steps=30, min_steps=10, max_steps=50, guidance=6.0,
    resolution="1024x1024", negative_prompt="fog", positive_prompt="neat", scheduler="plain", gpu_memory_mb=6000,
)  # fmt: skip
SMALL = Model("small", kind="base", approved=True, preference=9)
FINER = Model("finer", kind="refiner", approved=True, preference=50)
NEW = Model("new", kind="base", approved=False, preference=0)
PLAIN = Scheduler("plain", "EulerDiscreteScheduler", {"timestep_spacing": "leading"})
QUICK = Scheduler("quick", "LCMScheduler", min_steps=1, max_steps=12)

KNOWN = Catalogue(
    {model.name: model for model in (NEW, BIG, SMALL, FINER)}, {each.name: each for each in (PLAIN, QUICK)}, {}
)


def situation(*announced: str, **more: Any) -> Situation:
    return replace(Situation(KNOWN, lambda bound: bound - 1, announced=announced), **more)


def derived(where: Situation, **given: Any) -> dict[str, Any]:
    values = PictureParams(prompt="a fox", **given).model_dump(mode="json")
    result = derive(values, where)
    PictureParams.model_validate_json(json.dumps(result), strict=True)
    return result


def test_what_a_model_says_is_filled_in_and_what_was_given_stays() -> None:
    filled = derived(situation("big/model", "small"))
    assert (filled["model"], filled["steps"], filled["guidance"]) == ("big/model", 30, 6.0)
    assert (filled["full_prompt"], filled["full_negative_prompt"]) == ("a fox, neat", "fog")
    assert json.loads(filled["scheduler_config"])["class"] == "EulerDiscreteScheduler"
    given = derived(situation("big/model"), steps=20, guidance=0.0, negative_prompt="", positive_prompt="wet")
    assert (given["steps"], given["guidance"]) == (20, 0.0)
    assert (given["full_prompt"], given["full_negative_prompt"]) == ("a fox, wet", "")


def test_what_was_derived_once_stays_the_same() -> None:
    where = situation("big/model", "small")
    once = derived(where, style="anime", seed=-1, count=3)
    assert derive(once, where) == once
    assert derive({**once, "full_prompt": "a hound", "nsfw": True}, where) == once


@pytest.mark.parametrize(
    ("announced", "preferred", "chosen"),
    [
        (["small", "big/model"], None, "big/model"),
        (["small"], None, "small"),
        (["small", "big/model"], "small", "small"),
        (["small"], "big/model", "small"),
        (["new", "own"], None, "own"),
        (["new", "finer"], None, None),
        ([], "small", None),
    ],
)
def test_the_default_is_the_first_that_a_worker_has(
    announced: list[str], preferred: str | None, chosen: str | None
) -> None:
    assert derived(situation(*announced, default_model=preferred))["model"] == chosen


def test_a_guild_s_list_holds_for_the_default_and_for_workers_own_models() -> None:
    guild = replace(KNOWN, allowed={"1": frozenset({"small"})})
    where = situation("small", "big/model", "own", catalogue=guild, guild="1")
    assert derived(where)["model"] == "small"
    for name in ("big/model", "own"):
        with pytest.raises(tron.Refused, match="not on this server"):
            derived(where, model=name)
    assert derived(replace(where, guild="2"))["model"] == "big/model"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"model": "none-such"},
            r"model \(none-such\): there is no such model; allowed: small, own, big/model \(no worker has it now\)",
        ),
        ({"model": "finer"}, "it only refines what another model drew"),
        ({"model": "new"}, "it waits for an administrator's approval"),
        ({"model": "BIG/model", "steps": 9}, r"steps \(9\): big/model does not take so many or few; allowed: 10 to 50"),
        ({"model": "small", "steps": 13, "scheduler": "quick"}, "the scheduler quick does not"),
        ({"refiner": "bogus"}, "there is no such model"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(tron.TronError, match=said):
        derived(situation("own", "small"), **given)


def test_a_random_seed_leaves_room_for_all_pictures() -> None:
    assert derived(situation(), seed=-1)["seed"] == 2**32 - 1
    assert derived(situation(), seed=-1, count=4)["seed"] == 2**32 - 4


@pytest.mark.parametrize("name", STYLES)
def test_a_style_keeps_the_prompt_and_both_texts_stay_short(name: str) -> None:
    positive, negative = STYLES[name].apply("a {brace} fox", "fog")
    assert "a {brace} fox" in positive
    assert negative.startswith("fog")
    assert len(positive) < 200
    assert len(negative) < 120


@pytest.mark.parametrize("text", resolutions.RESOLUTIONS)
def test_every_resolution_that_is_offered_may_be_asked_for(text: str) -> None:
    width, height = resolutions.parse(text)
    assert f"{width}x{height}" == text


@pytest.mark.parametrize("text", ["", "x", "12", "-64x64", "64x", "64x2056", "65x64", "٦٤x64", "1e3x64"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: WIDTHxHEIGHT"):
        resolutions.parse(text)


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [
        ("bad", "a BAD thing", "bad"),
        ("bad", "a badge", None),
        ("bad word", "a bad\n word", "bad\n word"),
        ("/ba+d/", "baaaad", "baaaad"),
        ("c++", "some c++ here", "c++"),
        ("straße", "STRASSE", "strasse"),
        ("bad", "ｂａｄ", "bad"),
    ],
)
def test_a_filter_finds_words_however_they_are_written(entry: str, text: str, found: str | None) -> None:
    assert WordFilter([entry]).found(None, "", text) == found


@pytest.mark.parametrize("entry", ["", "  ", "/(/"])
def test_a_filter_that_cannot_be_used_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r"would match every prompt|is no regular expression"):
        WordFilter([entry])


@pytest.mark.parametrize(
    ("terms", "prompt", "fits"),
    [
        ("fox", "a red FOX", True),
        ("fox", "foxes", False),
        ("fox*", "foxes", True),
        ("f?x red", "a red fox", True),
        ("fox --not snow", "a fox in snow", False),
        ("fox --not snow owl", "an owl and a fox", True),
        ("fox —not snow", "a fox in rain", True),
        ("c++ [x]", "c++ and [x]", True),
    ],
)
def test_a_search_finds_words_and_wildcards(terms: str, prompt: str, fits: bool) -> None:
    assert Search.parse(terms).finds(prompt) is fits


def test_the_words_of_many_prompts_are_counted_once_a_prompt() -> None:
    prompts = ["a lighthouse, lighthouse", "a lighthouse", "a lighthouse", "with another storm"]
    entries = [Drawn(str(n), "r", float(n), prompt, "m", 1, 0) for n, prompt in enumerate(prompts)]
    assert history.top_terms(entries) == [("lighthouse", 2), ("storm", 1)]
    assert history.top_prompts(entries, 1) == [("a lighthouse", 2)]


async def test_an_unreachable_hugging_face_is_a_sentence() -> None:
    from tron_plugin_stable_diffusion.huggingface import NoMetadata

    with pytest.raises(NoMetadata, match="Hugging Face cannot be reached"):
        await HuggingFace("http://127.0.0.1:9").facts("a/b")


def test_the_executor_s_side_loads_no_library_of_the_hub_and_the_hub_s_side_none_that_draws() -> None:
    names = {"sqlalchemy", "fastapi", "alembic", "discord", "torch", "diffusers", "numpy", "onnxruntime"}
    for module, allowed in (("executor", set()), ("api", {"sqlalchemy"}), ("plugin", {"sqlalchemy"})):
        script = (
            f"import sys, tron_plugin_stable_diffusion.{module}; print(*{{n.partition('.')[0] for n in sys.modules}})"
        )
        loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        assert names & set(loaded.split()) <= allowed, module
