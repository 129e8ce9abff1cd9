"""Speech: the hub's half, which imports no library for sound."""

from __future__ import annotations

from collections.abc import Sequence

import tron_core as tron

VOICES = ("en_US-joe-medium",)
"""The voices that everybody knows by name; the first is the default of a worker that has it."""

RANDOM = -1
"""The seed that asks for another reading each time."""


class SpeechParams(tron.Params):
    """What to say, in whose voice."""

    text: str = tron.Prompt("What to say")
    voice: str | None = tron.Setting(None, max_length=64, help="Who says it; the worker's first voice unless given")
    seed: int = tron.Setting(
        RANDOM, ge=RANDOM, le=2**32 - 1, help="The same seed gives the same reading; -1 another each time"
    )


class Speech(tron.Capability):
    """Say a text."""

    name = "tts"
    command = tron.Command(
        "tts", aliases=["t"], summary="Say a text", flags="leading", example="--seed 7 The kettle is on."
    )
    params = SpeechParams

    def requirements(self, params: SpeechParams) -> tron.Requirements:
        """A worker with that voice, where one is named."""
        return tron.Requirements(choices=(("voice", params.voice),) if params.voice else ())

    def expected_seconds(self, params: SpeechParams) -> float:
        """By the length of the text: a CPU speaks a hundred characters a second, after it has started."""
        return 1.0 + len(params.text) / 100

    def choices(self, field: str) -> Sequence[str]:
        return VOICES if field == "voice" else ()

    def demo(self) -> tron.Demo:
        text = "Hello from the queue. Your job has finished, and a neural voice says so on an ordinary processor."
        return tron.Demo({"text": text, "seed": 7})

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        return tron.Reply(text=f"{result.output['voice']}, {result.output['seconds']:.1f} s")

    def check_voice(self, voice: str) -> None:
        """Raise Refused for a voice that neither we nor any connected worker knows: it would wait for nothing."""
        known = self.app.choices(self.name, "voice")
        if voice in known:
            return
        allowed = ", ".join(known)
        problem = {"field": "voice", "value": voice, "message": "there is no such voice", "allowed": allowed}
        raise tron.Refused(
            f"voice ({voice!r}): there is no such voice; allowed: {allowed}",
            code="invalid_params",
            details={"errors": [problem]},
        )


SPEECH = Speech()


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    return [SPEECH]


@tron.hookimpl
async def tron_job_submitting(request: tron.JobRequest) -> None:
    """Tell a person at once that a voice is misspelt."""
    voice = request.params.get("voice")
    if request.capability == SPEECH.name and voice:
        SPEECH.check_voice(str(voice))
