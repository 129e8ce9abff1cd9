"""llama.cpp behind a typed face: one model in memory, one text at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PROMPT_BATCH = 512
"""Tokens of a prompt that are read in one go; between two goes a cancel is noticed."""


class EngineError(Exception):
    """llama.cpp turned a request down; ``type`` is its own word for why, ``details`` what came with it."""

    def __init__(self, message: str, type: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.type = type
        self.details: Mapping[str, Any] = details or {}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a text cost. ``cut``: it ended at a limit, not because it was complete."""

    prompt_tokens: int
    tokens: int
    tokens_per_second: float
    cut: bool


class Engine:
    """A GGUF model in memory.

    ``context`` in tokens, prompt and answer together. ``threads`` compute. ``gpu_layers``: so many layers of the model
    go to the GPU, None leaves it to llama.cpp. Raises EngineError where the file is no model or does not fit into
    memory.
    """

    def __init__(self, path: Path, *, context: int, threads: int, gpu_layers: int | None = None) -> None:
        import xllamacpp  # here, so that a worker without it can say so

        self.context = context
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx = context
        settings.n_batch = PROMPT_BATCH
        settings.n_parallel = 1
        settings.cache_ram_mib = 0  # each job is a conversation of its own: old prompts are of no use
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.verbosity = -1
        # The library opens its HTTP port on loopback whether one wants it or not: nobody else gets in.
        key = secrets.token_urlsafe(32)
        settings.api_keys = [key]
        settings.ui = False
        if gpu_layers is not None:
            settings.n_gpu_layers = gpu_layers
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise EngineError(f"llama.cpp cannot load {path}: {error}") from error
        # Each question closes its connection: nothing is open when the engine is dropped.
        headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        self._port = httpx.Client(base_url=self._server.listening_address, headers=headers, trust_env=False, timeout=60)
        # A server that is dropped before its first request can hang the process (xllamacpp 2026.10).
        self.answer({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}, lambda text: True)

    def answer(self, request: Mapping[str, Any], on_text: Callable[[str], bool]) -> Usage | None:
        """Answer ``request``, a body of OpenAI's with llama.cpp's additions: with ``messages``, which the model's own
        template puts together, or with a ``prompt`` as it is.

        ``on_text`` is called with each piece of text, and with an empty one while the prompt is read; once it
        returns False the text ends and None is returned. Raises EngineError, and what ``on_text`` raises.
        """
        stream = _Stream(on_text)
        handle = self._server.handle_chat_completions if "messages" in request else self._server.handle_completions
        streaming = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
        # Without the cache a prompt is read the same way each time, so that a seed means the same text.
        handle({"cache_prompt": False, **request, **streaming}, stream.receive)
        return stream.end()

    def count(self, request: Mapping[str, Any]) -> int:
        """The tokens of a request's prompt; raises EngineError."""
        prompt = request.get("prompt")
        if prompt is None:
            prompt = self._ask("/apply-template", {"messages": request["messages"]})["prompt"]
        return len(self._ask("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"])

    def _ask(self, path: str, body: Mapping[str, Any]) -> Any:
        # The bindings have no call for these, but the port that they open does.
        try:
            return self._port.post(path, json=body).raise_for_status().json()
        except httpx.HTTPError as error:
            raise EngineError(f"llama.cpp: {path}: {error}") from error


class _Stream:
    """Takes the chunks of one answer. What is raised in a callback is lost in llama.cpp's threads, so it is kept."""

    def __init__(self, on_text: Callable[[str], bool]) -> None:
        self._on_text = on_text
        self._started = time.monotonic()
        self._error: Exception | None = None
        self._stopped = False
        self._cut = False
        self._usage: Usage | None = None

    def receive(self, chunk: Mapping[str, Any]) -> bool:
        """Take a chunk; True ends the generation."""
        try:
            self._take(chunk)
        except Exception as error:
            self._error = error
        return self._stopped or self._error is not None

    def end(self) -> Usage | None:
        if self._error is not None:
            raise self._error
        if self._stopped:
            return None
        if self._usage is None:
            raise EngineError("llama.cpp ended its answer without saying what it cost")
        return self._usage

    def _take(self, chunk: Mapping[str, Any]) -> None:
        if error := chunk.get("error"):
            raise EngineError(str(error.get("message", error)), str(error.get("type", "")), error)
        for choice in chunk.get("choices", ()):
            self._cut = self._cut or choice.get("finish_reason") == "length"
            piece = choice["delta"].get("content") if "delta" in choice else choice["text"]
            if not self._on_text(piece or ""):
                self._stopped = True
        if usage := chunk.get("usage"):
            self._usage = self._measure(usage, chunk.get("timings", {}))

    def _measure(self, usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Usage:
        tokens = int(usage["completion_tokens"])
        speed = timings.get("predicted_per_second")
        if speed is None or tokens < 2:  # of a single token llama.cpp reports a time of about nothing
            speed = tokens / max(time.monotonic() - self._started, 1e-6)
        return Usage(int(usage["prompt_tokens"]), tokens, round(float(speed), 1), self._cut)
