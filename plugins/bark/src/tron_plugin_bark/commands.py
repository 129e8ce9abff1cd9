"""Choosing voices: capabilities that the hub does at once. What is chosen is saved as a setting of ``tts``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tron_core as tron
from tron_core.worker import ExecutionContext
from tron_plugin_bark.script import MAX_ACTORS, MAX_NAME, check_name, read_actors, write_actors
from tron_plugin_bark.speech import VOICES, Speech, refusal

_LANGUAGE = re.compile(r"(?:v\d+/)?([a-z]{2,3}(?:_[A-Z]{2})?)(?=[-_])")
"""Where a voice's name says its language: ``en_US-joe-medium``, ``v2/en_speaker_6``."""


class VoiceParams(tron.Params):
    """Which voice."""

    voice: str = tron.Prompt("The name of a voice", max_length=64, default="")
    reset: bool = tron.Setting(False, saved=False, help="Back to the worker's first voice")


class VoicesParams(tron.Params):
    """Nothing has to be said."""


class ActorsParams(tron.Params):
    """Which actor, and their voice."""

    actor: str = tron.Prompt("NAME to see one, NAME VOICE to choose one", max_length=MAX_NAME + 65, default="")
    remove: bool = tron.Setting(False, saved=False, help="Forget the actor, or all of them")


class _Command(tron.Capability):
    """Answered by the hub itself, one after the other, so that no change is lost."""

    runs_on: ClassVar[Any] = "hub"
    concurrency = 1

    def __init__(self, speech: Speech) -> None:
        self.speech = speech

    def expected_seconds(self, params: Any) -> float:
        """No time, as nobody is asked."""
        return 0.1

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Do it, and say what was done."""
        assert ctx.asker is not None, "runs on the hub"
        return {"text": await self.do(params, ctx.asker)}

    async def do(self, params: Any, asker: tron.Asker) -> str:
        """The work; returns the reply's text."""
        raise NotImplementedError

    def check(self, params: Any) -> None:
        """Raise Refused before the request becomes a job."""

    async def _saved(self, asker: tron.Asker, field: str) -> str:
        return str(await self.app.settings.get(asker.requester, asker.guild, f"tts.{field}") or "")


class Voice(_Command):
    """Choose the voice that says your texts, or see which one does."""

    name = "tts-voice"
    command = tron.Command("tts-voice", summary="Choose the voice that says your texts", example=VOICES[0])
    params = VoiceParams

    def choices(self, field: str) -> Sequence[str]:
        return self.speech.known if field == "voice" else ()

    def demo(self) -> tron.Demo:
        """Which one it is."""
        return tron.Demo({})

    def check(self, params: VoiceParams) -> None:
        if params.voice:
            self.speech.check_voice(params.voice)

    async def do(self, params: VoiceParams, asker: tron.Asker) -> str:
        """Save the voice, or tell it."""
        if params.voice or params.reset:
            await self.app.settings.save(asker.requester, "tts.voice", None if params.reset else params.voice)
        voice = await self._saved(asker, "voice")
        return f"Your texts are said by {voice}." if voice else "Your texts are said by the worker's first voice."


class Voices(_Command):
    """List the voices by language."""

    name = "tts-voices"
    command = tron.Command("tts-voices", summary="List the voices")
    params = VoicesParams

    def demo(self) -> tron.Demo:
        """Those there are."""
        return tron.Demo({})

    async def do(self, params: VoicesParams, asker: tron.Asker) -> str:
        """A line for each language."""
        return listed(self.speech.known, await self._saved(asker, "voice"))


class Actors(_Command):
    """Choose the voices of the names in your texts, or see them."""

    name = "tts-actors"
    command = tron.Command("actors", summary="Choose the voices of {NAME}: in your texts", example=f"ANN {VOICES[0]}")
    params = ActorsParams

    def demo(self) -> tron.Demo:
        """An actor is made."""
        return tron.Demo({"actor": f"ANN {VOICES[0]}"})

    def check(self, params: ActorsParams) -> None:
        name, voice = _actor_and_voice(params)
        try:
            if name:
                check_name(name)
        except ValueError as error:
            raise refusal("actor", name, str(error), "NAME, or NAME VOICE") from None
        if voice:
            self.speech.check_voice(voice)

    async def do(self, params: ActorsParams, asker: tron.Asker) -> str:
        """Save what changes, and tell the actor or all of them."""
        actors = read_actors(await self._saved(asker, "actors"))
        name, voice = _actor_and_voice(params)
        if params.remove:
            return await self._remove(actors, name, asker)
        if voice:
            if name not in actors and len(actors) >= MAX_ACTORS:
                return f"You have {MAX_ACTORS} actors, and that is all there may be; remove one first."
            actors[name] = voice
            await self.app.settings.save(asker.requester, "tts.actors", write_actors(actors))
        if name:
            return f"{{{name}}}: is {actors[name]}." if name in actors else f"You have no actor {name}."
        return "\n".join(f"{{{name}}}: is {voice}." for name, voice in actors.items()) or "You have no actors."

    async def _remove(self, actors: dict[str, str], name: str, asker: tron.Asker) -> str:
        gone = [each for each in actors if not name or each == name]
        kept = {each: voice for each, voice in actors.items() if each not in gone}
        await self.app.settings.save(asker.requester, "tts.actors", write_actors(kept) or None)
        return f"Forgotten: {', '.join(gone)}." if gone else "There was nobody to forget."


def _actor_and_voice(params: ActorsParams) -> tuple[str, str]:
    name, _, voice = params.actor.strip().partition(" ")
    return name.upper(), voice.strip()


def language_of(voice: str) -> str:
    """The language that a voice's name tells, ``other`` where it tells none."""
    match = _LANGUAGE.match(voice)
    return match[1] if match else "other"


def listed(voices: Sequence[str], chosen: str) -> str:
    """A line for each language, the chosen voice marked."""
    ordered = sorted(voices, key=lambda voice: (language_of(voice), voice))
    lines = []
    for language, group in itertools.groupby(ordered, language_of):
        lines.append(f"{language}: " + ", ".join(f"{voice} (yours)" if voice == chosen else voice for voice in group))
    return "\n".join(lines)
