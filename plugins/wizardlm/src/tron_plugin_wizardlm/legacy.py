"""Jobs of ``llm`` as workers of discord-tron-master know them, for the plugin `legacy`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SAMPLING = ("temperature", "top_p", "top_k", "repeat_penalty", "max_tokens")


COLD = 0.01
"""Such a worker takes a temperature of 0 for none, and its own default, 0.7."""


@dataclass(frozen=True, slots=True)
class Language:
    """One of the language models that a worker announces by a name of its own. ``template`` is the way of asking that
    it stands for: such a job goes to no other of them, one without any to all."""

    job_type: str
    template: str | None = None
    capability: str = "llm"

    def offer(self) -> Mapping[str, Any]:
        """No model by name: it is not told which one a worker has."""
        return {"choices": {"template": [self.template] if self.template else []}}

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """The prompt, which the worker puts into the model's own form, and how to draw from what it says."""
        if params.get("template") not in (None, self.template):
            return None
        seed = params.get("seed")
        config = {**_sampling(params), "seed": -1 if seed is None else seed}
        keys = {"module_name": self.job_type, "module_command": "predict", "config": config}
        return {**keys, "prompt": _with_system(params)}

    def to_output(self, params: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:
        """The text; a worker does not say of how many tokens it is."""
        return _output(params, answer.text, self.job_type)


@dataclass(frozen=True, slots=True)
class Ollama:
    """Whatever model an Ollama server beside the worker answers with."""

    job_type: str = "ollama"
    capability: str = "llm"

    def offer(self) -> Mapping[str, Any]:
        return {"choices": {"template": []}}

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        if params.get("template") is not None:
            return None
        return {
            "module_name": "ollama",
            "module_command": "complete",
            "author_id": "system",
            "prompt": params["prompt"],
            "role": params.get("system") or "",
            "model": params.get("model"),
            "temperature": COLD if params.get("temperature") == 0 else params.get("temperature"),
            "max_tokens": params.get("max_tokens"),
            "keep_alive": "30m",
        }

    def to_output(self, params: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:
        return _output(params, answer.text, self.job_type)


JOBS = (Language("llama"), Language("stablelm", "stablelm"), Language("stablevicuna", "vicuna"), Ollama())


def _sampling(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in SAMPLING if params.get(name) is not None}


def _with_system(params: Mapping[str, Any]) -> str:
    """These workers have no place for a system text."""
    system, prompt = params.get("system"), str(params["prompt"])
    return f"{system}\n\n{prompt}" if system else prompt


def _output(params: Mapping[str, Any], text: str, model: str) -> dict[str, Any]:
    stop = params.get("stop")
    kept = text.partition(stop)[0] if stop else text
    return {"text": kept, "tokens": None, "tokens_per_second": None, "model": params.get("model") or model}
