"""What workers of discord-tron-master are asked to say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tron_plugin_bark import SPEECH, SpeechParams, tron_legacy_job

[JOB] = tron_legacy_job()


def wire(**given: Any) -> Any:
    return JOB.to_wire(SpeechParams(**given).model_dump(), [])


def test_each_line_is_said_by_an_actor_with_its_voice() -> None:
    said = wire(
        text="{ANN}: Is it on?\nIt is late.\n\n{BOB}: It is.\n{}: So it was.",
        actors="ANN=v2/en_speaker_1, BOB=v2/en_speaker_2",
        voice="v2/en_speaker_1",
    )
    assert (said["module_name"], said["module_command"]) == ("tts_bark", "generate")
    assert said["prompt"].splitlines() == [
        "{VOICE1}: Is it on?",
        "{VOICE1}: It is late.",
        "{VOICE2}: It is.",
        "{VOICE1}: So it was.",
    ]
    cast = {"VOICE1": {"voice": "v2/en_speaker_1"}, "VOICE2": {"voice": "v2/en_speaker_2"}}
    assert said["config"] == {"tts_voice": "v2/en_speaker_1", "tts_actors": cast}


def test_without_a_voice_the_worker_has_its_own() -> None:
    assert wire(text="Hello.\nAgain.")["prompt"] == "Hello.\nAgain."


@pytest.mark.parametrize(("format", "able"), [("wav", True), ("ogg", False), ("mp3", False)])
def test_it_writes_wav_alone(format: Any, able: bool) -> None:
    assert (wire(text="Hello.", format=format) is not None) is able
    needs = SPEECH.requirements(SpeechParams(text="Hello.", format=format, voice="v2/de_speaker_3"))
    offered = JOB.offer()["choices"]
    assert all(choice in offered[field] for field, choice in needs.choices)
    assert all(choice in offered[field] for field, choice in needs.compatible) is able


def test_the_result_says_who_speaks_and_for_how_long() -> None:
    answer = SimpleNamespace(files=(SimpleNamespace(seconds=1.5),))
    assert JOB.to_output({"voice": "v2/en_speaker_1"}, answer) == {"voice": "v2/en_speaker_1", "seconds": 1.5}
    assert JOB.to_output({}, answer)["voice"] == "bark"
