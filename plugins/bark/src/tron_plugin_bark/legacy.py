"""Jobs of ``tts`` as workers of discord-tron-master know them, for the plugin `legacy`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tron_plugin_bark.presets import PRESETS
from tron_plugin_bark.speech import SpeechParams

VOICES = (*PRESETS, *(preset.removeprefix("v2/") for preset in PRESETS))
"""Bark's own, under the newer and the older names."""
FORMAT = "wav"


@dataclass(frozen=True, slots=True)
class OldBark:
    """Bark, a line for each utterance. Such a worker takes no seed: the same text sounds another way each time."""

    job_type: str = "tts_bark"
    capability: str = "tts"

    def offer(self) -> Mapping[str, Any]:
        """Every voice of Bark's, as WAV."""
        return {"choices": {"voice": VOICES, "format": [FORMAT]}}

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """The lines, each behind the name of an actor who has the voice that it wants."""
        speech = SpeechParams.model_validate(params)
        if speech.format != FORMAT:
            return None
        actors: dict[str, str] = {}
        lines: list[str] = []
        for voice, text in speech.spoken():
            mark = "" if voice is None else f"{{{actors.setdefault(voice, f'VOICE{len(actors) + 1}')}}}: "
            lines += [f"{mark}{line.strip()}" for line in text.splitlines() if line.strip()]
        cast = {name: {"voice": voice} for voice, name in actors.items()}
        return {
            "module_name": "tts_bark",
            "module_command": "generate",
            "prompt": "\n".join(lines),
            "config": {"tts_voice": speech.voice, "tts_actors": cast},
        }

    def to_output(self, params: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:
        """Who speaks, and for how long."""
        return {"voice": params.get("voice") or "bark", "seconds": sum(file.seconds for file in answer.files)}
