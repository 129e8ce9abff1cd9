"""The server: Discord's REST API, gateway and CDN on one port of this machine."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tron_core.testing.discord.channels import Channels
from tron_core.testing.discord.errors import DiscordError, unknown
from tron_core.testing.discord.gateway import Gateway
from tron_core.testing.discord.interactions import Interactions
from tron_core.testing.discord.limits import Limits
from tron_core.testing.discord.posting import Posting
from tron_core.testing.discord.world import World

TOKEN = "fake.discord.token"  # noqa: S105 (nobody else's)
MAX_BODY = 120 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[Any]]


@dataclass(slots=True)
class Call:
    """A REST call that the bot made; times in monotonic seconds, ``ended`` None while it is answered."""

    method: str
    path: str
    started: float
    ended: float | None = None
    status: int = 0


@dataclass(slots=True)
class Fault:
    """Answers instead of Discord, so many times."""

    method: str
    path: re.Pattern[str]
    status: int
    times: int


class Server:
    """``calls`` is everything that the bot asked; ``latency`` is in seconds, for each call."""

    def __init__(self) -> None:
        self.world = World()
        self.application = self.world.new_id()
        self.gateway = Gateway(self.world, TOKEN, self.application)
        self.posting = Posting(self.world)
        self.channels = Channels(self.world, self.gateway, self.posting)
        self.interactions = Interactions(self.world, self.gateway, self.posting, self.application)
        self.limits = Limits()
        self.calls: list[Call] = []
        self.latency = 0.0
        self.shards = 1
        self._faults: list[Fault] = []
        self._failed = False
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def api_url(self) -> str:
        """What ``[discord].api_url`` must be."""
        return f"http://127.0.0.1:{self.port}/api/v10"

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback interface, on a free port unless one is named."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/cdn/attachments/{channel}/{file}/{name}", self._file)
        for method, path, handler in self._routes():
            app.router.add_route(method, f"/api/v10{path}", self._answering(handler))
        app.router.add_route("*", "/{anything:.*}", self._answering(_nothing))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.gateway.url = f"ws://127.0.0.1:{self.port}/gateway"
        self.posting.cdn = f"http://127.0.0.1:{self.port}/cdn"

    async def stop(self) -> None:
        """Close everything; ``start`` with the same port brings it back with what it knows."""
        await self.gateway.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(self, method: str, path: str, status: int, times: int = 1) -> None:
        """Answer the next ``times`` calls of ``method`` whose path matches the pattern with ``status``."""
        self._faults.append(Fault(method, re.compile(path), status, times))

    async def until_failed(self, seconds: float = 10) -> None:
        """Wait until a call was answered as ``fail`` said."""
        await self.world.until(lambda: self._failed, seconds, "a call that fails")

    def recover(self) -> None:
        """Answer everything again, whatever ``fail`` said."""
        self._faults.clear()
        self._failed = False

    def _routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/users/@me", self._me),
            ("GET", "/users/{user}", self._user),
            ("GET", "/oauth2/applications/@me", self._about),
            ("GET", "/applications/@me", self._about),
            ("GET", "/gateway", self._where),
            ("GET", "/gateway/bot", self._where),
            ("GET", "/guilds/{guild}/members/{user}", self._member),
            *self.channels.routes(),
            *self.interactions.routes(),
        ]

    def _answering(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            path = request.path.removeprefix("/api/v10")
            call = Call(request.method, path, time.monotonic())
            self.calls.append(call)
            try:
                response = await self._checked(request, path, handler)
            except DiscordError as error:
                response = _json(error.body, error.status)
            finally:
                call.ended = time.monotonic()
            call.status = response.status
            return response

        return answer

    async def _checked(self, request: web.Request, path: str, handler: Handler) -> web.Response:
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = self._fault(request.method, path)
        if fault is not None:
            await request.read()
            return _too_many(0.1, {}) if fault == 429 else _json({"message": "a fault of the test's own"}, fault)
        by_token = path.startswith(("/interactions/", "/webhooks/"))
        if not by_token and request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise DiscordError(401, 0, "401: Unauthorized")
        headers: dict[str, str] = {}
        if re.fullmatch(r"/channels/\d+/messages(/\d+)?", path):
            bucket = self.limits.bucket(request.method, request.match_info["channel"])
            if bucket is not None:
                passed, headers, after = bucket.take()
                if not passed:
                    await request.read()
                    return _too_many(after, headers)
        found = await handler(request)
        return web.Response(status=204, headers=headers) if found is None else _json(found, 200, headers)

    def _fault(self, method: str, path: str) -> int | None:
        for fault in self._faults:
            if fault.times > 0 and fault.method == method and fault.path.search(path):
                fault.times -= 1
                self._failed = True
                self.world.changed()
                return fault.status
        return None

    async def _me(self, request: web.Request) -> Any:
        return self.world.bot.payload() | {"verified": True, "mfa_enabled": False, "email": None}

    async def _user(self, request: web.Request) -> Any:
        user = self.world.users.get(int(request.match_info["user"]))
        if user is None:
            raise unknown("User", 10013)
        return user.payload()

    async def _member(self, request: web.Request) -> Any:
        guild = self.world.guilds.get(int(request.match_info["guild"]))
        user = self.world.users.get(int(request.match_info["user"]))
        if guild is None or user is None or user.id not in guild.members:
            raise unknown("Member", 10007)
        return guild.member_payload(user)

    async def _about(self, request: web.Request) -> Any:
        owner = next(iter(self.world.guilds.values())).owner if self.world.guilds else self.world.bot
        return {
            "id": str(self.application),
            "name": "TRON",
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "00" * 32,
            "flags": 1 << 18,
            "owner": owner.payload(),
            "team": None,
            "rpc_origins": [],
        }

    async def _where(self, request: web.Request) -> Any:
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return {"url": self.gateway.url, "shards": self.shards, "session_start_limit": limit}

    async def _file(self, request: web.Request) -> web.Response:
        file = self.world.files.get(int(request.match_info["file"]))
        if file is None:
            return web.Response(status=404)
        return web.Response(body=file.data, content_type=file.content_type)


async def _nothing(request: web.Request) -> Any:
    raise DiscordError(404, 0, f"404: Not Found ({request.method} {request.path})")


def _json(body: Any, status: int, headers: dict[str, str] | None = None) -> web.Response:
    # Exactly this type: discord.py takes anything after it for a reason not to parse the body.
    response = web.Response(body=json.dumps(body).encode(), status=status, headers=headers)
    response.headers["Content-Type"] = "application/json"
    return response


def _too_many(after: float, headers: dict[str, str]) -> web.Response:
    # Without Via, discord.py takes it for a ban by Cloudflare.
    headers = {**headers, "Retry-After": str(round(after) + 1), "Via": "1.1 fake", "X-RateLimit-Scope": "user"}
    return _json(
        {"message": "You are being rate limited.", "retry_after": round(after, 3), "global": False}, 429, headers
    )
