"""The hub's half: params, the check of the voice, the reply."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

import tron_core as tron
from tron_plugin_bark import SPEECH, VOICES, Speech, tron_job_submitting, tron_register_capabilities


class Hub:
    """As much of App as the capability asks for."""

    def __init__(self, *voices: str) -> None:
        self.voices = voices

    def choices(self, capability: str, field: str) -> Sequence[str]:
        assert (capability, field) == ("tts", "voice")
        return self.voices


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SPEECH, "app", Hub("amy", "joe"), raising=False)


def request(**params: object) -> tron.JobRequest:
    return tron.JobRequest("tts", {"text": "Hello", "seed": -1, **params}, "console:root")


def test_importing_the_hub_half_loads_no_library_for_sound() -> None:
    libraries = "{'numpy', 'PIL', 'piper', 'onnxruntime', 'soundfile', 'soxr'}"
    code = f"import sys, tron_plugin_bark; print(sorted({libraries} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_text_is_enough() -> None:
    params = Speech().parse({"text": "Hello"})
    assert (params.voice, params.seed) == (None, -1)
    assert Speech().requirements(params) == tron.Requirements()


@pytest.mark.parametrize("seed", [-2, 2**32, "7", 1.5])
def test_a_seed_is_a_whole_number_of_32_bits_or_minus_one(seed: object) -> None:
    with pytest.raises(tron.TronError, match="seed"):
        Speech().parse({"text": "Hello", "seed": seed})


def test_a_named_voice_is_required_of_the_worker() -> None:
    params = Speech().parse({"text": "Hello", "voice": "amy"})
    assert Speech().requirements(params).choices == (("voice", "amy"),)


def test_long_texts_are_expected_to_take_longer() -> None:
    short, long = (Speech().parse({"text": "word " * n}) for n in (1, 400))
    assert Speech().expected_seconds(long) > 5 * Speech().expected_seconds(short)
    assert (Speech().deadline(short), Speech().deadline(long)) == (1820, 9800)


@pytest.mark.usefixtures("hub")
async def test_a_misspelt_voice_is_refused_with_those_there_are() -> None:
    with pytest.raises(tron.Refused, match="amy, joe") as caught:
        await tron_job_submitting(request(voice="jo"))
    assert caught.value.code == "invalid_params"
    assert caught.value.details["errors"][0]["field"] == "voice"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("voice", "problem"),
    [
        ("v2/en_speaker_6", "no connected worker has this voice of Bark's"),
        ("en_speaker_10", "Bark has no such speaker; its languages are en, de, .*, each with 0 to 9"),
    ],
)
async def test_a_voice_of_barks_that_is_not_here_is_told_from_one_that_is_none(voice: str, problem: str) -> None:
    with pytest.raises(tron.Refused, match=problem):
        await tron_job_submitting(request(voice=voice))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("voice", ["joe", None])
async def test_a_known_voice_or_none_may_pass(voice: str | None) -> None:
    await tron_job_submitting(request(voice=voice))


@pytest.mark.usefixtures("hub")
async def test_other_capabilities_are_none_of_our_business() -> None:
    await tron_job_submitting(tron.JobRequest("paint", {"voice": "jo"}, "console:root"))


def made(name: str, role: tron.Role) -> tron.Artifact:
    return tron.Artifact(f"id-{name}", name, role, "key", name, "application/octet-stream", 1, "00")


async def test_the_reply_tells_voice_and_length_and_shows_the_waveform() -> None:
    job = tron.Job("j", "tts", {"text": "Hello"}, tron.JobState.SUCCEEDED, "console:root", 0.0)
    files = [made("speech.wav", tron.Role.RESULT), made("waveform.png", tron.Role.WAVEFORM)]
    reply = await Speech().handle_result(job, tron.Result({"voice": "joe, amy", "seconds": 3.219}, files))
    assert reply.text == "joe, amy, 3.2 s"
    assert reply.artifacts == ["speech.wav", "waveform.png"]
    assert reply.voice is None


async def test_ogg_is_offered_as_a_voice_message() -> None:
    job = tron.Job("j", "tts", {"text": "Hello", "format": "ogg"}, tron.JobState.SUCCEEDED, "console:root", 0.0)
    sound = {"artifact": "speech.ogg", "duration_secs": 3.219, "waveform": "AAEC"}
    output = {"voice": "joe", "seconds": 3.219, "voice_message": sound}
    files = [made("speech.ogg", tron.Role.RESULT), made("waveform.png", tron.Role.WAVEFORM)]
    reply = await Speech().handle_result(job, tron.Result(output, files))
    assert reply.voice == tron.VoiceMessage("speech.ogg", 3.219, "AAEC")
    assert reply.artifacts == ["speech.ogg"]  # whoever shows the voice message draws the waveform


def test_the_demos_are_valid_and_the_first_known_voice_a_choice() -> None:
    speech, *others = tron_register_capabilities()
    assert [speech.parse(demo.params).format for demo in speech.demo()] == ["wav", "ogg"]
    assert [each.name for each in others] == ["tts-voice", "tts-voices", "tts-actors"]
    for each in others:
        each.parse(each.demo().params)
    assert tuple(speech.choices("voice")) == VOICES
    assert speech.choices("text") == ()


def test_every_voice_of_a_text_is_required_of_the_worker() -> None:
    params = Speech().parse({"text": "One. {ann}: Two. {bob}: Three. {}: Four.", "voice": "joe", "actors": "ann=amy"})
    assert Speech().requirements(params).choices == (("voice", "joe"), ("voice", "amy"), ("voice", "bob"))


def test_actors_are_kept_in_one_form_and_a_wrong_pair_is_named() -> None:
    assert Speech().parse({"text": "Hello", "actors": "ann = amy,BOB=joe,"}).actors == "ANN=amy, BOB=joe"
    with pytest.raises(tron.InvalidParams, match=r"actors.*'ann' is no actor; write NAME=VOICE"):
        Speech().parse({"text": "Hello", "actors": "ann"})


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"text": "{Eve}: Hello", "actors": "ANN=amy"}, "'Eve'.*no such actor or voice; allowed: ANN$"),
        ({"text": "{Eve}: Hello"}, "none yet; !actors NAME VOICE makes one"),
        ({"text": "{Ann}: Hello", "actors": "ANN=eva"}, "'eva'.*the actor ANN: there is no such voice.*amy, joe"),
    ],
)
async def test_an_actor_that_nobody_knows_is_refused(params: dict[str, str], problem: str) -> None:
    with pytest.raises(tron.Refused, match=problem):
        await tron_job_submitting(request(**params))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("text", ["{Ann}: Hello {joe}: Hello", "no {mark} here: {at} all", "{}: nobody"])
async def test_known_actors_and_voices_may_speak(text: str) -> None:
    await tron_job_submitting(request(text=text, actors="ANN=amy, OLD=gone"))
