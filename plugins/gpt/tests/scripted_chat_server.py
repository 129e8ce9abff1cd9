"""A server that speaks OpenAI's protocol and does as a test tells it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(text: str = "Fine.", usage: Mapping[str, int] | None = None) -> list[Any]:
    """The chunks of an answer, one a word."""
    pieces = [{"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in _words(text)]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    counted = usage or {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return [*pieces, end, {"choices": [], "usage": counted}, "[DONE]"]


def _words(text: str) -> list[str]:
    return [word + " " for word in text.split()[:-1]] + text.split()[-1:]


def streamed(chunks: list[Any], *, cut: bool = False) -> Behaviour:
    """Sends chunks as they are; ``cut``: then hangs up in the middle of the body."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            data = chunk if isinstance(chunk, str) else json.dumps({"object": "chat.completion.chunk", **chunk})
            await response.write(f"data: {data}\n\n".encode())
        if cut:
            assert request.transport is not None
            request.transport.abort()
        else:
            await response.write_eof()
        return response

    return behave


def refused(status: int, code: str = "", message: str = "no", **headers: str) -> Behaviour:
    """Answers with an error, as OpenAI does."""

    async def behave(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=named)

    return behave


@dataclass
class ScriptedServer:
    """Behaves as the ``script`` says, one entry a request, then as ``otherwise`` says; keeps what it was sent."""

    url: str = ""
    script: list[Behaviour] = field(default_factory=list)
    otherwise: Behaviour = field(default_factory=lambda: streamed(answer()))
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        return await (self.script.pop(0) if self.script else self.otherwise)(request)

    async def moderate(self, request: web.Request) -> web.StreamResponse:
        texts = (await request.json())["input"]
        found = [word for word in self.flagged if any(word in text for text in texts)]
        verdict = {"flagged": bool(found), "categories": {"violence": bool(found), "self-harm": False}}
        return web.json_response({"id": "m", "model": "m", "results": [{**verdict, "category_scores": {}}]})

    def sent(self, number: int = -1) -> list[tuple[str, Any]]:
        """The messages of a request, as role and content."""
        return [(message["role"], message["content"]) for message in self.requests[number]["messages"]]


@asynccontextmanager
async def running() -> AsyncIterator[ScriptedServer]:
    """Such a server on a free port."""
    scripted = ScriptedServer()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/chat/completions", scripted.chat)
    app.router.add_post("/v1/moderations", scripted.moderate)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield scripted
    await runner.cleanup()
