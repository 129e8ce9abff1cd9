"""Application commands and interactions: what members do with slash commands, buttons, menus and modals."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tron_core.testing.discord.errors import DiscordError, invalid, unknown
from tron_core.testing.discord.gateway import Gateway
from tron_core.testing.discord.posting import Posting, is_ephemeral, read_body
from tron_core.testing.discord.world import EPHEMERAL, LOADING, Channel, Message, User, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
MAX_COMMANDS, MAX_OPTIONS = 100, 25
_NAME = re.compile(r"^[-_'\w]{1,32}$")


@dataclass(slots=True, eq=False)
class Interaction:
    """One thing that a member did; ``answer`` is what the bot called back with: its type and data."""

    id: int
    token: str
    type: int
    user: User
    channel: Channel
    message: Message | None = None
    response: Message | None = None
    answer: asyncio.Future[tuple[int, dict[str, Any]]] = field(default_factory=asyncio.Future)
    followups: list[Message] = field(default_factory=list)
    expired: bool = False


class Interactions:
    """``commands`` are the registered ones (bulk overwrites are counted in ``synced``)."""

    def __init__(self, world: World, gateway: Gateway, posting: Posting, application: int) -> None:
        self._world = world
        self._gateway = gateway
        self._posting = posting
        self._application = application
        self._open: dict[str, Interaction] = {}
        self.commands: list[dict[str, Any]] = []
        self.synced = 0

    def routes(self) -> list[tuple[str, str, Any]]:
        """(method, path, handler); the ones by token need no authorization."""
        webhook = "/webhooks/{application}/{token}"
        commands = "/applications/{application}/commands"
        return [
            ("GET", commands, self.list_commands),
            ("PUT", commands, self.overwrite_commands),
            ("PUT", "/applications/{application}/guilds/{guild}/commands", self.overwrite_commands),
            ("POST", "/interactions/{id}/{token}/callback", self.callback),
            ("POST", webhook, self.follow_up),
            ("GET", webhook + "/messages/{message}", self.fetch_response),
            ("PATCH", webhook + "/messages/{message}", self.edit_response),
            ("DELETE", webhook + "/messages/{message}", self.delete_response),
        ]

    # Commands

    async def list_commands(self, request: web.Request) -> Any:
        return self.commands

    async def overwrite_commands(self, request: web.Request) -> Any:
        given = await request.json()
        check_commands(given)
        shared = {"application_id": str(self._application), "version": "1", "default_member_permissions": None}
        self.commands = [
            {"type": 1, "description": "", **each, **shared, "id": str(self._world.new_id())} for each in given
        ]
        self.synced += 1
        self._world.changed()
        return self.commands

    def command(self, name: str, kind: int = 1) -> dict[str, Any]:
        """A registered command; raises AssertionError where there is none."""
        for each in self.commands:
            if each["name"] == name and each["type"] == kind:
                return each
        raise AssertionError(f"no command {name!r}; registered: {sorted(each['name'] for each in self.commands)}")

    # What members do

    async def begin(
        self, kind: int, user: User, channel: Channel, data: Mapping[str, Any], message: Message | None = None
    ) -> Interaction:
        """Dispatch an interaction, and wait for the bot's first answer (3 seconds, as Discord does)."""
        interaction = Interaction(self._world.new_id(), secrets.token_urlsafe(24), kind, user, channel, message)
        self._open[interaction.token] = interaction
        guild = channel.guild
        payload: dict[str, Any] = {
            "id": str(interaction.id),
            "application_id": str(self._application),
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": str(channel.id),
            "channel": channel.payload(self._world.bot),
            "app_permissions": str(self._world.bot_permissions(channel)),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": {},
            "context": 0 if guild else 1,
            "attachment_size_limit": guild.upload_limit if guild else 10 * 1024 * 1024,
        }
        if guild is not None:
            member = guild.member_payload(user) | {"permissions": str(guild.permissions_of(user))}
            payload |= {"guild_id": str(guild.id), "guild_locale": "en-US", "member": member}
        else:
            payload["user"] = user.payload()
        if message is not None:
            payload["message"] = message.payload()
        await self._gateway.dispatch("INTERACTION_CREATE", payload, guild)
        try:
            await asyncio.wait_for(asyncio.shield(interaction.answer), 3)
        except TimeoutError:
            self._open.pop(interaction.token)
            raise AssertionError("This application did not respond (no answer within 3 seconds)") from None
        return interaction

    def expire(self) -> None:
        """Let every token pass its 15 minutes."""
        for interaction in self._open.values():
            interaction.expired = True

    # What the bot answers

    async def callback(self, request: web.Request) -> Any:
        interaction = self._open.get(request.match_info["token"])
        if interaction is None or interaction.expired or str(interaction.id) != request.match_info["id"]:
            raise unknown("interaction", 10062)
        body, files = await read_body(request)
        if interaction.answer.done():
            raise DiscordError(400, 40060, "Interaction has already been acknowledged.")
        kind, data = int(body["type"]), body.get("data") or {}
        if kind == 4:
            interaction.response = await self._respond(interaction, data, files)
        elif kind == 5:
            flags = (int(data.get("flags") or 0) & EPHEMERAL) | LOADING
            body = {"content": "…", "flags": flags}
            interaction.response = await self._respond(interaction, body, {})
            interaction.response.content = ""
        elif kind == 7 and interaction.message is not None:
            self._posting.edit(interaction.message, data, files)
            await self._tell("MESSAGE_UPDATE", interaction.message)
        elif kind == 8:
            check_choices(data.get("choices", []))
        interaction.answer.set_result((kind, data))
        self._world.changed()
        if not request.query.get("with_response"):
            return None
        resource: dict[str, Any] = {"type": kind}
        shown = interaction.message if kind == 7 else interaction.response
        if kind in (4, 7) and shown is not None:
            resource["message"] = shown.payload()
        about: dict[str, Any] = {"id": str(interaction.id), "type": interaction.type}
        if shown is not None:
            about["response_message_id"] = str(shown.id)
        return {"interaction": about, "resource": resource}

    async def _respond(self, interaction: Interaction, body: Mapping[str, Any], files: Any) -> Message:
        seen_by = interaction.user.id if is_ephemeral(body) else None
        message, _ = self._posting.new(
            interaction.channel, self._world.bot, body, files, webhook=self._application, seen_by=seen_by
        )
        await self._tell("MESSAGE_CREATE", message)
        return message

    async def _tell(self, event: str, message: Message) -> None:
        if message.seen_by is None:
            guild = message.channel.guild
            await self._gateway.dispatch(event, message.payload(), guild)

    def _by_token(self, request: web.Request) -> Interaction:
        interaction = self._open.get(request.match_info["token"])
        if interaction is None:
            raise unknown("Webhook", 10015)
        if interaction.expired:
            raise DiscordError(401, 50027, "Invalid Webhook Token")
        return interaction

    def _message(self, request: web.Request) -> Message:
        interaction = self._by_token(request)
        name = request.match_info["message"]
        if name == "@original":
            found = interaction.response or interaction.message
        else:
            found = next((each for each in interaction.followups if str(each.id) == name), None)
        if found is None:
            raise unknown("Message", 10008)
        return found

    async def follow_up(self, request: web.Request) -> Any:
        interaction = self._by_token(request)
        body, files = await read_body(request)
        message = await self._respond(interaction, body, files)
        interaction.followups.append(message)
        return message.payload()

    async def fetch_response(self, request: web.Request) -> Any:
        return self._message(request).payload()

    async def edit_response(self, request: web.Request) -> Any:
        message = self._message(request)
        body, files = await read_body(request)
        self._posting.edit(message, body, files)
        await self._tell("MESSAGE_UPDATE", message)
        return message.payload()

    async def delete_response(self, request: web.Request) -> Any:
        message = self._message(request)
        message.channel.messages.pop(message.id, None)
        self._world.changed()


