"""The hub's half: params, request and reply."""

import subprocess
import sys
from typing import Any

import pytest

import tron_core as tron
from tron_core.errors import InvalidParams
from tron_plugin_wizardlm import LLM, LLMParams, footer, tron_register_capabilities
from tron_plugin_wizardlm.executor import request_of
from tron_plugin_wizardlm.templates import TEMPLATES, Message

OUTPUT = {"text": " Paris.\n", "tokens": 42, "tokens_per_second": 110.4, "model": "smollm2-135m-instruct"}
JOB = tron.Job("1", "llm", {"prompt": "hi"}, tron.JobState.SUCCEEDED, "api:alice", 0.0)


def test_the_plugin_offers_its_capability() -> None:
    capability, *presets = tron_register_capabilities()
    assert capability.name == "llm"
    assert [preset.name for preset in presets] == ["vicuna", "stablelm", "wizard"]
    assert capability.command.flags == "leading"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("temperature", 2.1),
        ("top_p", -0.1),
        ("top_k", 1.5),
        ("repeat_penalty", 0.1),
        ("max_tokens", 4097),
        ("seed", -1),
        ("seed", 2**32 - 1),
        ("stop", "x" * 101),
        ("template", "alpaca"),
        ("unknown", "x"),
    ],
)
def test_params_out_of_their_bounds_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidParams, match=f"^{field}"):
        LLM().parse({"prompt": "hi", field: value})


def test_the_demos_fit_the_params() -> None:
    assert [LLM().parse(demo.params).template for demo in LLM().demo()] == [None, "vicuna"]


def test_a_model_that_is_asked_for_is_required_of_the_worker() -> None:
    assert LLM().requirements(LLMParams(prompt="hi", model="x")).model == "x"
    assert LLM().requirements(LLMParams(prompt="hi")).model is None


def test_longer_answers_are_expected_to_take_longer() -> None:
    short, long = (LLM().expected_seconds(LLMParams(prompt="hi", max_tokens=n)) for n in (10, 4000))
    assert short < long


HI = [Message("user", "hi")]


def test_a_request_carries_the_system_text_before_the_prompt() -> None:
    request = request_of(LLMParams(prompt="hi", system="Be brief."), HI, None)
    assert [message["role"] for message in request["messages"]] == ["system", "user"]


def test_a_request_without_system_text_or_seed_leaves_both_to_the_model() -> None:
    request = request_of(LLMParams(prompt="hi"), HI, None)
    assert [message["role"] for message in request["messages"]] == ["user"]
    assert "seed" not in request
    assert request["stop"] == []


def test_a_request_in_a_template_is_one_text_that_ends_where_another_would_speak() -> None:
    request = request_of(LLMParams(prompt="hi", system="Be brief.", stop="\n"), HI, "vicuna")
    assert request["prompt"] == "Be brief. USER: hi ASSISTANT:"
    assert request["stop"] == ["\n", *TEMPLATES["vicuna"].stop]
    assert "messages" not in request


async def test_the_reply_is_the_answer_and_a_line_about_it() -> None:
    reply = await LLM().handle_result(JOB, tron.Result(OUTPUT))
    assert reply.text == "Paris.\n\n— smollm2-135m-instruct · 42 tokens · 110 tok/s"


async def test_an_empty_answer_is_said_in_words() -> None:
    reply = await LLM().handle_result(JOB, tron.Result({**OUTPUT, "text": "\n"}))
    assert reply.text.startswith("(The model answered with nothing.)")


def test_the_line_says_why_a_text_ends_early() -> None:
    assert footer({**OUTPUT, "note": "cut at max_tokens=42"}).endswith(" · cut at max_tokens=42")
    assert " 1 token ·" in footer({**OUTPUT, "tokens": 1})


@pytest.mark.parametrize("module", ["tron_plugin_wizardlm", "tron_plugin_wizardlm.executor"])
def test_importing_a_half_does_not_load_the_engine(module: str) -> None:
    script = f"import sys, {module}; sys.exit('xllamacpp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
