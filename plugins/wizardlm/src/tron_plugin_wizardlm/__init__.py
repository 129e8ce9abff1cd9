"""The wizardlm plugin of TRON: text from a language model, capability ``llm``. This half runs on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import tron_core as tron
from tron_plugin_wizardlm.params import LLMParams
from tron_plugin_wizardlm.presets import StableLM, Vicuna, Wizard
from tron_plugin_wizardlm.templates import Name

__all__ = ["LLM", "LLMParams"]


class LLM(tron.Capability):
    """Text from a language model, streamed while it is written."""

    name = "llm"
    command = tron.Command(
        "llm",
        aliases=["llama"],
        summary="Ask a language model",
        flags="leading",
        example="--temperature 0.2 Why is the sky blue?",
    )
    params = LLMParams

    def requirements(self, params: LLMParams) -> tron.Requirements:
        """The model, where one is named; a worker that was made for some templates has to have this one."""
        wanted = (("template", params.template),) if params.template else ()
        return tron.Requirements(model=params.model or None, compatible=wanted)

    def choices(self, field: str) -> Sequence[str]:
        return get_args(Name) if field == "template" else ()

    def expected_seconds(self, params: LLMParams) -> float:
        """As if a small model on a CPU wrote the longest answer: 50 tokens a second."""
        return 2.0 + params.max_tokens / 50

    def demo(self) -> Sequence[tron.Demo]:
        """A question that a model of 135 million parameters answers, too; then a conversation in the way of Vicuna."""
        prompt = "What is the capital of France? Answer in one sentence."
        talk = "User: What is the capital of France?\nAssistant: Paris.\nUser: And of Italy?"
        few = {"temperature": 0.2, "max_tokens": 60, "seed": 7}
        return [tron.Demo({"prompt": prompt, **few}), tron.Demo({"prompt": talk, "template": "vicuna", **few})]

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        """The answer, and below it a line that says which model wrote it and how fast."""
        answer = str(result.output["text"]).strip() or "(The model answered with nothing.)"
        return tron.Reply(text=f"{answer}\n\n{footer(result.output)}")


PRESETS = {preset.name: preset for preset in (Vicuna(), StableLM(), Wizard())}


def footer(output: Mapping[str, Any]) -> str:
    """One line below an answer: ``— smollm2-135m-instruct · 42 tokens · 110 tok/s``, and the executor's note."""
    count, speed = output["tokens"], output["tokens_per_second"]
    parts = [str(output["model"])]
    if count is not None and speed is not None:  # not every worker counts
        parts += [f"{count} token{'' if count == 1 else 's'}", f"{speed:.3g} tok/s"]
    if output.get("note"):
        parts.append(str(output["note"]))
    return "— " + " · ".join(parts)


@tron.hookimpl
def tron_register_capabilities() -> list[tron.Capability]:
    """Offer ``llm`` and the commands that ask it in another way."""
    return [LLM(), *PRESETS.values()]


@tron.hookimpl(tryfirst=True)
async def tron_job_submitting(request: tron.JobRequest) -> tron.JobRequest | None:
    """Make what is asked of a preset a request for ``llm``, before others judge it."""
    preset = PRESETS.get(request.capability)
    return None if preset is None else preset.as_llm(request)


@tron.hookimpl(optionalhook=True)
def tron_legacy_job() -> Sequence[Any]:
    """Let workers of discord-tron-master answer."""
    from tron_plugin_wizardlm.legacy import JOBS

    return JOBS


@tron.hookimpl(optionalhook=True)
def tron_legacy_import() -> list[Any]:
    """Take how people of a discord-tron-master had set their models."""
    from tron_plugin_wizardlm.legacy_import import LLMImport

    return [LLMImport()]
