"""REST of channels: messages, reactions, threads, typing."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tron_core.testing.discord.errors import DiscordError, missing_permissions, unknown
from tron_core.testing.discord.gateway import Gateway
from tron_core.testing.discord.posting import Posting, read_body
from tron_core.testing.discord.world import (
    ADD_REACTIONS,
    ATTACH_FILES,
    CREATE_THREADS,
    MANAGE_MESSAGES,
    PUBLIC_THREAD,
    READ_HISTORY,
    SEND_IN_THREADS,
    SEND_MESSAGES,
    SEND_VOICE_MESSAGES,
    VIEW_CHANNEL,
    VOICE_MESSAGE,
    Channel,
    Message,
    World,
)


class Channels:
    """Everything below ``/channels`` that the bot may call."""

    def __init__(self, world: World, gateway: Gateway, posting: Posting) -> None:
        self._world = world
        self._gateway = gateway
        self._posting = posting

    def routes(self) -> list[tuple[str, str, Any]]:
        """(method, path, handler)."""
        channel, message = "/channels/{channel}", "/channels/{channel}/messages/{message}"
        reaction = message + "/reactions/{emoji}"
        return [
            ("GET", channel, self.show),
            ("POST", channel + "/typing", self.typing),
            ("GET", channel + "/messages", self.history),
            ("POST", channel + "/messages", self.post),
            ("GET", message, self.fetch),
            ("PATCH", message, self.edit),
            ("DELETE", message, self.delete),
            ("PUT", reaction + "/@me", self.react),
            ("DELETE", reaction + "/{user}", self.unreact),
            ("POST", message + "/threads", self.thread_from_message),
            ("POST", channel + "/threads", self.thread),
            ("PUT", channel + "/thread-members/{user}", self.join),
            ("POST", "/users/@me/channels", self.open_dm),
        ]

    def _channel(self, request: web.Request, needed: int = 0) -> Channel:
        """The channel of the path; raises DiscordError where there is none, or the bot lacks a permission there."""
        channel = self._world.channels.get(int(request.match_info["channel"]))
        if channel is None:
            raise unknown("Channel", 10003)
        held = self._world.bot_permissions(channel)
        if not held & VIEW_CHANNEL:
            raise DiscordError(403, 50001, "Missing Access")
        if needed & ~held:
            raise missing_permissions()
        return channel

    def _message(self, request: web.Request, needed: int = 0) -> Message:
        message = self._channel(request, needed).messages.get(int(request.match_info["message"]))
        if message is None or message.seen_by is not None:
            raise unknown("Message", 10008)
        return message

    async def show(self, request: web.Request) -> Any:
        return self._channel(request).payload(self._world.bot)

    async def typing(self, request: web.Request) -> Any:
        self._channel(request, SEND_MESSAGES)

    async def history(self, request: web.Request) -> Any:
        channel = self._channel(request, READ_HISTORY)
        limit, after, before = (int(request.query.get(name, 0)) for name in ("limit", "after", "before"))
        found = [each for each in channel.messages.values() if each.seen_by is None and each.id > after]
        found = [each for each in found if not before or each.id < before]
        chosen = found[: limit or 50] if "after" in request.query else found[-(limit or 50) :]
        return [each.payload() for each in reversed(chosen)]

    async def fetch(self, request: web.Request) -> Any:
        return self._message(request).payload()

    async def post(self, request: web.Request) -> Any:
        body, files = await read_body(request)
        channel = self._channel(request)
        sending = SEND_IN_THREADS if channel.type == PUBLIC_THREAD else SEND_MESSAGES
        channel = self._channel(request, sending | (ATTACH_FILES if files else 0))
        if int(body.get("flags") or 0) & VOICE_MESSAGE:
            self._check_may_speak(channel)
        message, new = self._posting.new(channel, self._world.bot, body, files)
        if new:
            await self.tell("MESSAGE_CREATE", message)
        return message.payload()

    def _check_may_speak(self, channel: Channel) -> None:
        if not self._world.bot_permissions(channel) & SEND_VOICE_MESSAGES:
            raise DiscordError(403, 50173, "You cannot send voice messages in this channel")

    async def edit(self, request: web.Request) -> Any:
        body, files = await read_body(request)
        message = self._message(request, ATTACH_FILES if files else 0)
        if message.author is not self._world.bot:
            raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
        self._posting.edit(message, body, files)
        await self.tell("MESSAGE_UPDATE", message)
        return message.payload()

    async def delete(self, request: web.Request) -> Any:
        message = self._message(request)
        if message.author is not self._world.bot:
            self._channel(request, MANAGE_MESSAGES)
        await self.remove(message)

    async def remove(self, message: Message) -> None:
        """Delete a message, whoever did it."""
        channel = message.channel
        channel.messages.pop(message.id, None)
        gone: dict[str, Any] = {"id": str(message.id), "channel_id": str(channel.id)}
        if channel.guild is not None:
            gone["guild_id"] = str(channel.guild.id)
        self._world.changed()
        await self._gateway.dispatch("MESSAGE_DELETE", gone, channel.guild)

    async def tell(self, event: str, message: Message) -> None:
        """Dispatch a message to the bot."""
        guild = message.channel.guild
        await self._gateway.dispatch(event, message.payload(), guild)

    async def react(self, request: web.Request) -> Any:
        message = self._message(request, ADD_REACTIONS | READ_HISTORY)
        await self.add_reaction(message, unquote(request.match_info["emoji"]), self._world.bot.id)

    async def unreact(self, request: web.Request) -> Any:
        message = self._message(request)
        user = request.match_info["user"]
        if user != "@me":
            self._channel(request, MANAGE_MESSAGES)
        number = self._world.bot.id if user == "@me" else int(user)
        users = message.reactions.get(unquote(request.match_info["emoji"]), [])
        if number in users:
            users.remove(number)
        self._world.changed()

    async def add_reaction(self, message: Message, emoji: str, user: int) -> None:
        """Somebody reacts."""
        users = message.reactions.setdefault(emoji, [])
        if user in users:
            return
        users.append(user)
        guild = message.channel.guild
        event: dict[str, Any] = {
            "user_id": str(user),
            "channel_id": str(message.channel.id),
            "message_id": str(message.id),
            "message_author_id": str(message.author.id),
            "emoji": {"id": None, "name": emoji},
            "burst": False,
            "type": 0,
        }
        if guild is not None:
            event["guild_id"] = str(guild.id)
            event["member"] = guild.member_payload(self._world.users[user])
        self._world.changed()
        await self._gateway.dispatch("MESSAGE_REACTION_ADD", event, guild)

    async def thread_from_message(self, request: web.Request) -> Any:
        message = self._message(request, CREATE_THREADS)
        if message.id in self._world.channels:
            raise DiscordError(400, 160004, "A thread has already been created for this message")
        return await self._open_thread(message.channel, message.id, await request.json())

    async def thread(self, request: web.Request) -> Any:
        channel = self._channel(request, CREATE_THREADS)
        return await self._open_thread(channel, self._world.new_id(), await request.json())

    async def _open_thread(self, parent: Channel, number: int, body: dict[str, Any]) -> Any:
        if not 1 <= len(body.get("name", "")) <= 100:
            raise DiscordError(400, 50035, "Invalid Form Body")
        bot = self._world.bot
        thread = Channel(number, PUBLIC_THREAD, body["name"], parent.guild, parent, owner=bot)
        self._world.channels[thread.id] = thread
        self._world.changed()
        assert parent.guild is not None
        await self._gateway.dispatch("THREAD_CREATE", thread.payload(bot) | {"newly_created": True}, parent.guild)
        return thread.payload(bot)

    async def join(self, request: web.Request) -> Any:
        self._channel(request)

    async def open_dm(self, request: web.Request) -> Any:
        user = self._world.users.get(int((await request.json())["recipient_id"]))
        if user is None:
            raise unknown("User", 10013)
        return self._world.dm_with(user).payload(self._world.bot)
