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
    code = "import sys, tron_plugin_bark; print(sorted({'numpy', 'PIL', 'piper', 'onnxruntime'} & set(sys.modules)))"
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


@pytest.mark.usefixtures("hub")
async def test_a_misspelt_voice_is_refused_with_those_there_are() -> None:
    with pytest.raises(tron.Refused, match="amy, joe") as caught:
        await tron_job_submitting(request(voice="jo"))
    assert caught.value.code == "invalid_params"
    assert caught.value.details["errors"][0]["field"] == "voice"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("voice", ["joe", None])
async def test_a_known_voice_or_none_may_pass(voice: str | None) -> None:
    await tron_job_submitting(request(voice=voice))


@pytest.mark.usefixtures("hub")
async def test_other_capabilities_are_none_of_our_business() -> None:
    await tron_job_submitting(tron.JobRequest("paint", {"voice": "jo"}, "console:root"))


async def test_the_reply_tells_voice_and_length() -> None:
    job = tron.Job("j", "tts", {"text": "Hello"}, tron.JobState.SUCCEEDED, "console:root", 0.0)
    reply = await Speech().handle_result(job, tron.Result({"voice": "joe", "seconds": 3.219}))
    assert reply.text == "joe, 3.2 s"


def test_the_demo_is_valid_and_the_first_known_voice_a_choice() -> None:
    (speech,) = tron_register_capabilities()
    assert speech.parse(speech.demo().params).seed == 7
    assert tuple(speech.choices("voice")) == VOICES
    assert speech.choices("text") == ()
