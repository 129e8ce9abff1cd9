"""What there is in the fake Discord: guilds, channels, people, messages. No I/O."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EPOCH_MS = 1420070400000
MIB = 1024 * 1024

TEXT, DM, PUBLIC_THREAD = 0, 1, 11

VIEW_CHANNEL = 1 << 10
ADD_REACTIONS = 1 << 6
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_HISTORY = 1 << 16
MANAGE_GUILD = 1 << 5
CREATE_THREADS = 1 << 35
SEND_IN_THREADS = 1 << 38
SEND_VOICE_MESSAGES = 1 << 46

EVERYBODY = (
    VIEW_CHANNEL | ADD_REACTIONS | SEND_MESSAGES | EMBED_LINKS | ATTACH_FILES | READ_HISTORY | CREATE_THREADS
    | SEND_IN_THREADS | SEND_VOICE_MESSAGES
)  # fmt: skip
"""What @everyone may do in a new guild."""

EPHEMERAL = 1 << 6
LOADING = 1 << 7
VOICE_MESSAGE = 1 << 13


def timestamp() -> str:
    """Now, as Discord writes it."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True, eq=False)
class User:
    id: int
    name: str
    bot: bool = False

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": None,
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }


@dataclass(slots=True, eq=False)
class Role:
    id: int
    name: str
    permissions: int = 0

    def payload(self, position: int) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "position": position,
            "permissions": str(self.permissions),
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }


@dataclass(slots=True, eq=False)
class Guild:
    """``boosts`` (0 to 3) decides how large a file may be."""

    id: int
    name: str
    owner: User
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, tuple[User, list[int]]] = field(default_factory=dict)
    boosts: int = 0

    @property
    def upload_limit(self) -> int:
        """Bytes of the largest file."""
        return (10, 10, 50, 100)[self.boosts] * MIB

    def permissions_of(self, user: User) -> int:
        """What the roles of ``user`` give."""
        if user is self.owner:
            return (1 << 53) - 1
        bits = self.roles[self.id].permissions
        for role in self.members[user.id][1]:
            bits |= self.roles[role].permissions
        return bits

    def member_payload(self, user: User, *, with_user: bool = True) -> dict[str, Any]:
        _, roles = self.members[user.id]
        payload: dict[str, Any] = {
            "roles": [str(role) for role in roles],
            "joined_at": "2024-01-01T00:00:00+00:00",
            "premium_since": None,
            "nick": None,
            "avatar": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
        }
        return {**payload, "user": user.payload()} if with_user else payload


@dataclass(slots=True, eq=False)
class Attachment:
    """``duration`` (seconds) and ``waveform`` (base64) are those of a voice message."""

    id: int
    filename: str
    data: bytes
    url: str
    content_type: str
    duration: float | None = None
    waveform: str | None = None

    def payload(self) -> dict[str, Any]:
        sound = {} if self.duration is None else {"duration_secs": self.duration, "waveform": self.waveform}
        return {
            **sound,
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.content_type,
        }


@dataclass(slots=True, eq=False)
class Message:
    """``history`` holds every content that it had; ``pinged`` the people who were notified; ``seen_by`` is None where
    everybody sees it, else the one who does (ephemeral)."""

    id: int
    channel: Channel
    author: User
    content: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    reference: int | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict)
    flags: int = 0
    nonce: str | None = None
    edited: str | None = None
    pinged: set[int] = field(default_factory=set)
    mentions: list[User] = field(default_factory=list)
    seen_by: int | None = None
    webhook: int | None = None
    history: list[str] = field(default_factory=list)
    created: str = field(default_factory=timestamp)
    created_at: float = field(default_factory=time.monotonic)

    def payload(self, *, with_reference: bool = True) -> dict[str, Any]:
        guild = self.channel.guild
        payload: dict[str, Any] = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.payload(),
            "content": self.content,
            "timestamp": self.created,
            "edited_timestamp": self.edited,
            "tts": False,  # Discord's own word
            "mention_everyone": False,
            "mentions": [user.payload() for user in self.mentions],
            "mention_roles": [],
            "attachments": [each.payload() for each in self.attachments],
            "embeds": self.embeds,
            "reactions": self._reactions(),
            "pinned": False,
            "type": 0 if self.reference is None else 19,
            "flags": self.flags,
            "components": self.components,
        }
        if self.nonce is not None:
            payload["nonce"] = self.nonce
        if guild is not None:
            payload["guild_id"] = str(guild.id)
            if self.author.id in guild.members:
                payload["member"] = guild.member_payload(self.author, with_user=False)
        if self.reference is not None:
            payload["message_reference"] = {"message_id": str(self.reference), "channel_id": str(self.channel.id)}
            original = self.channel.messages.get(self.reference)
            if with_reference:
                payload["referenced_message"] = None if original is None else original.payload(with_reference=False)
        return payload

    def _reactions(self) -> list[dict[str, Any]]:
        return [
            {
                "count": len(users),
                "count_details": {"burst": 0, "normal": len(users)},
                "me": False,
                "me_burst": False,
                "burst_colors": [],
                "emoji": {"id": None, "name": emoji},
            }
            for emoji, users in self.reactions.items()
            if users
        ]