def check_commands(commands: list[dict[str, Any]]) -> None:
    """Raise DiscordError for what Discord would refuse."""
    if sum(each.get("type", 1) == 1 for each in commands) > MAX_COMMANDS:
        raise DiscordError(400, 30032, "Maximum number of application commands reached (100)")
    names = [(each["name"], each.get("type", 1)) for each in commands]
    if len(set(names)) < len(names):
        raise invalid("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    for each in commands:
        if each.get("type", 1) == 1:
            _check_named(each)
            _check_options(each.get("options", []))


def _check_named(item: Mapping[str, Any]) -> None:
    name = item["name"]
    if not _NAME.match(name) or name != name.lower():
        raise invalid("name", "APPLICATION_COMMAND_INVALID_NAME", f"Command name is invalid: {name}")
    if not 1 <= len(item["description"]) <= 100:
        raise invalid("description", "BASE_TYPE_BAD_LENGTH", f"{name}: must be between 1 and 100 in length.")


def _check_options(options: list[dict[str, Any]]) -> None:
    if len(options) > MAX_OPTIONS:
        raise invalid("options", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_OPTIONS} or fewer in length.")
    optional = False
    for option in options:
        _check_named(option)
        if option.get("required") and optional:
            text = "Required options must be placed before non-required options"
            raise invalid("options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional = optional or not option.get("required")
        check_choices(option.get("choices") or [])
        _check_options(option.get("options") or [])


def check_choices(choices: list[dict[str, Any]]) -> None:
    """Raise DiscordError for more than 25 choices, or one with too long a name."""
    if len(choices) > 25:
        raise invalid("choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for choice in choices:
        if not 1 <= len(choice["name"]) <= 100:
            raise invalid("choices", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
