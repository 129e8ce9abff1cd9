"""The capability ``tts``: what can be asked, of which worker, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import pydantic

import tron_core as tron
from tron_plugin_bark.presets import LANGUAGES, SPEAKERS, is_preset, like_a_preset
from tron_plugin_bark.script import parts_of, read_actors, write_actors

VOICES = ("en_US-joe-medium",)
"""The voices that everybody knows by name; the first is the default of a worker that has it."""

RANDOM = -1
"""The seed that asks for another reading each time."""

Format = Literal["wav", "ogg", "mp3"]


class SpeechParams(tron.Params):
    """What to say, in whose voice."""

    text: str = tron.Prompt("What to say; {NAME}: hands the word to an actor")
    voice: str | None = tron.Setting(None, max_length=64, help="Who says it; the worker's first voice unless given")
    format: Format = tron.Setting("wav", help="The file's format; ogg (Opus) can be a voice message")
    actors: str = tron.Setting(
        "", max_length=2000, slash=False, help="The voices of the names in the text: ANN=VOICE, BOB=VOICE"
    )
    seed: int = tron.Setting(
        RANDOM, ge=RANDOM, le=2**32 - 1, help="The same seed gives the same reading; -1 another each time"
    )

    @pydantic.field_validator("actors")
    @classmethod
    def _in_one_form(cls, value: str) -> str:
        return write_actors(read_actors(value))

    def spoken(self) -> list[tuple[str | None, str]]:
        """The parts of the text, each with its voice: an actor's, one that the text itself names, or ``voice``."""
        actors = read_actors(self.actors)
        return [
            (actors.get(part.speaker.upper(), part.speaker) if part.speaker else self.voice, part.text)
            for part in parts_of(self.text)
        ]


class Speech(tron.Capability):
    """Say a text."""

    name = "tts"
    command = tron.Command(
        "tts", aliases=["t"], summary="Say a text", flags="leading", example="--seed 7 The kettle is on."
    )
    params = SpeechParams

    def requirements(self, params: SpeechParams) -> tron.Requirements:
        """A worker with all the voices that are named; there are some that write nothing but wav."""
        voices = dict.fromkeys(voice for voice, _ in params.spoken() if voice)
        formats = () if params.format == "wav" else (("format", params.format),)
        return tron.Requirements(choices=tuple(("voice", voice) for voice in voices), compatible=formats)

    def expected_seconds(self, params: SpeechParams) -> float:
        """By the length of the text: a CPU speaks a hundred characters a second, after it has started."""
        return 1.0 + len(params.text) / 100

    def deadline(self, params: SpeechParams) -> float:
        """Half an hour, in which a model may be fetched and loaded, and four seconds for each character: Bark is slow
        on a CPU."""
        return 1800.0 + 4 * len(params.text)

    def choices(self, field: str) -> Sequence[str]:
        own: dict[str, Sequence[str]] = {"voice": VOICES, "format": get_args(Format)}
        return own.get(field, ())

    def demo(self) -> Sequence[tron.Demo]:
        """A sentence; then a talk between two, whom one voice plays where there is no other."""
        text = "Hello from the queue. Your job has finished, and a neural voice says so on an ordinary processor."
        talk = "{ANN}: Is the kettle on?\n{BOB}: It is. Come in."
        actors = {"ANN": VOICES[0], "BOB": VOICES[0]}
        return [
            tron.Demo({"text": text, "seed": 7}),
            tron.Demo({"text": talk, "seed": 7, "format": "ogg", "actors": write_actors(actors)}),
        ]

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        """Who says it, for how long, and how it looks; of a voice message that is drawn by whoever shows it."""
        output = result.output
        voice = _voice_message(output)
        roles = (tron.Role.RESULT,) if voice else (tron.Role.RESULT, tron.Role.WAVEFORM)
        shown = [artifact.name for artifact in result.artifacts if artifact.role in roles]
        return tron.Reply(text=f"{output['voice']}, {output['seconds']:.1f} s", artifacts=shown, voice=voice)

    def check(self, params: SpeechParams) -> None:
        """Raise Refused for a voice or a name in the text that nobody knows: it would wait for nothing."""
        if params.voice:
            self.check_voice(params.voice)
        actors, known = read_actors(params.actors), self.known
        for speaker in dict.fromkeys(part.speaker for part in parts_of(params.text) if part.speaker):
            if speaker.upper() in actors:
                self.check_voice(actors[speaker.upper()], f"the actor {speaker.upper()}: ")
            elif speaker not in known:
                allowed = ", ".join(actors) or "none yet; !actors NAME VOICE makes one"
                raise refusal("text", speaker, "there is no such actor or voice", allowed)

    def check_voice(self, voice: str, whose: str = "") -> None:
        """Raise Refused for a voice that neither we nor any connected worker knows."""
        known = self.known
        if voice not in known:
            raise refusal("voice", voice, whose + _unknown(voice), ", ".join(known))

    @property
    def known(self) -> Sequence[str]:
        """The voices of this plugin and of the connected workers."""
        return self.app.choices(self.name, "voice")


def _voice_message(output: Mapping[str, Any]) -> tron.VoiceMessage | None:
    """What the worker says of a voice message, None for a format that is none."""
    said = output.get("voice_message")
    return tron.VoiceMessage(said["artifact"], said["duration_secs"], said["waveform"]) if said else None


def _unknown(voice: str) -> str:
    """Why a voice that no worker has is not known."""
    if is_preset(voice):
        return "no connected worker has this voice of Bark's"
    if like_a_preset(voice):
        return f"Bark has no such speaker; its languages are {', '.join(LANGUAGES)}, each with 0 to {SPEAKERS - 1}"
    return "there is no such voice"


def refusal(field: str, value: str, message: str, allowed: str) -> tron.Refused:
    """Refused, as wrong params are."""
    problem = {"field": field, "value": value, "message": message, "allowed": allowed}
    return tron.Refused(
        f"{field} ({value!r}): {message}; allowed: {allowed}", code="invalid_params", details={"errors": [problem]}
    )