@dataclass(slots=True, eq=False)
class Channel:
    """``denied`` are permission bits that the bot does not have here."""

    id: int
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    owner: User | None = None
    nsfw: bool = False
    denied: int = 0
    recipients: list[User] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)

    def payload(self, bot: User) -> dict[str, Any]:
        if self.type == DM:
            people = [user.payload() for user in self.recipients]
            return {"id": str(self.id), "type": DM, "recipients": people, "last_message_id": None}
        assert self.guild is not None
        payload: dict[str, Any] = {
            "id": str(self.id),
            "type": self.type,
            "guild_id": str(self.guild.id),
            "name": self.name,
            "position": 0,
            "nsfw": self.nsfw,
            "parent_id": None if self.parent is None else str(self.parent.id),
            "rate_limit_per_user": 0,
            "topic": None,
            "last_message_id": None,
            "flags": 0,
        }
        if self.type == TEXT:
            payload["permission_overwrites"] = self._overwrites(bot)
            return payload
        payload["owner_id"] = str(self.owner.id if self.owner else bot.id)
        payload |= {"message_count": 0, "member_count": 1}
        payload["thread_metadata"] = {
            "archived": False, "auto_archive_duration": 1440, "archive_timestamp": timestamp(), "locked": False,
            "create_timestamp": timestamp(),
        }  # fmt: skip
        return payload

    def _overwrites(self, bot: User) -> list[dict[str, Any]]:
        if not self.denied:
            return []
        return [{"id": str(bot.id), "type": 1, "allow": "0", "deny": str(self.denied)}]


class World:
    """Everything, and a way to wait for it to change."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.bot = User(self.new_id(), "tron", bot=True)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, Attachment] = {}
        self._changed: set[asyncio.Event] = set()

    def new_id(self) -> int:
        """A snowflake: later ones are greater."""
        milliseconds = int(time.time() * 1000) - EPOCH_MS
        return (milliseconds << 22) | (next(self._numbers) & 0x3FFFFF)

    def add_user(self, name: str) -> User:
        user = User(self.new_id(), name)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str) -> Guild:
        """A guild with the bot in it; its owner is nobody in particular."""
        owner = self.add_user(f"{name}-owner")
        guild = Guild(self.new_id(), name, owner)
        guild.roles[guild.id] = Role(guild.id, "@everyone", EVERYBODY)
        guild.members[owner.id] = (owner, [])
        guild.members[self.bot.id] = (self.bot, [])
        self.guilds[guild.id] = guild
        return guild

    def add_channel(self, guild: Guild, name: str) -> Channel:
        channel = Channel(self.new_id(), TEXT, name, guild)
        self.channels[channel.id] = channel
        return channel

    def dm_with(self, user: User) -> Channel:
        """The direct channel of the bot and ``user``, made where there is none."""
        for channel in self.channels.values():
            if channel.type == DM and user in channel.recipients:
                return channel
        channel = Channel(self.new_id(), DM, recipients=[user])
        self.channels[channel.id] = channel
        return channel

    def channels_of(self, guild: Guild) -> Iterator[Channel]:
        return (channel for channel in self.channels.values() if channel.guild is guild)

    def bot_permissions(self, channel: Channel) -> int:
        """What the bot may do in ``channel``."""
        if channel.guild is None:
            return EVERYBODY
        place = channel.parent or channel
        return channel.guild.permissions_of(self.bot) & ~place.denied

    def guild_payload(self, guild: Guild) -> dict[str, Any]:
        """GUILD_CREATE."""
        places = list(self.channels_of(guild))
        return {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "owner_id": str(guild.owner.id),
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "roles": [role.payload(i) for i, role in enumerate(guild.roles.values())],
            "emojis": [],
            "features": [],
            "mfa_level": 0,
            "system_channel_flags": 0,
            "premium_tier": guild.boosts,
            "premium_subscription_count": 0,
            "preferred_locale": "en-US",
            "nsfw_level": 0,
            "joined_at": "2024-01-01T00:00:00+00:00",
            "large": False,
            "member_count": len(guild.members),
            "members": [guild.member_payload(self.bot)],
            "channels": [channel.payload(self.bot) for channel in places if channel.type == TEXT],
            "threads": [channel.payload(self.bot) for channel in places if channel.type == PUBLIC_THREAD],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "stickers": [],
            "soundboard_sounds": [],
        }

    def changed(self) -> None:
        """Wake up everybody who waits in ``until``."""
        for event in self._changed:
            event.set()

    async def until(self, reached: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
        """What ``reached`` gives once it is true; raises AssertionError after ``seconds``."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            async with asyncio.timeout(seconds):
                while not (found := reached()):
                    event.clear()
                    await event.wait()
            return found
        except TimeoutError:
            raise AssertionError(f"{what or 'what was waited for'} did not happen within {seconds:g} s") from None
        finally:
            self._changed.discard(event)
