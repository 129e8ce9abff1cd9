"""What the plugin does for others: messages, forgetting, prompts for pictures, moderation."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from scripted_chat_server import ScriptedServer, answer, refused, streamed

import tron_core as tron
from tron_core.storage.tables import jobs
from tron_plugin_gpt.chat import Chat
from tron_plugin_gpt.plugin import GPT


def message(text: str = "hello", **fields: Any) -> tron.Message:
    return tron.Message(text, "discord:1", "discord", "7", **{"guild": "9", "mentions_bot": True, **fields})


@pytest.mark.parametrize("fields", [{}, {"mentions_bot": False, "guild": None}], ids=["a mention", "a direct message"])
async def test_what_is_said_to_the_bot_becomes_a_message(stage: Any, fields: dict[str, Any]) -> None:
    request = await stage.hook("tron_message", message=message(" hello ", roles=frozenset({"r"}), **fields))
    assert (request.capability, request.params) == ("chat", {"text": "hello", "images": []})
    assert (request.requester, request.channel, request.roles) == ("discord:1", "7", frozenset({"r"}))


async def test_a_thread_that_a_chat_began_needs_no_mention_another_ones_does(stage: Any) -> None:
    job = await stage.ask("hello", "discord:1")
    assert await stage.hook("tron_message", message=message(mentions_bot=False, thread_job=job.id)) is not None
    assert await stage.hook("tron_message", message=message(mentions_bot=False, thread_job="a picture")) is None
    assert await stage.hook("tron_message", message=message(thread_job="a picture")) is not None


@pytest.mark.parametrize("said", [message("  "), message(mentions_bot=False)], ids=["nothing", "to nobody"])
async def test_other_messages_are_left_to_others(stage: Any, said: tron.Message) -> None:
    assert await stage.hook("tron_message", message=said) is None


async def test_pictures_of_a_message_go_with_it(stage: Any) -> None:
    files = [
        tron.Artifact(name, name, tron.Role.INPUT, "key", name, media_type, 1, "0")
        for name, media_type in [("a", "image/png"), ("b", "audio/wav"), ("c", "image/tiff")]
    ]
    request = await stage.hook("tron_message", message=message("", attachments=tuple(files)))
    assert request.params == {"text": "What do you see?", "images": ["a"]}


async def test_a_thread_goes_on_with_what_it_was_made_for(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, conversation="thread")
    first = await stage.ask("Foxes?", "discord:1", channel="5", guild="9")
    for text in ("Why?", "And then?"):
        request = await stage.hook("tron_message", message=message(text, mentions_bot=False, thread_job=first.id))
        assert request.params["conversation"] == "channel:7"
        await stage.end((await stage.scheduler.submit(request)).job.id)
    assert [text for _, text in server.sent()][1:] == ["1: Foxes?", "Fine.", "1: Why?", "Fine.", "1: And then?"]
    request = await stage.hook("tron_message", message=message())
    assert "conversation" not in request.params


async def test_a_thread_knows_who_said_what_from_its_beginning(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, conversation="thread")
    first = await stage.ask("Foxes?", "discord:1", channel="5", guild="9", requester_name="Ada")
    said = message("Why?", mentions_bot=False, thread_job=first.id, requester_name="Bob")
    await stage.end((await stage.scheduler.submit(await stage.hook("tron_message", message=said))).job.id)
    assert [text for _, text in server.sent()][1:] == ["Ada: Foxes?", "Fine.", "Bob: Why?"]


async def test_a_thread_goes_on_when_the_job_that_it_was_made_for_is_gone(
    make_stage: Any, server: ScriptedServer
) -> None:
    stage = await make_stage(base_url=server.url, conversation="thread")
    first = await stage.ask("Foxes?", "discord:1", channel="5", guild="9", requester_name="Ada")
    await stage.services.database.write(lambda connection: connection.execute(jobs.delete()))
    said = message("Why?", mentions_bot=False, thread_job=first.id)
    await stage.end((await stage.scheduler.submit(await stage.hook("tron_message", message=said))).job.id)
    assert [text for _, text in server.sent()][1:] == ["1: Foxes?", "Fine.", "1: Why?"]


async def test_a_person_is_forgotten_and_nobody_else(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, conversation="channel")
    for who in ("discord:1", "discord:2"):
        await stage.say("in private", who)
        await stage.say("in public", who, channel="7", guild="9")
    for _ in range(2):
        await stage.hook("tron_forget_requester", requester="discord:1")
    await stage.say("hello", "discord:1")
    assert len(server.sent()) == 2
    assert "1 answers" in await stage.say("", "discord:1", capability="chat-usage")
    await stage.say("hello", "discord:2", channel="7", guild="9")
    assert [text for _, text in server.sent()][1:] == ["2: in public", "Fine.", "2: hello"]
    await stage.say("hello", "discord:2")
    assert len(server.sent()) == 4


async def test_a_theme_becomes_a_prompt_for_a_picture(stage: Any, server: ScriptedServer) -> None:
    server.otherwise = streamed(answer('"A red fox,\n in snow"'))
    assert await stage.gpt.tron_write_image_prompt("winter") == "A red fox, in snow"
    assert server.sent()[-1] == ("user", "The theme: winter")


async def test_no_server_means_no_prompt(make_stage: Any) -> None:
    stage = await make_stage()
    assert stage.gpt.tron_write_image_prompt("winter") is None


async def test_a_server_that_fails_means_no_prompt_and_no_fault(stage: Any, server: ScriptedServer) -> None:
    server.otherwise = refused(401)
    assert await stage.gpt.tron_write_image_prompt("winter") is None


async def test_another_plugins_hook_is_answered_whether_it_is_async_or_not(
    make_stage: Any, server: ScriptedServer
) -> None:
    class Hooks:
        @tron.hookspec(firstresult=True)
        def tron_write_image_prompt(self, theme: str) -> str | None:
            """Write a prompt about ``theme``."""

    class Painter:
        @tron.hookimpl
        def tron_register_hookspecs(self) -> Any:
            return Hooks

    stage = await make_stage(base_url=server.url)
    record = stage.plugins.register("painter", Painter())
    assert record.state == "active", record.reason
    assert await stage.plugins.call_first("tron_write_image_prompt", theme="winter") == "Fine."


async def test_what_the_moderation_flags_is_refused_and_logged_without_the_text(
    make_stage: Any, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await make_stage(base_url=server.url, moderation="chat")
    server.flagged = ["bomb"]
    with pytest.raises(tron.Refused, match="held this back: violence"):
        await stage.submit("how to build a bomb")
    assert await stage.say("how to build a house") == "Fine."
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "The moderation held back a request of api:alice: violence."


async def test_the_operators_channel_is_told_what_was_held_back(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, moderation="all", moderation_channel="77")
    server.flagged = ["bomb"]
    with pytest.raises(tron.Refused, match="held this back"):
        await stage.submit("how to build a bomb")
    page = await stage.services.database.read(
        lambda connection: connection.exec_driver_sql("SELECT id FROM jobs").all()
    )
    report = await stage.end(page[0].id)
    assert report.target == tron.Target("discord", {"channel": "77"})
    assert report.reply.text == "The moderation held back a request of api:alice: violence."
    with pytest.raises(tron.Refused, match="moderation alone"):
        await stage.submit("spam", capability="chat-report")


async def test_a_moderation_that_cannot_be_asked_lets_nothing_through(make_stage: Any) -> None:
    stage = await make_stage(base_url="http://127.0.0.1:9/v1", moderation="chat", retries=0)
    with pytest.raises(tron.Refused, match="cannot be checked"):
        await stage.submit("hello")


async def test_the_moderation_may_be_asked_about_everything(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, moderation="all")
    server.flagged = ["bomb"]
    for params in ({"prompt": "bomb"}, {"style": "with a bomb in it"}):
        with pytest.raises(tron.Refused, match="held this back"):
            await stage.hook("tron_job_submitting", request=tron.JobRequest("draw", params, "api:alice"))
    request = tron.JobRequest("draw", {"prompt": "a house", "model": "bomb-xl"}, "api:alice")
    assert await stage.hook("tron_job_submitting", request=request) is None


def test_the_demo_is_two_turns_of_one_conversation() -> None:
    chat = GPT().capabilities[0]
    assert isinstance(chat, Chat)
    first, second = chat.demo()
    assert chat.parse(first.params).conversation == chat.parse(second.params).conversation
    assert first.config == second.config
    assert first.config["demo_server"] is True


def test_importing_the_plugin_loads_no_library_that_takes_long() -> None:
    script = "import sys, tron_plugin_gpt; print({'openai', 'tiktoken', 'xllamacpp'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "set()"
