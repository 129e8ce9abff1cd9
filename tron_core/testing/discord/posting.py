"""What makes or changes a message, over whichever route it comes: the body is read and checked as Discord does."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from tron_core.testing.discord.errors import DiscordError, invalid
from tron_core.testing.discord.world import (
    DM,
    EPHEMERAL,
    LOADING,
    MIB,
    VOICE_MESSAGE,
    Attachment,
    Channel,
    Message,
    User,
    World,
    timestamp,
)

MAX_CONTENT = 2000
MAX_FILES = 10
MAX_NONCE = 25
MAX_WAVEFORM = 256
_MENTION = re.compile(r"<@!?(\d+)>")


class Upload(NamedTuple):
    """A file of a request; ``content_type`` is what the request says of it."""

    name: str
    data: bytes
    content_type: str = "application/octet-stream"


Files = Mapping[int, Upload]


async def read_body(request: web.Request) -> tuple[dict[str, Any], Files]:
    """The JSON of a request, and its files by number where it is multipart."""
    if not request.content_type.startswith("multipart/"):
        return (await request.json() if request.can_read_body else {}), {}
    body: dict[str, Any] = {}
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        name = getattr(part, "name", "")
        if name == "payload_json":
            body = json.loads(await part.read())  # type: ignore[union-attr]
        elif name and name.startswith("files["):
            kind = part.headers.get("Content-Type", "")  # type: ignore[union-attr]
            files[int(name[6:-1])] = Upload(part.filename or "file", bytes(await part.read()), kind)  # type: ignore[union-attr]
    return body, files


class Posting:
    """``cdn`` is what URLs of attachments begin with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cdn = ""

    def new(
        self,
        channel: Channel,
        author: User,
        body: Mapping[str, Any],
        files: Files,
        *,
        webhook: int | None = None,
        seen_by: int | None = None,
    ) -> tuple[Message, bool]:
        """Make a message; returns it and whether it is new: with ``enforce_nonce``, the same nonce gives the same."""
        nonce = body.get("nonce")
        if nonce is not None and len(str(nonce)) > MAX_NONCE:
            raise invalid("nonce", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_NONCE} or fewer in length.")
        if nonce is not None and body.get("enforce_nonce"):
            for earlier in channel.messages.values():
                if earlier.nonce == str(nonce) and earlier.author is author:
                    return earlier, False
        message = Message(self._world.new_id(), channel, author, webhook=webhook, seen_by=seen_by)
        message.nonce = None if nonce is None else str(nonce)
        message.flags = int(body.get("flags") or 0)
        reference = body.get("message_reference") or {}
        if reference.get("message_id"):
            message.reference = int(reference["message_id"])
            if message.reference not in channel.messages:
                if reference.get("fail_if_not_exists", True):
                    raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
                message.reference = None
        if message.flags & VOICE_MESSAGE:
            check_voice_message(body, files)
        self._apply(message, body, files)
        if not (message.content or message.attachments or message.embeds or message.components):
            raise DiscordError(400, 50006, "Cannot send an empty message")
        channel.messages[message.id] = message
        self._world.changed()
        return message, True

    def edit(self, message: Message, body: Mapping[str, Any], files: Files) -> Message:
        """Change what ``body`` names."""
        if message.flags & VOICE_MESSAGE:
            raise DiscordError(400, 50162, "Voice messages cannot be edited")
        self._apply(message, body, files)
        message.flags &= ~LOADING
        message.edited = timestamp()
        self._world.changed()
        return message

    def _apply(self, message: Message, body: Mapping[str, Any], files: Files) -> None:
        content = body.get("content", message.content) or ""
        if len(content) > MAX_CONTENT:
            raise invalid("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
        kept = self._attachments(message, body, files)
        components = body.get("components", message.components) or []
        check_components(components)
        message.content, message.attachments, message.components = content, kept, components
        message.embeds = body.get("embeds", message.embeds) or []
        message.history.append(content)
        message.mentions = self._mentioned(content)
        message.pinged |= self._pinged(message, body)

    def _attachments(self, message: Message, body: Mapping[str, Any], files: Files) -> list[Attachment]:
        limit = message.channel.guild.upload_limit if message.channel.guild else 10 * MIB
        if len(files) > MAX_FILES:
            raise invalid("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length.")
        if any(len(file.data) > limit for file in files.values()):
            raise DiscordError(413, 40005, "Request entity too large")
        kept = list(message.attachments)
        if "attachments" in body:
            wanted = {str(each["id"]) for each in body["attachments"] or []}
            kept = [each for each in kept if str(each.id) in wanted]
        described = {int(each["id"]): each for each in body.get("attachments") or [] if len(str(each["id"])) < 3}
        for number, file in files.items():
            added = self.add_file(message.channel, file.name, file.data)
            if message.flags & VOICE_MESSAGE:
                added.duration, added.waveform = described[number]["duration_secs"], described[number]["waveform"]
            kept.append(added)
        return kept

    def add_file(self, channel: Channel, name: str, data: bytes) -> Attachment:
        """Put a file on the CDN."""
        number = self._world.new_id()
        url = f"{self.cdn}/attachments/{channel.id}/{number}/{name}?ex=1&is=1&hm=1"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = self._world.files[number] = Attachment(number, name, data, url, kind)
        return file

    def _mentioned(self, content: str) -> list[User]:
        ids = dict.fromkeys(int(number) for number in _MENTION.findall(content))
        return [self._world.users[number] for number in ids if number in self._world.users]

    def _pinged(self, message: Message, body: Mapping[str, Any]) -> set[int]:
        """Who is notified: what ``allowed_mentions`` lets through of the mentions and the reply."""
        allowed = body.get("allowed_mentions") or {"parse": ["users"], "replied_user": True}
        pinged = {user.id for user in message.mentions}
        if "users" not in allowed.get("parse", []):
            pinged &= {int(user) for user in allowed.get("users", [])}
        original = message.channel.messages.get(message.reference or 0)
        if original is not None and allowed.get("replied_user"):
            pinged.add(original.author.id)
        return pinged


def check_components(components: list[dict[str, Any]]) -> None:
    """Raise DiscordError for more than 5 rows, 5 buttons in a row, a label or id that is too long, or an id twice."""
    if len(components) > 5:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    seen = set[str]()
    for row in components:
        inner = row.get("components", [])
        if not 1 <= len(inner) <= 5:
            raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        for each in inner:
            custom_id = each.get("custom_id") or ""
            if len(each.get("label") or "") > 80 or len(custom_id) > 100:
                raise invalid("components", "BASE_TYPE_MAX_LENGTH", "A label or custom_id is too long.")
            if custom_id and custom_id in seen:
                raise invalid(
                    "components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
                )
            seen.add(custom_id)


def check_voice_message(body: Mapping[str, Any], files: Files) -> None:
    """Raise DiscordError for anything that a voice message may not be."""
    if any(body.get(name) for name in ("content", "embeds", "components", "sticker_ids", "poll")):
        raise DiscordError(400, 50159, "Voice messages do not support additional content")
    if len(files) != 1:
        raise DiscordError(400, 50160, "Voice messages must have a single audio attachment")
    (file,) = files.values()
    (described,) = body.get("attachments") or [{}]
    try:
        points = len(base64.b64decode(described["waveform"], validate=True))
        whole = described["duration_secs"] > 0 and 1 <= points <= MAX_WAVEFORM
    except (KeyError, TypeError, ValueError):
        whole = False
    # Of a file that does not say that it is audio, Discord ignores both.
    if not whole or not file.content_type.startswith("audio/"):
        raise DiscordError(400, 50161, "Voice messages must have supporting metadata")


def is_ephemeral(body: Mapping[str, Any]) -> bool:
    return bool(int(body.get("flags") or 0) & EPHEMERAL)


def is_direct(channel: Channel) -> bool:
    return channel.type == DM
