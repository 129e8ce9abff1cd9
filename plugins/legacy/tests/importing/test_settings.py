"""What people chose there, they have chosen here; what the original put into their profiles, nobody has."""

from __future__ import annotations

import json
from typing import Any

from original_hub import ANN, BOB, CYD, GUILD, OriginalHub, profile
from reports import item, reason

DEFAULT = "a default of the original, which stores all of them: nobody's choice"


def test_a_full_profile_of_defaults_is_no_choice(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    report = hub.take(original)
    assert (report["taken"], report["mapped"]) == (0, 0)
    assert hub.settings(f"discord:{ANN}") == {}
    for key in ("temperature", "steps", "tts_voice", "resolution"):
        assert item(report, "setting", key)["why"] == [DEFAULT]


def test_what_a_person_chose_is_saved_by_the_plugin_that_knows_it(original: OriginalHub, hub: Any) -> None:
    chosen = {"temperature": 0.2, "top_k": 7, "gpt_role": "You are a pirate.", "tts_voice": "v2/de_speaker_3"}
    original.configure({ANN: profile(**chosen, group_chat=False), BOB: profile(max_tokens=99)})
    report = hub.take(original)
    assert hub.settings(f"discord:{ANN}") == {
        "llm.temperature": 0.2,
        "llm.top_k": 7,
        "gpt.role": "You are a pirate.",
        "gpt.conversation": "user",
        "tts.voice": "v2/de_speaker_3",
    }
    assert hub.settings(f"discord:{BOB}") == {"llm.max_tokens": 99}
    assert item(report, "setting", "top_k") == {"plugin": "wizardlm", "taken": 1, "left": 1, "why": [DEFAULT]}


def test_numbers_that_are_kept_as_text_are_numbers(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile(temperature="0.25", top_k="7", top_p="0.95")})
    report = hub.take(original)
    assert hub.settings(f"discord:{ANN}") == {"llm.temperature": 0.25, "llm.top_k": 7}
    assert item(report, "setting", "temperature")["mapped"] == 1
    assert item(report, "setting", "temperature")["why"] == ["kept as text in the original"]
    assert item(report, "setting", "top_p")["why"] == [DEFAULT]


UNUSABLE = [
    ("temperature", "hot", "broken: 'hot' is not a number"),
    ("temperature", "nan", "broken: 'nan' is not a number"),
    ("temperature", True, "broken: True is not a number"),
    ("temperature", 9.0, "broken: temperature (9.0): input should be less than or equal to 2"),
    ("top_k", 7.5, "broken: 7.5 is not a whole number"),
    ("max_tokens", 100_000, "broken: max_tokens (100000): input should be less than or equal to 4096"),
    ("gpt_role", 7, "broken: 7 is not a text"),
    ("group_chat", "perhaps", "broken: 'perhaps' is neither true nor false"),
    ("tts_voice", "en_booming", "Bark has no voice of that name; the original took any"),
    ("tts_actors", {"ANN": {}}, "broken: the actor 'ANN' has no voice that can be written: None"),
    ("tts_actors", {"A B": {"voice": "v"}}, "broken: 'A B' is no name of an actor"),
    ("tts_actors", ["ANN"], "broken: ['ANN'] is not an object"),
    ("temperature", None, "nothing was chosen (null)"),
]


def test_what_cannot_be_used_is_left_with_the_reason(original: OriginalHub, hub: Any) -> None:
    people = {f"{111111111111111000 + number}": case for number, case in enumerate(UNUSABLE)}
    stored = {person: profile() | {key: value} for person, (key, value, _) in people.items()}
    original.configure({**stored, BOB: profile(repeat_penalty=1.5)})
    report = hub.take(original)
    for person, (key, _, why) in people.items():
        assert reason(report, "setting", key, person).startswith(why)
        assert hub.settings(f"discord:{person}") == {}
    assert hub.settings(f"discord:{BOB}") == {"llm.repeat_penalty": 1.5}


