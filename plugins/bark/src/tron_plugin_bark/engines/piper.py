"""Piper, a light neural voice for a CPU. The voice stays in memory, in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines import SHARED, Breath, Line, Sound, missing
from tron_plugin_bark.engines.piper_voices import find_voices, packaged_folder

if TYPE_CHECKING:
    from tron_plugin_bark.engines.piper_process import PiperProcess

LIBRARIES = {**SHARED, "piper": "piper"}


class PiperEngine:
    """Piper as an Engine."""

    breath = Breath(characters=300, words=60)
    """About twenty seconds; so long may a cancel take to be noticed."""

    def __init__(self, config: BarkConfig) -> None:
        self._folder = config.voices
        self._process: PiperProcess | None = None

    def unavailable(self) -> str | None:
        """Say which library or voice is missing."""
        if problem := missing(LIBRARIES):
            return problem
        if self._found():
            return None
        if self._folder is None:
            return "no voice: tron models install joe, or name a folder as voices in [executors.bark]"
        return f"no voice in {self._folder} ([executors.bark] voices): NAME.onnx with NAME.onnx.json beside it"

    def voices(self) -> Sequence[str]:
        """Those in the folder, or the installed package's."""
        return list(self._found())

    def loaded(self) -> Sequence[str]:
        """The voice in memory."""
        voice = self._process.voice if self._process else None
        return [voice.stem] if voice else []

    def speak(self, lines: Sequence[Line], seed: int | None, ctx: ExecutionContext) -> Iterator[tuple[int, Sound]]:
        """All lines of a voice in one go, because another voice costs a load."""
        from tron_plugin_bark.engines.piper_process import PiperDied, PiperFailed

        found = self._found()
        try:
            for voice in dict.fromkeys(line.voice for line in lines):
                rate = self._load(found[voice], seed, ctx)
                for number in (number for number, line in enumerate(lines) if line.voice == voice):
                    yield number, Sound(rate, self._running().say(lines[number].text))
        except PiperDied as error:
            raise ExecutorError(str(error), "transient") from error
        except PiperFailed as error:
            raise ExecutorError(f"Piper: {error}") from error

    def facts(self) -> Mapping[str, Any]:
        """Nothing: the voice says it all."""
        return {}

    def close(self) -> None:
        """End the process that speaks."""
        if self._process is not None:
            self._process.close()

    def _found(self) -> dict[str, Path]:
        folder = self._folder or packaged_folder()
        return find_voices(folder.expanduser()) if folder else {}

    def _load(self, voice: Path, seed: int | None, ctx: ExecutionContext) -> int:
        process = self._running()
        started = time.perf_counter()
        cold = process.voice != voice
        rate = process.load(voice, seed)
        if cold:
            ctx.loading(time.perf_counter() - started)
        return rate

    def _running(self) -> PiperProcess:
        if self._process is None:
            from tron_plugin_bark.engines.piper_process import PiperProcess

            self._process = PiperProcess()
        return self._process
