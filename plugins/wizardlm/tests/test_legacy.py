"""What workers of discord-tron-master are asked, and what becomes of their answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import tron_core as tron
from tron_plugin_wizardlm import LLM, LLMParams, tron_legacy_job

JOBS = {job.job_type: job for job in tron_legacy_job()}


def params(**given: Any) -> dict[str, Any]:
    return LLMParams(**{"prompt": "Why?", **given}).model_dump()


@pytest.mark.parametrize("job_type", ["llama", "stablelm", "stablevicuna"])
def test_a_language_model_gets_prompt_and_sampling(job_type: str) -> None:
    wire = JOBS[job_type].to_wire(params(system="Be brief.", temperature=0.2, max_tokens=60), [])
    assert wire == {
        "module_name": job_type,
        "module_command": "predict",
        "prompt": "Be brief.\n\nWhy?",
        "config": {
            "temperature": 0.2, "top_p": 0.95, "top_k": 40, "repeat_penalty": 1.1, "max_tokens": 60, "seed": -1,
        },
    }  # fmt: skip
    assert JOBS[job_type].to_wire(params(seed=7), [])["config"]["seed"] == 7


def test_ollama_gets_a_role_and_no_sampling() -> None:
    wire = JOBS["ollama"].to_wire(params(system="Be brief.", temperature=0.2, max_tokens=60), [])
    assert wire == {
        "module_name": "ollama", "module_command": "complete", "author_id": "system", "prompt": "Why?",
        "role": "Be brief.", "model": None, "temperature": 0.2, "max_tokens": 60, "keep_alive": "30m",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "able"),
    [(None, set(JOBS)), ("stablelm", {"stablelm"}), ("vicuna", {"stablevicuna"}), ("wizardlm", set())],
)
def test_a_preset_goes_to_its_own_model_alone(template: str | None, able: set[str]) -> None:
    asked = LLMParams(prompt="Why?", template=template)
    assert {name for name, job in JOBS.items() if job.to_wire(asked.model_dump(), []) is not None} == able
    needs = LLM().requirements(asked)
    for name, job in JOBS.items():
        offered = job.offer()["choices"]
        assert all(choice in offered[field] for field, choice in needs.compatible) == (name in able)


async def test_the_answer_is_a_reply() -> None:
    output = JOBS["llama"].to_output(params(stop="END"), SimpleNamespace(text="Because. END of it"))
    assert output == {"text": "Because. ", "tokens": None, "tokens_per_second": None, "model": "llama"}
    job: Any = None
    reply = await LLM().handle_result(job, tron.Result(output))
    assert reply.text == "Because.\n\n— llama"


def test_a_worker_with_ollama_is_not_told_a_temperature_that_it_takes_for_none() -> None:
    assert JOBS["ollama"].to_wire(params(temperature=0.0), []) is not None
    assert JOBS["ollama"].to_wire(params(temperature=0.0), [])["temperature"] == 0.01
