"""A hub that does what a test tells it to: the WebSocket side, and the few HTTP calls that a worker makes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from random import Random
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tron_core.hub.protocol import (
    Held,
    Hello,
    JobMessage,
    Message,
    Settled,
    Ticket,
    Upload,
    Welcome,
    encode,
    parse_from_worker,
)

M = TypeVar("M", bound=Message)

PATIENCE = 15.0


class Impatient(Random):
    """Waits for nothing between two tries."""

    def uniform(self, a: float, b: float) -> float:
        return a


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


class HubSession:
    """One connection of a worker, hello received."""

    def __init__(self, socket: ServerConnection, hello: Hello) -> None:
        self.socket = socket
        self.hello = hello
        self.received: list[Message] = []
        self._news = asyncio.Condition()

    async def read(self) -> None:
        try:
            async for frame in self.socket:
                async with self._news:
                    self.received.append(parse_from_worker(frame))
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._news:
                self._news.notify_all()

    async def send(self, message: Message) -> None:
        await self.socket.send(encode(message))

    async def welcome(self, *, heartbeat_s: float = 30.0, abandon: tuple[Held, ...] = ()) -> None:
        resume = tuple(held for held in self.hello.resuming if held not in abandon)
        await self.send(Welcome(session="s", heartbeat_s=heartbeat_s, resume=resume, abandon=abandon))

    async def job(self, job: str, capability: str, params: dict[str, Any], attempt: int = 1, **more: Any) -> None:
        more = {"deadline_s": 60.0} | more
        await self.send(JobMessage(job=job, attempt=attempt, capability=capability, params=params, **more))

    async def expect(self, kind: type[M], job: str | None = None) -> M:
        """The first message of this kind (and about ``job``), taken out of what was received."""

        def find() -> M | None:
            for message in self.received:
                if isinstance(message, kind) and (job is None or getattr(message, "job", None) == job):
                    return message
            return None

        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: find() is not None)
            found = find()
            assert found is not None
            self.received.remove(found)
            return found

    async def settle(self, message: Any, outcome: str = "accepted") -> None:
        await self.send(Settled.model_validate({"job": message.job, "attempt": message.attempt, "outcome": outcome}))

    def count(self, kind: type[Message], job: str) -> int:
        return sum(isinstance(message, kind) and message.job == job for message in self.received)  # type: ignore[attr-defined]

    def drop(self) -> None:
        """As a cut cable: no close frame."""
        self.socket.transport.abort()

    async def close(self, code: int, reason: str = "") -> None:
        await self.socket.close(code, reason)


class ScriptedHub:
    """``good_tokens`` are let in; ``put_statuses`` are the answers to the next PUTs, 201 after that."""

    def __init__(self) -> None:
        self.good_tokens = {"good"}
        self.refuse_with: HTTPStatus | None = None
        self.next_token = "good"
        self.token_status = 200
        self.grants: list[dict[str, str]] = []
        self.stored: dict[str, bytes] = {}
        self.put_statuses: list[int] = []
        self.puts = 0
        self.inputs: dict[str, list[bytes]] = {}
        self._sessions: asyncio.Queue[HubSession] = asyncio.Queue()

    async def start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=["tron.v1"], process_request=self._admit, compression=None
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        app = Starlette(
            routes=[
                Route("/api/v1/token", self._token, methods=["POST"]),
                Route("/put/{name}", self._put, methods=["PUT"]),
                Route("/inputs/{name}", self._input),
            ]
        )
        self._web = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none"))
        config = self._web.config
        config.load()
        socket = config.bind_socket()
        self.http = f"http://127.0.0.1:{socket.getsockname()[1]}"
        self._web_task = asyncio.create_task(self._web._serve([socket]))

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        self._web.should_exit = True
        await self._web_task

    async def session(self) -> HubSession:
        """The next connection; it waits for its welcome."""
        async with asyncio.timeout(PATIENCE):
            return await self._sessions.get()

    def ticket(self, upload: Upload) -> Ticket:
        return Ticket(
            job=upload.job,
            attempt=upload.attempt,
            name=upload.name,
            url=f"{self.http}/put/{upload.name}",
            headers={"Authorization": f"Bearer ticket-{upload.sha256[:8]}"},
            expires_s=60,
        )

    async def _admit(self, socket: ServerConnection, request: Any) -> Any:
        if self.refuse_with is not None:
            return socket.respond(self.refuse_with, "not now\n")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.good_tokens:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "this token is not known\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        hello = parse_from_worker(await socket.recv())
        assert isinstance(hello, Hello)
        session = HubSession(socket, hello)
        self._sessions.put_nowait(session)
        await session.read()

    async def _token(self, request: Request) -> Response:
        async with request.form() as form:
            self.grants.append({name: str(value) for name, value in form.items()})
        if self.token_status != 200:
            return JSONResponse({"error": "invalid_client"}, self.token_status)
        return JSONResponse({"access_token": self.next_token, "refresh_token": "r2", "expires_in": 3600})

    async def _put(self, request: Request) -> Response:
        body = await request.body()
        self.puts += 1
        status = self.put_statuses.pop(0) if self.put_statuses else 201
        digest = hashlib.sha256(body).hexdigest()
        if request.headers.get("authorization") != f"Bearer ticket-{digest[:8]}":
            status = 403
        if status == 201:
            self.stored[request.path_params["name"]] = body
        return Response(status_code=status)

    async def _input(self, request: Request) -> Response:
        bodies = self.inputs[request.path_params["name"]]
        return Response(bodies.pop(0) if len(bodies) > 1 else bodies[0])
