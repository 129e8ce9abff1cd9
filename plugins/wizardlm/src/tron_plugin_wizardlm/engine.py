"""llama.cpp behind a typed face: one model in memory, one text at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    ``context`` in tokens, prompt and answer together. ``gpu_layers``: so many layers of the model go to the GPU,
    None leaves it to llama.cpp. Raises EngineError where the file is no model or does not fit into memory.
    """

    def __init__(self, path: Path, *, context: int, gpu_layers: int | None = None) -> None:
        import xllamacpp  # here, so that a worker without it can say so

        self.context = context
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx = context
        settings.n_batch = PROMPT_BATCH
        settings.n_parallel = 1
        settings.cache_ram_mib = 0  # each job is a conversation of its own: old prompts are of no use
        settings.verbosity = -1
        # The library opens its HTTP port on loopback whether one wants it or not: nobody else gets in.
        settings.api_keys = [secrets.token_urlsafe(32)]
        settings.ui = False
        if gpu_layers is not None:
            settings.n_gpu_layers = gpu_layers
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise EngineError(f"llama.cpp cannot load {path}: {error}") from error
        # A server that is dropped before its first request can hang the process (xllamacpp 2026.10).
        self.chat({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}, lambda text: True)

    def chat(self, request: Mapping[str, Any], on_text: Callable[[str], bool]) -> Usage | None:
        """Answer ``request``, a body of OpenAI's chat completions with llama.cpp's additions.

        ``on_text`` is called with each piece of text, and with an empty one while the prompt is read; once it
        returns False the text ends and None is returned. Raises EngineError, and what ``on_text`` raises.
        """
        stream = _Stream(on_text)
        streaming = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
        # Without the cache a prompt is read the same way each time, so that a seed means the same text.
        self._server.handle_chat_completions({"cache_prompt": False, **request, **streaming}, stream.receive)
        return stream.end()


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
            if not self._on_text(choice["delta"].get("content") or ""):
                self._stopped = True
        if usage := chunk.get("usage"):
            self._usage = self._measure(usage, chunk.get("timings", {}))

    def _measure(self, usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Usage:
        tokens = int(usage["completion_tokens"])
        speed = timings.get("predicted_per_second")
        if speed is None or tokens < 2:  # of a single token llama.cpp reports a time of about nothing
            speed = tokens / max(time.monotonic() - self._started, 1e-6)
        return Usage(int(usage["prompt_tokens"]), tokens, round(float(speed), 1), self._cut)
