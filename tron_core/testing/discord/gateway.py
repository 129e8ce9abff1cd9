"""The gateway: identify, heartbeat, resume, and events to the sessions whose guilds they are about."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tron_core.testing.discord.world import Guild, World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID_SESSION, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
REQUEST_MEMBERS = 8
AUTHENTICATION_FAILED, DISALLOWED_INTENTS = 4004, 4014
MESSAGE_CONTENT = 1 << 15
HEARTBEAT_MS = 41_250


@dataclass(slots=True, eq=False)
class Session:
    """One bot session; it outlives its sockets, so that it can be resumed."""

    id: str
    shard: tuple[int, int]
    socket: web.WebSocketResponse | None
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.socket is not None and not self.socket.closed


class Gateway:
    """``identified`` and ``resumed`` count; ``privileged`` says whether the message content intent is granted."""

    def __init__(self, world: World, token: str, application: int) -> None:
        self._world = world
        self._token = token
        self._application = application
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.identified = 0
        self.resumed = 0
        self.privileged = True

    @property
    def live(self) -> bool:
        """Whether a bot is connected."""
        return any(session.live for session in self.sessions.values())

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection of a bot."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _send(socket, {"op": HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}, "s": None, "t": None})
        session: Session | None = None
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                frame = json.loads(message.data)
                session = await self._take(frame, socket, session)
        finally:
            if session is not None and session.socket is socket:
                session.socket = None
                self._world.changed()
        return socket

    async def _take(
        self, frame: Mapping[str, Any], socket: web.WebSocketResponse, session: Session | None
    ) -> Session | None:
        if frame["op"] == HEARTBEAT:
            await _send(socket, {"op": ACK, "d": None, "s": None, "t": None})
        elif frame["op"] == IDENTIFY:
            return await self._identify(frame["d"], socket)
        elif frame["op"] == RESUME:
            return await self._resume(frame["d"], socket)
        elif frame["op"] == REQUEST_MEMBERS and session is not None:
            await self._members(frame["d"], session)
        return session

    async def _identify(self, data: Mapping[str, Any], socket: web.WebSocketResponse) -> Session | None:
        if data["token"] != self._token:
            await socket.close(code=AUTHENTICATION_FAILED, message=b"Authentication failed.")
            return None
        if data["intents"] & MESSAGE_CONTENT and not self.privileged:
            await socket.close(code=DISALLOWED_INTENTS, message=b"Disallowed intent(s).")
            return None
        shard = data.get("shard") or [0, 1]
        session = Session(secrets.token_hex(8), (shard[0], shard[1]), socket)
        self.sessions[session.id] = session
        self.identified += 1
        guilds = [guild for guild in self._world.guilds.values() if _is_for(session, guild.id)]
        ready = {
            "v": 10,
            "user": self._world.bot.payload() | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(self._application), "flags": 1 << 18},
            "private_channels": [],
            "_trace": [],
        }
        await self._tell(session, "READY", ready)
        for guild in guilds:
            await self._tell(session, "GUILD_CREATE", self._world.guild_payload(guild))
        self._world.changed()
        return session

    async def _resume(self, data: Mapping[str, Any], socket: web.WebSocketResponse) -> Session | None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self._token:
            await _send(socket, {"op": INVALID_SESSION, "d": False, "s": None, "t": None})
            return None
        session.socket = socket
        for frame in [frame for frame in session.sent if frame["s"] > data["seq"]]:
            await _send(socket, frame)
        self.resumed += 1
        await self._tell(session, "RESUMED", {"_trace": []})
        self._world.changed()
        return session

    async def _members(self, data: Mapping[str, Any], session: Session) -> None:
        guild = self._world.guilds[int(data["guild_id"])]
        members = [guild.member_payload(user) for user, _ in guild.members.values()]
        chunk = {"guild_id": str(guild.id), "members": members, "chunk_index": 0, "chunk_count": 1, "not_found": []}
        await self._tell(session, "GUILD_MEMBERS_CHUNK", chunk | {"nonce": data.get("nonce")})

    async def _tell(self, session: Session, event: str, data: Mapping[str, Any]) -> None:
        frame = {"op": DISPATCH, "d": data, "s": len(session.sent) + 1, "t": event}
        session.sent.append(frame)
        if session.socket is not None and not session.socket.closed:
            await _send(session.socket, frame)

    async def dispatch(self, event: str, data: Mapping[str, Any], guild: Guild | None = None) -> None:
        """Tell the bot about something that happened (in a guild, or in a direct channel)."""
        for session in list(self.sessions.values()):
            if guild is None or _is_for(session, guild.id):
                await self._tell(session, event, data)

    async def drop(self, *, resumable: bool = True) -> None:
        """Cut every connection; ``resumable=False`` forgets the sessions too, so that the bot must identify again."""
        sessions = list(self.sessions.values())
        if not resumable:
            self.sessions.clear()
        for session in sessions:
            if session.socket is not None and session.socket._req is not None:
                transport = session.socket._req.transport
                session.socket = None
                if transport is not None:
                    transport.abort()
        await asyncio.sleep(0)

    async def ask_to_reconnect(self) -> None:
        """Send op 7 to everybody."""
        for session in self.sessions.values():
            if session.socket is not None:
                await _send(session.socket, {"op": RECONNECT, "d": None, "s": None, "t": None})

    async def ready_again(self) -> None:
        """Send a second READY in every session, as Discord does after an outage of its own."""
        for session in self.sessions.values():
            first = next(frame for frame in session.sent if frame["t"] == "READY")
            await self._tell(session, "READY", first["d"])

    async def close(self) -> None:
        for session in self.sessions.values():
            if session.socket is not None:
                await session.socket.close(code=1001)


def _is_for(session: Session, guild: int) -> bool:
    shard, count = session.shard
    return (guild >> 22) % count == shard


async def _send(socket: web.WebSocketResponse, frame: Mapping[str, Any]) -> None:
    if not socket.closed:
        await socket.send_str(json.dumps(frame))
