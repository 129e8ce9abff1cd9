"""Forgetting, choosing a role and a model, and what it all cost."""

from __future__ import annotations

import time
from typing import Any

import pytest
from scripted_chat_server import ScriptedServer, answer, streamed

import tron_core as tron


async def test_clear_forgets_what_was_said_there_alone(stage: Any, server: ScriptedServer) -> None:
    await stage.say("one")
    await stage.say("two", conversation="work")
    reply = await stage.say("", capability="chat-clear")
    assert reply == "Forgotten: 1 message and what was answered."
    await stage.say("three")
    assert len(server.sent()) == 2
    await stage.say("four", conversation="work")
    assert len(server.sent()) == 4


async def test_clear_waits_for_the_answer_that_is_under_way(stage: Any, server: ScriptedServer) -> None:
    jobs = [await stage.submit("one"), await stage.submit("", capability="chat-clear"), await stage.submit("two")]
    for job in jobs:
        await stage.end(job)
    assert [text for _, text in server.sent()][1:] == ["two"]


async def test_a_role_holds_for_its_conversation(stage: Any, server: ScriptedServer) -> None:
    assert await stage.say("You are a pirate.", capability="chat-role") == "The role here: You are a pirate."
    await stage.say("hello")
    assert server.sent()[0] == ("system", "You are a pirate.")
    await stage.say("hello", conversation="work")
    assert server.sent()[0] == ("system", "You are a helpful assistant. Answer briefly.")
    assert await stage.say("", capability="chat-role") == "The role here: You are a pirate."
    assert await stage.say("", capability="chat-role", reset=True) == "Here the usual role answers."


async def test_a_saved_role_answers_where_a_conversation_has_none(stage: Any, server: ScriptedServer) -> None:
    await stage.services.saved_settings.set("api:alice", "gpt", "gpt.role", "You are a cat.")
    await stage.say("hello")
    assert server.sent()[0] == ("system", "You are a cat.")


async def test_a_model_may_be_chosen_from_those_of_the_configuration(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, models={"gpt-4": {"reply_tokens": 64}})
    reply = await stage.say("", capability="chat-model", model="gpt-4")
    assert reply == "Here answers gpt-4 (of gpt-4o-mini, gpt-4)."
    job = await stage.ask("hello")
    assert job.output["model"] == "gpt-4"
    assert (server.requests[-1]["model"], server.requests[-1]["max_tokens"]) == ("gpt-4", 64)
    refused = await stage.ask("", capability="chat-model", model="gpt-9")
    assert "allowed: gpt-4o-mini, gpt-4" in refused.error.message
    assert "gpt-4o-mini (of" in await stage.say("", capability="chat-model", reset=True)
    assert stage.scheduler.choices("chat-model", "model") == ["gpt-4o-mini", "gpt-4"]


async def test_a_command_for_another_channels_conversation_is_refused(stage: Any) -> None:
    with pytest.raises(tron.Refused, match="another channel"):
        await stage.submit("", capability="chat-clear", conversation="channel:7")


async def test_usage_is_added_up_for_each_person(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, input_price=100.0, output_price=1000.0)
    server.otherwise = streamed(
        answer("Fine.", {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100})
    )
    await stage.say("one")
    job = await stage.ask("two")
    assert job.output["usage"]["cost"] == 0.2
    reply = await stage.say("", capability="chat-usage")
    assert reply.startswith("Today (UTC): 2 answers, 2200 tokens, 0.4000 in cost.")
    assert "0 answers" in await stage.say("", "api:bob", capability="chat-usage")


async def test_who_has_used_up_their_day_waits_for_the_next(make_stage: Any, server: ScriptedServer) -> None:
    ahead = [0.0]
    stage = await make_stage(
        now=lambda: time.time() + ahead[0],
        base_url=server.url,
        daily_tokens=15,
        roles={"patron": {"daily_tokens": 25}, "staff": {}},
    )
    await stage.say("one")
    await stage.say("two")
    with pytest.raises(tron.Refused, match="You have used 20 of 15 tokens today"):
        await stage.submit("three")
    await stage.say("three", roles=frozenset({"patron", "other"}))
    with pytest.raises(tron.Refused, match="30 of 25"):
        await stage.submit("four", roles=frozenset({"patron"}))
    await stage.say("four", roles=frozenset({"patron", "staff"}))
    await stage.say("one", "api:bob")
    ahead[0] = 86_400.0
    await stage.say("five")


async def test_a_cap_on_cost_counts_too(make_stage: Any, server: ScriptedServer) -> None:
    stage = await make_stage(base_url=server.url, daily_cost=0.00001, input_price=10.0)
    await stage.say("one")
    with pytest.raises(tron.Refused, match="come back after midnight UTC"):
        await stage.submit("two")