def test_actors_keep_their_voices(original: OriginalHub, hub: Any) -> None:
    actors = {"Ann": {"voice": "v2/en_speaker_1"}, "BOB": {"voice": "en_speaker_2"}}
    original.configure({ANN: profile(tts_actors=actors)})
    report = hub.take(original)
    assert hub.settings(f"discord:{ANN}") == {"tts.actors": "ANN=v2/en_speaker_1, BOB=en_speaker_2"}
    assert item(report, "setting", "tts_actors")["mapped"] == 1


def test_a_choice_made_here_stays(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile(temperature=0.2)})
    hub.take(original)
    original.configure({ANN: profile(temperature=0.7)})
    assert item(hub.take(original), "setting", "temperature") == {"plugin": "wizardlm", "there": 1, "why": []}
    assert hub.settings(f"discord:{ANN}") == {"llm.temperature": 0.2}


def test_a_key_that_nobody_takes_is_left(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile(steps=33, favourite_colour="red")})
    report = hub.take(original)
    for key in ("steps", "favourite_colour"):
        left = item(report, "setting", key)
        assert (left["plugin"], left["left"]) == (None, 1)
        assert left["why"] == ["no plugin that is installed and active takes it; install that and import again"]


def test_the_text_of_a_default_that_is_not_known_is_told_by_its_being_everywhere(
    original: OriginalHub, hub: Any
) -> None:
    everybodys = "You are a very helpful machine that somebody has set up for everybody."
    people = {person: profile(gpt_role=everybodys) for person in (ANN, BOB, CYD)}
    original.configure({**people, "444444444444444444": profile(gpt_role="You are a pirate.")})
    roles = item(hub.take(original), "setting", "gpt_role")
    assert (roles["taken"], roles["left"]) == (1, 3)
    assert "same long text in several profiles" in roles["why"][0]


def test_the_hubs_own_default_model_is_nobodys_choice(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile(model="me/mine")}, default_diffusion_model="me/mine")
    assert "default_diffusion_model" in item(hub.take(original), "setting", "model")["why"][0]


def test_what_is_no_profile_is_said(original: OriginalHub, hub: Any) -> None:
    original.configure({"default": profile(temperature=0.1), "ann": profile(temperature=0.1), BOB: ["steps"]})
    report = hub.take(original)
    assert item(report, "config", "users") == {
        "plugin": None,
        "left": 3,
        "why": [
            "nobody's: what !defaults wrote, nothing ever read",
            "broken: this is no id of a person",
            "broken: the profile is no object",
        ],
    }
    assert hub.rows("SELECT * FROM settings") == []


def test_banned_channels_are_banned_here(original: OriginalHub, hub: Any) -> None:
    original.rule(
        {
            GUILD: {"banned_channels": [int(ANN), BOB], "best_of_channel_id": 5},
            "2": {"banned_channels": "all"},
            "3": {"banned_channels": []},
            "4": ["?"],
        },
        home_guild=int(GUILD),
        banned_channels=[1],
    )
    report = hub.take(original)
    assert hub.rules(GUILD) == {"banned_channels": [ANN, BOB]}
    banned = [each for each in report["items"] if each["name"] == "banned_channels"]
    assert [(each["plugin"], each["taken"], each["left"]) for each in banned] == [("legacy", 1, 2), (None, 0, 1)]
    assert "no home guild" in item(report, "guilds", "home_guild")["why"][0]
    assert item(report, "guilds", "best_of_channel_id")["left"] == 1
    assert item(report, "guilds", "guilds")["why"] == ["broken: the guild is no object"]


def test_the_rest_of_config_json_is_the_operators(original: OriginalHub, hub: Any) -> None:
    original.configure({}, discord={"api_key": "bot token"}, cmd_prefix="!")
    result = hub.run_import(original, "--json")
    named = [each["name"] for each in json.loads(result.stdout)["items"] if each["from"] == "config"]
    assert named == ["cmd_prefix", "discord"]
    assert "bot token" not in result.stdout
