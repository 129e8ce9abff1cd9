"""The wizardlm plugin of TRON: text from a language model, capability ``llm``. This half runs on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tron_core as tron

MAX_SEED = 2**32 - 2
"""llama.cpp reads the next number as "take a random one"."""


class LLMParams(tron.Params):
    """What can be asked of a language model."""

    prompt: str = tron.Prompt("What to answer or to write", max_length=32_000)
    model: str | None = tron.Setting(None, max_length=100, help="Which model; the worker's first one unless said")
    system: str = tron.Setting("", max_length=4000, help="Who the model is and how it answers")
    temperature: float = tron.Setting(0.9, ge=0, le=2, help="0 always takes the likeliest word, higher is bolder")
    top_p: float = tron.Setting(0.95, ge=0, le=1, help="Choose among the likeliest words that make up this share")
    top_k: int = tron.Setting(40, ge=0, le=1000, help="Choose among so many of the likeliest words; 0 for all")
    repeat_penalty: float = tron.Setting(1.1, ge=0.5, le=2, help="Above 1 makes words that occurred less likely")
    max_tokens: int = tron.Setting(1024, ge=1, le=4096, help="Longest answer; a token is about 3/4 of a word")
    seed: int | None = tron.Setting(None, ge=0, le=MAX_SEED, saved=False, help="The same seed gives the same text")


class LLM(tron.Capability):
    """Text from a language model, streamed while it is written."""

    name = "llm"
    command = tron.Command(
        "llm",
        aliases=["llama", "wizard"],
        summary="Ask a language model",
        flags="leading",
        example="--temperature 0.2 Why is the sky blue?",
    )
    params = LLMParams

    def expected_seconds(self, params: LLMParams) -> float:
        """As if a small model on a CPU wrote the longest answer: 50 tokens a second."""
        return 2.0 + params.max_tokens / 50

    def demo(self) -> tron.Demo:
        """A question that a model of 135 million parameters answers, too."""
        prompt = "What is the capital of France? Answer in one sentence."
        return tron.Demo({"prompt": prompt, "temperature": 0.2, "max_tokens": 60, "seed": 7})

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        """The answer, and below it a line that says which model wrote it and how fast."""
        answer = str(result.output["text"]).strip() or "(The model answered with nothing.)"
        return tron.Reply(text=f"{answer}\n\n{footer(result.output)}")


def footer(output: Mapping[str, Any]) -> str:
    """One line below an answer: ``— smollm2-135m-instruct · 42 tokens · 110 tok/s``, and the executor's note."""
    count, speed = output["tokens"], output["tokens_per_second"]
    parts = [str(output["model"]), f"{count} token{'' if count == 1 else 's'}", f"{speed:.3g} tok/s"]
    if output.get("note"):
        parts.append(str(output["note"]))
    return "— " + " · ".join(parts)


@tron.hookimpl
def tron_register_capabilities() -> list[tron.Capability]:
    """Offer ``llm``."""
    return [LLM()]
