"""Voices that people of a discord-tron-master had chosen, for ``tron import-upstream`` of the plugin ``legacy``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tron_plugin_bark.presets import is_preset
from tron_plugin_bark.script import check_name, read_actors, write_actors

if TYPE_CHECKING:
    from tron_plugin_legacy.api import Choice, Taking

NO_VOICE = "Bark has no voice of that name; the original took any"
AS_TEXT = "as ANN=VOICE, BOB=VOICE, with the names in capitals"


class SpeechImport:
    """A voice, and the voices of the actors."""

    tables = ()
    settings = ("tts_voice", "tts_actors")
    guild_values = ()

    def take(self, taking: Taking) -> None:
        """Both become settings of ``tts``."""
        for choice in taking.choices("tts_voice"):
            with choice:
                _take_voice(choice)
        for choice in taking.choices("tts_actors"):
            with choice:
                choice.save("tts.actors", write_actors(read_actors(written(choice.value))), AS_TEXT)


def _take_voice(choice: Choice) -> None:
    voice = choice.value.strip()
    if is_preset(voice):
        choice.save("tts.voice", voice)
    else:
        choice.left(NO_VOICE)


def written(actors: Mapping[str, Any]) -> str:
    """The actors as they are written; raises ValueError for what cannot be."""
    voices = {}
    for name, actor in actors.items():
        voice = actor.get("voice") if isinstance(actor, dict) else None
        if not isinstance(voice, str) or not voice.strip() or {" ", ",", "="} & set(voice.strip()):
            raise ValueError(f"the actor {name!r} has no voice that can be written: {voice!r}")
        voices[check_name(name)] = voice.strip()
    return write_actors(voices)
