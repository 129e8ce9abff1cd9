"""The hub's half: params, claims, actions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

import tron_core as tron
from tron_core.capability import fields_of
from tron_plugin_img2img import Img2ImgParams, tron_message, tron_reply_actions


def artifact(name: str, media_type: str = "image/png", role: tron.Role = tron.Role.RESULT) -> tron.Artifact:
    return tron.Artifact(f"id-{name}", name, role, "key", name, media_type, 1, "0" * 64)


def job(*artifacts: tron.Artifact, capability: str = "txt2img", params: Mapping[str, Any] | None = None) -> tron.Job:
    state = tron.JobState.SUCCEEDED
    return tron.Job("j", capability, params or {}, state, "console:root", 0.0, artifacts=artifacts)


def said(text: str, *attachments: tron.Artifact, mentions_bot: bool = True) -> tron.Message:
    return tron.Message(
        text, "discord:1", "discord", "7", guild="9", mentions_bot=mentions_bot, attachments=attachments
    )


def test_importing_either_half_loads_no_library_for_pictures_and_none_of_the_hubs() -> None:
    code = (
        "import sys, tron_plugin_img2img, tron_plugin_img2img.executor; "
        "print(sorted({'PIL', 'numpy', 'onnxruntime', 'torch', 'sqlalchemy', 'fastapi'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_picture_is_wanted_and_a_prompt_is_not() -> None:
    assert Img2ImgParams(image=tron.Attachment("up-1")).prompt == ""
    with pytest.raises(ValueError, match="image"):
        Img2ImgParams(prompt="a fox")  # type: ignore[call-arg]


def test_the_settings_are_those_of_every_capability_that_draws() -> None:
    groups = {spec.name: spec.group for spec in fields_of(Img2ImgParams) if spec.kind == "setting" and spec.saved}
    assert set(groups.values()) == {"pictures"}
    assert {"steps", "strength", "model", "style"} <= groups.keys()


async def test_a_message_with_a_picture_is_claimed_with_or_without_words() -> None:
    for text, prompt in ((" in winter ", "in winter"), ("", "")):
        request = await tron_message(said(text, artifact("a.txt", "text/plain"), artifact("a.png"), artifact("b.png")))
        assert request is not None
        assert (request.capability, request.params) == ("img2img", {"prompt": prompt, "image": "id-a.png"})
        assert (request.requester, request.channel, request.guild) == ("discord:1", "7", "9")


async def test_other_messages_are_left_to_others() -> None:
    assert await tron_message(said("in winter")) is None
    assert await tron_message(said("in winter", artifact("a.pdf", "application/pdf"))) is None
    assert await tron_message(said("in winter", artifact("a.png"), mentions_bot=False)) is None


def test_each_picture_gets_an_action_with_a_number_and_its_emoji() -> None:
    actions = tron_reply_actions(job(artifact("1.png"), artifact("2.png")), tron.Reply())
    assert [(action.label, action.emoji) for action in actions] == [("Vary #1", "1️⃣"), ("Vary #2", "2️⃣")]
    assert [action.params["image"] for action in actions] == ["id-1.png", "id-2.png"]
    assert {action.capability for action in actions} == {"img2img"}


def test_of_many_pictures_the_first_four_get_one() -> None:
    pictures = [artifact(f"{number}.png") for number in range(6)]
    assert len(tron_reply_actions(job(*pictures), tron.Reply())) == 4


def test_a_variation_shows_what_the_picture_shows_however_it_was_drawn() -> None:
    params = {"prompt": "a fox", "style": "anime", "model": "m", "steps": 9, "seed": 7, "image": "old", "loras": None}
    (action,) = tron_reply_actions(job(artifact("1.png"), params=params), tron.Reply())
    assert action.params == {"prompt": "a fox", "style": "anime", "model": "m", "image": "id-1.png"}


def test_pictures_of_other_capabilities_are_varied_without_their_params() -> None:
    params = {"prompt": "not for pictures", "model": "realesrgan", "image": "old"}
    (action,) = tron_reply_actions(job(artifact("1.png"), capability="upscale", params=params), tron.Reply())
    assert action.params == {"image": "id-1.png"}


def test_other_files_previews_sheets_and_hidden_pictures_get_none() -> None:
    others = (
        artifact("speech.wav", "audio/x-wav"),
        artifact("drawing.svg", "image/svg+xml"),
        artifact("sheet.png", role=tron.Role("sheet")),
        artifact("hidden.png"),
    )
    assert tron_reply_actions(job(*others), tron.Reply(artifacts=["speech.wav", "drawing.svg", "sheet.png"])) == []
