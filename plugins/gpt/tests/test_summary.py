"""The running summary of what no longer fits."""

from __future__ import annotations

from typing import Any

import pytest
import tiktoken
from aiohttp import web
from scripted_chat_server import ScriptedServer, answer, refused, streamed

from tron_plugin_gpt.summary import TASK


def is_summary(request: dict[str, Any]) -> bool:
    return bool(request["messages"][0]["content"] == TASK)


@pytest.fixture
def summarising(server: ScriptedServer) -> list[dict[str, Any]]:
    """The requests for a summary, each of which is answered with its number."""
    asked: list[dict[str, Any]] = []

    async def behave(request: web.Request) -> web.StreamResponse:
        body = server.requests[-1]
        if not is_summary(body):
            return await streamed(answer())(request)
        asked.append(body)
        return await streamed(answer(f"Summary {len(asked)}."))(request)

    server.otherwise = behave
    return asked


async def test_what_rolls_over_is_told_in_a_summary(
    make_stage: Any, server: ScriptedServer, summarising: list[dict[str, Any]]
) -> None:
    stage = await make_stage(base_url=server.url, context_tokens=700, reply_tokens=200, summary=True)
    for number in range(30):
        await stage.say(f"Message {number} " + "about the snow " * 8)
    first, second = summarising[0]["messages"][1]["content"], summarising[1]["messages"][1]["content"]
    assert "Message 0 " in first
    assert second.startswith("Earlier: Summary 1.")
    assert "Message 0 " not in second
    encoding = tiktoken.get_encoding("o200k_base")
    for request in server.requests:
        texts = [text for message in request["messages"] for text in message.values()]
        tokens = sum(len(encoding.encode(text)) for text in texts) + 3 * len(request["messages"]) + 3
        assert tokens <= 700 - request["max_tokens"]
    system = server.sent()[0][1]
    assert system.startswith("You are a helpful assistant. Answer briefly.")
    assert system.endswith(f"What was said before, in short: Summary {len(summarising)}.")
    assert len(summarising) < 10, "not at every message"


async def test_a_summary_that_fails_costs_no_answer(
    make_stage: Any, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await make_stage(base_url=server.url, context_tokens=700, reply_tokens=200, summary=True, retries=0)

    async def behave(request: web.Request) -> web.StreamResponse:
        failing = refused(500) if is_summary(server.requests[-1]) else streamed(answer())
        return await failing(request)

    server.otherwise = behave
    for number in range(24):
        assert await stage.say(f"Message {number} " + "about the snow " * 8) == "Fine."
    assert "could not be summarised" in caplog.text


async def test_clear_forgets_the_summary_too(
    make_stage: Any, server: ScriptedServer, summarising: list[dict[str, Any]]
) -> None:
    stage = await make_stage(base_url=server.url, context_tokens=700, reply_tokens=200, summary=True)
    for number in range(24):
        await stage.say(f"Message {number} " + "about the snow " * 8)
    assert summarising
    await stage.say("", capability="chat-clear")
    await stage.say("hello")
    assert server.sent()[0] == ("system", "You are a helpful assistant. Answer briefly.")
