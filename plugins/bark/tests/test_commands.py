"""Choosing voices: what is saved, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tron_core as tron
from tron_core.testing import RecordingContext
from tron_plugin_bark import Speech, tron_register_capabilities
from tron_plugin_bark.commands import language_of

ALICE, BOB = (tron.Asker(requester, guild="1") for requester in ("api:alice", "api:bob"))


class Settings:
    """As much of the saved settings as the commands use."""

    def __init__(self) -> None:
        self.saved = dict[tuple[str, str], Any]()

    async def get(self, requester: str, guild: str | None, field: str) -> Any:
        return self.saved.get((requester, field))

    async def save(self, requester: str, field: str, value: Any) -> None:
        if value is not None:
            Speech().parse({"text": "x", field.removeprefix("tts."): value})
        self.saved[requester, field] = value


class Hub:
    """As much of App."""

    def __init__(self) -> None:
        self.settings = Settings()

    def choices(self, capability: str, field: str) -> Sequence[str]:
        return ["en_US-joe-medium", "de_DE-eva-low", "en_GB-amy-high", "v2/en_speaker_6", "Nameless"]


class Stage:
    """The plugin on such a hub."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.hub, self._folder = Hub(), folder
        self.capabilities = {each.name: each for each in tron_register_capabilities()}
        for capability in self.capabilities.values():
            patch.setattr(capability, "app", self.hub, raising=False)

    async def say(self, name: str, asker: tron.Asker = ALICE, **params: Any) -> str:
        capability: Any = self.capabilities[name]
        parsed = capability.parse(params)
        capability.check(parsed)
        output = await capability.run(parsed, RecordingContext(self._folder, asker=asker))
        return str(output["text"])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


async def test_a_voice_is_saved_for_the_person_alone(stage: Stage) -> None:
    assert await stage.say("tts-voice", voice="de_DE-eva-low") == "Your texts are said by de_DE-eva-low."
    assert stage.hub.settings.saved == {("api:alice", "tts.voice"): "de_DE-eva-low"}
    assert await stage.say("tts-voice") == "Your texts are said by de_DE-eva-low."
    assert await stage.say("tts-voice", BOB) == "Your texts are said by the worker's first voice."
    assert await stage.say("tts-voice", reset=True) == "Your texts are said by the worker's first voice."


async def test_a_misspelt_voice_is_not_saved(stage: Stage) -> None:
    for name, params in (("tts-voice", {"voice": "eva"}), ("tts-actors", {"actor": "ANN eva"})):
        with pytest.raises(tron.Refused, match="de_DE-eva-low"):
            await stage.say(name, **params)
    assert stage.hub.settings.saved == {}


async def test_voices_are_listed_by_language_with_ones_own_marked(stage: Stage) -> None:
    await stage.say("tts-voice", voice="en_GB-amy-high")
    assert (await stage.say("tts-voices")).splitlines() == [
        "de_DE: de_DE-eva-low",
        "en: v2/en_speaker_6",
        "en_GB: en_GB-amy-high (yours)",
        "en_US: en_US-joe-medium",
        "other: Nameless",
    ]


@pytest.mark.parametrize(
    ("voice", "language"),
    [("en_US-joe-medium", "en_US"), ("v2/zh_speaker_0", "zh"), ("vie-x-low", "vie"), ("joe", "other"), ("", "other")],
)
def test_a_voice_says_its_language(voice: str, language: str) -> None:
    assert language_of(voice) == language


async def test_actors_are_made_seen_changed_and_forgotten(stage: Stage) -> None:
    assert await stage.say("tts-actors") == "You have no actors."
    assert await stage.say("tts-actors", actor="ann de_DE-eva-low") == "{ANN}: is de_DE-eva-low."
    await stage.say("tts-actors", actor="BOB en_GB-amy-high")
    await stage.say("tts-actors", actor="Ann en_US-joe-medium")
    assert await stage.say("tts-actors", actor="ann") == "{ANN}: is en_US-joe-medium."
    assert await stage.say("tts-actors") == "{ANN}: is en_US-joe-medium.\n{BOB}: is en_GB-amy-high."
    assert stage.hub.settings.saved["api:alice", "tts.actors"] == "ANN=en_US-joe-medium, BOB=en_GB-amy-high"
    assert await stage.say("tts-actors", BOB) == "You have no actors."
    assert await stage.say("tts-actors", actor="ann", remove=True) == "Forgotten: ANN."
    assert await stage.say("tts-actors", actor="ann") == "You have no actor ANN."
    assert await stage.say("tts-actors", actor="ann", remove=True) == "There was nobody to forget."
    assert await stage.say("tts-actors", remove=True) == "Forgotten: BOB."
    assert await stage.say("tts-actors") == "You have no actors."


async def test_twenty_actors_are_enough(stage: Stage) -> None:
    for number in range(20):
        await stage.say("tts-actors", actor=f"A{number} en_US-joe-medium")
    assert "remove one first" in await stage.say("tts-actors", actor="B en_US-joe-medium")
    assert await stage.say("tts-actors", actor="A7 en_GB-amy-high") == "{A7}: is en_GB-amy-high."


async def test_a_name_that_no_mark_could_have_is_refused(stage: Stage) -> None:
    with pytest.raises(tron.Refused, match="no name of an actor"):
        await stage.say("tts-actors", actor="{ANN}: en_US-joe-medium")
