"""Bark, a generative voice, through transformers on torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines import SHARED, Breath, Line, Sound, missing
from tron_plugin_bark.engines.bark_files import MODEL_FILE, ModelFiles

if TYPE_CHECKING:
    from tron_plugin_bark.engines.bark_model import BarkOnTorch
    from tron_plugin_bark.engines.bark_voices import BarkVoices, Preset

LIBRARIES = {**SHARED, "torch": "bark", "transformers": "bark"}


class BarkEngine:
    """Bark as an Engine. The model is loaded when it first speaks, and stays."""

    breath = Breath(characters=200, words=30)
    """Bark's pieces end after about 13 seconds, whether or not the text does."""

    def __init__(self, config: BarkConfig) -> None:
        self._config = config
        self._files = ModelFiles(config)
        self._model: BarkOnTorch | None = None

    def unavailable(self) -> str | None:
        """Say which library is missing, that the model is not there, or that the device is not."""
        return missing(LIBRARIES) or self._files.problem() or self._missing_device()

    def at_hand(self) -> bool:
        """Whether it could speak on a GPU, without a download first. Imports torch only where the model is here."""
        if missing(LIBRARIES) or not self._files.here(MODEL_FILE) or self.unavailable():
            return False
        from tron_plugin_bark.engines.bark_model import find_device

        return find_device(self._config.device) != "cpu"

    def voices(self) -> Sequence[str]:
        """Those of the model and of the folder, and ``random``."""
        return self._voices().names()

    def loaded(self) -> Sequence[str]:
        """The model, once it is in memory."""
        return [self._files.name] if self._model else []

    def speak(self, lines: Sequence[Line], seed: int | None, ctx: ExecutionContext) -> Iterator[tuple[int, Sound]]:
        """The lines in order; a cancel is noticed at the next token."""
        model = self._load(ctx)
        presets = self._presets(lines)
        model.sow(seed)
        for number, line in enumerate(lines):
            yield number, model.say(line.text, presets[line.voice], ctx.check_cancelled)

    def facts(self) -> Mapping[str, Any]:
        """The model, where it ran and as what, and the versions of the libraries."""
        return self._model.facts if self._model else {}

    def close(self) -> None:
        """Give the model's memory back."""
        self._model = None

    def _voices(self) -> BarkVoices:
        from tron_plugin_bark.engines.bark_voices import BarkVoices

        return BarkVoices(self._config, self._files)

    def _presets(self, lines: Sequence[Line]) -> dict[str, Preset | None]:
        from tron_plugin_bark.engines.bark_voices import BrokenVoice

        voices = self._voices()
        try:
            return {voice: voices.load(voice) for voice in dict.fromkeys(line.voice for line in lines)}
        except BrokenVoice as error:
            raise ExecutorError(str(error)) from error

    def _load(self, ctx: ExecutionContext) -> BarkOnTorch:
        if self._model is None:
            from tron_plugin_bark.engines.bark_model import BarkOnTorch

            ctx.progress(0.0, f"loading {self._files.name}")
            started = time.perf_counter()
            self._model = BarkOnTorch(self._config, self._files)
            ctx.loading(time.perf_counter() - started)
            ctx.check_cancelled()
        return self._model

    def _missing_device(self) -> str | None:
        from tron_plugin_bark.engines.bark_model import device_problem

        return device_problem(self._config)
