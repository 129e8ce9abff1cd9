"""The hub's half: params, replies, actions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

import tron_core as tron
from tron_plugin_upscale import MODELS, Upscale, tron_message, tron_reply_actions


def artifact(name: str, media_type: str = "image/png", role: tron.Role = tron.Role.RESULT) -> tron.Artifact:
    return tron.Artifact(f"id-{name}", name, role, "key", name, media_type, 1, "0" * 64)


def job(*artifacts: tron.Artifact, capability: str = "paint", output: Mapping[str, Any] | None = None) -> tron.Job:
    params = {"image": "up-1", "factor": 4, "model": None}
    return tron.Job(
        "j", capability, params, tron.JobState.SUCCEEDED, "console:root", 0.0, artifacts=artifacts, output=output
    )


def test_importing_the_hub_half_loads_no_library_for_pictures() -> None:
    code = "import sys, tron_plugin_upscale; print(sorted({'ncnn', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_factor_is_four_unless_given() -> None:
    assert Upscale().parse({"image": "up-1"}).factor == 4


@pytest.mark.parametrize("factor", [1, 5, "4", 2.5])
def test_a_factor_outside_two_to_four_is_refused(factor: object) -> None:
    with pytest.raises(tron.TronError, match=r"factor.*2 to 4"):
        Upscale().parse({"image": "up-1", "factor": factor})


def test_a_named_model_is_required_of_the_worker() -> None:
    params = Upscale().parse({"image": "up-1", "model": MODELS[1]})
    assert Upscale().requirements(params).model == MODELS[1]


def test_slower_models_are_expected_to_take_longer() -> None:
    upscale = Upscale()
    seconds = [upscale.expected_seconds(upscale.parse({"image": "u", "model": model})) for model in MODELS]
    assert seconds[0] < seconds[2] < seconds[1]


async def test_the_reply_tells_size_model_and_factor() -> None:
    output = {"width": 512, "height": 384, "model": "realesr-animevideov3"}
    reply = await Upscale().handle_result(job(capability="upscale"), tron.Result(output))
    assert reply.text == "512 × 384, realesr-animevideov3, 4×"


def test_the_demo_has_its_picture_with_it() -> None:
    demo = Upscale().demo()
    assert demo.inputs["image"].read_bytes().startswith(b"\x89PNG")


def test_one_picture_gets_one_plain_action() -> None:
    (action,) = tron_reply_actions(job(artifact("a.png")), tron.Reply())
    assert (action.label, action.capability, action.params) == ("Upscale", "upscale", {"image": "id-a.png"})


def test_several_pictures_get_numbered_actions() -> None:
    actions = tron_reply_actions(job(artifact("a.png"), artifact("b.jpg", "image/jpeg")), tron.Reply())
    assert [action.label for action in actions] == ["Upscale #1", "Upscale #2"]
    assert [action.params["image"] for action in actions] == ["id-a.png", "id-b.jpg"]


def test_other_files_previews_and_hidden_pictures_get_none() -> None:
    others = (
        artifact("speech.wav", "audio/x-wav"),
        artifact("drawing.svg", "image/svg+xml"),
        artifact("wave.png", role=tron.Role.WAVEFORM),
        artifact("hidden.png"),
    )
    assert tron_reply_actions(job(*others), tron.Reply(artifacts=["speech.wav", "drawing.svg", "wave.png"])) == []


@pytest.mark.parametrize(("side", "offered"), [(2000, 1), (2001, 0)])
def test_our_own_picture_is_offered_again_only_while_it_may_go_in_again(side: int, offered: int) -> None:
    output = {"width": side, "height": side, "model": MODELS[0]}
    actions = tron_reply_actions(job(artifact("upscaled.png"), capability="upscale", output=output), tron.Reply())
    assert len(actions) == offered


def said(text: str, *attachments: tron.Artifact, mentions_bot: bool = True) -> tron.Message:
    return tron.Message(text, "discord:1", "discord", "7", mentions_bot=mentions_bot, attachments=attachments)


@pytest.mark.parametrize("text", ["!upscale", "look here !Upscale please"])
async def test_a_message_with_the_marker_and_a_picture_is_claimed(text: str) -> None:
    request = await tron_message(said(text, artifact("notes.txt", "text/plain"), artifact("a.png"), artifact("b.png")))
    assert request is not None
    assert (request.capability, request.params) == ("upscale", {"image": "id-a.png"})
    assert (request.requester, request.channel) == ("discord:1", "7")


async def test_other_messages_are_left_to_others() -> None:
    assert await tron_message(said("!upscale")) is None
    assert await tron_message(said("!upscaled", artifact("a.png"))) is None
    assert await tron_message(said("a harbour", artifact("a.png"))) is None
    assert await tron_message(said("!upscale", artifact("a.svg", "image/svg+xml"))) is None
    assert await tron_message(said("!upscale", artifact("a.png"), mentions_bot=False)) is None
