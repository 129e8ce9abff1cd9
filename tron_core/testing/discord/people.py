"""The language of tests: members who say, click and react, channels where replies come, replies that change.

await alice.say("!generate a fox")
reply = await channel.next_reply()
await reply.until("100%")
await reply.click("Again")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tron_core.testing.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from tron_core.testing.discord.posting import Upload
from tron_core.testing.discord.server import Server
from tron_core.testing.discord.world import EPHEMERAL, Attachment, Channel, Guild, Message, Role, User

_OPTION_TYPES = {str: 3, int: 4, bool: 5, float: 10, bytes: 11}
MESSAGE_MENU = 3


class Place:
    """A channel, thread or direct channel, as the test sees it."""

    def __init__(self, server: Server, channel: Channel) -> None:
        self._server = server
        self.channel = channel
        self._read = 0
        self.members: list[Member] = []

    @property
    def id(self) -> int:
        return self.channel.id

    @property
    def replies(self) -> list[Reply]:
        """Everything that the bot wrote here, oldest first (not what one member alone sees)."""
        bot = self._server.world.bot
        found = [each for each in self.channel.messages.values() if each.author is bot and each.seen_by is None]
        return [Reply(self._server, each) for each in found]

    async def next_reply(self, seconds: float = 10) -> Reply:
        """The bot's next message here that was not returned before; raises AssertionError where none comes."""

        def unread() -> Reply | None:
            return next((reply for reply in self.replies if reply.id > self._read), None)

        reply: Reply = await self._server.world.until(unread, seconds, f"a reply in #{self.channel.name or 'dm'}")
        self._read = reply.id
        return reply

    def deny(self, permissions: int) -> None:
        """Take permissions from the bot here, before it connects."""
        self.channel.denied |= permissions


class Reply:
    """A message of the bot; what it says is always the latest."""

    def __init__(self, server: Server, message: Message) -> None:
        self._server = server
        self.message = message

    @property
    def id(self) -> int:
        return self.message.id

    @property
    def content(self) -> str:
        return self.message.content

    @property
    def history(self) -> Sequence[str]:
        """Every content that it had, oldest first."""
        return tuple(self.message.history)

    @property
    def attachments(self) -> list[Attachment]:
        return self.message.attachments

    @property
    def ephemeral(self) -> bool:
        return bool(self.message.flags & EPHEMERAL)

    @property
    def deleted(self) -> bool:
        return self.message.id not in self.message.channel.messages

    @property
    def answers(self) -> int | None:
        """The id of the message that it replies to."""
        return self.message.reference

    @property
    def buttons(self) -> list[str]:
        """What stands on its buttons: the label, or the emoji where there is none."""
        return [button.get("label") or button["emoji"]["name"] for button in self._buttons()]

    def _buttons(self) -> list[dict[str, Any]]:
        return [each for row in self.message.components for each in row["components"]]

    def button(self, label: str) -> dict[str, Any]:
        """The component with this label or emoji; raises AssertionError where there is none."""
        for each in self._buttons():
            if label in (each.get("label"), (each.get("emoji") or {}).get("name")):
                return each
        raise AssertionError(f"no button {label!r}; there is: {self.buttons}")

    async def until(self, reached: str | Callable[[Reply], Any], seconds: float = 10) -> Reply:
        """Wait until its content contains a text, or until ``reached`` says so."""
        check = (lambda: reached in self.content) if isinstance(reached, str) else (lambda: reached(self))
        try:
            await self._server.world.until(check, seconds)
        except AssertionError:
            wanted = reached if isinstance(reached, str) else "what was waited for"
            raise AssertionError(f"{wanted!r} did not come within {seconds:g} s; it says: {self.content!r}") from None
        return self

    async def click(self, label: str, by: Member | None = None) -> Any:
        """Press a button; returns what the bot answered with: another message, a modal, or None (it took note)."""
        member = by or self._asker()
        button = self.button(label)
        data = {"custom_id": button["custom_id"], "component_type": 2}
        done = await self._server.interactions.begin(COMPONENT, member.user, self.message.channel, data, self.message)
        return answer_of(self._server, done)

    async def react(self, emoji: str, by: Member | None = None) -> None:
        """Add a reaction."""
        member = by or self._asker()
        await self._server.channels.add_reaction(self.message, emoji, member.user.id)

    def _asker(self) -> Member:
        """Who asked: the author of the message that this one answers."""
        original = self.message.channel.messages.get(self.message.reference or 0)
        if original is None:
            raise AssertionError("nobody in particular asked; say who: by=alice")
        return Member(self._server, original.author, Place(self._server, self.message.channel))

    def __repr__(self) -> str:
        return f"<Reply {self.content!r} {self.buttons}>"


class Modal:
    """A form that the bot showed to a member."""

    def __init__(self, server: Server, interaction: Interaction, data: Mapping[str, Any]) -> None:
        self._server = server
        self._interaction = interaction
        self.title: str = data["title"]
        self._custom_id = data["custom_id"]
        self._inputs = [_input_of(row) for row in data["components"]]

    @property
    def fields(self) -> dict[str, str]:
        """The labels of its inputs and what stands in them."""
        return {each["label"]: each.get("value") or "" for each in self._inputs}

    async def submit(self, **values: str) -> Any:
        """Send it with some inputs changed, by label (spaces as underscores)."""
        rows = []
        for number, each in enumerate(self._inputs):
            value = values.pop(each["label"].replace(" ", "_"), each.get("value") or "")
            entered = {"type": 4, "custom_id": each["custom_id"], "value": value, "id": 2 * number + 2}
            if each["in_label"]:
                rows.append({"type": 18, "id": 2 * number + 1, "component": entered})
            else:
                rows.append({"type": 1, "id": 2 * number + 1, "components": [entered]})
        if values:
            raise AssertionError(f"no inputs {sorted(values)}; there is: {sorted(self.fields)}")
        before = self._interaction
        data = {"custom_id": self._custom_id, "components": rows}
        done = await self._server.interactions.begin(MODAL_SUBMIT, before.user, before.channel, data, before.message)
        return answer_of(self._server, done)


def _input_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A text input, in an action row or in a label."""
    if row["type"] == 18:
        return {**row["component"], "label": row["label"], "in_label": True}
    return {**row["components"][0], "in_label": False}


class Member:
    """A person; ``place`` is where they write unless a test says otherwise."""

    def __init__(self, server: Server, user: User, place: Place) -> None:
        self._server = server
        self.user = user
        self.place = place

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def requester(self) -> str:
        """The name under which the hub knows them."""
        return f"discord:{self.user.id}"

    @property
    def dm(self) -> Place:
        """Their direct channel with the bot."""
        return Place(self._server, self._server.world.dm_with(self.user))

    def give(self, role: Role) -> None:
        """Give them a role."""
        guild = self.place.channel.guild
        assert guild is not None
        guild.members[self.user.id][1].append(role.id)

    async def say(
        self,
        content: str,
        *,
        files: Mapping[str, bytes] | None = None,
        place: Place | None = None,
        answering: Reply | None = None,
    ) -> Message:
        """Write a message; ``@bot`` in it mentions the bot."""
        server, channel = self._server, (place or self.place).channel
        body: dict[str, Any] = {"content": content.replace("@bot", f"<@{server.world.bot.id}>")}
        if answering is not None:
            body["message_reference"] = {"message_id": answering.id}
        named = {number: Upload(*each) for number, each in enumerate((files or {}).items())}
        message, _ = server.posting.new(channel, self.user, body, named)
        await server.channels.tell("MESSAGE_CREATE", message)
        return message

    async def delete(self, message: Message) -> None:
        """Delete a message."""
        await self._server.channels.remove(message)

    async def slash(self, name: str, /, *, place: Place | None = None, **options: Any) -> Any:
        """Use a slash command (``"settings set"`` for one of a group); returns a Reply or a Modal. An option may be
        bytes: a file. Raises AssertionError for what Discord would not let them send."""
        channel = (place or self.place).channel
        words = name.split()
        command = self._server.interactions.command(words[0])
        declared = _subcommand(command, words[1:])
        given, resolved = self._options(declared.get("options", []), options, channel)
        data = {"id": command["id"], "name": words[0], "type": 1, "options": _nested(words[1:], given)}
        if resolved:
            data["resolved"] = {"attachments": resolved}
        done = await self._server.interactions.begin(COMMAND, self.user, channel, data)
        return answer_of(self._server, done)

    async def menu(self, name: str, reply: Reply) -> Any:
        """Use a message's context menu."""
        command = self._server.interactions.command(name, MESSAGE_MENU)
        message = reply.message
        resolved = {"messages": {str(message.id): message.payload()}}
        data = {"id": command["id"], "name": name, "type": 3, "target_id": str(message.id), "resolved": resolved}
        done = await self._server.interactions.begin(COMMAND, self.user, message.channel, data)
        return answer_of(self._server, done)

    async def completions(self, name: str, /, option: str, text: str, **others: Any) -> list[str]:
        """What is offered for an option while they type."""
        words = name.split()
        command = self._server.interactions.command(words[0])
        declared = _subcommand(command, words[1:])
        spec = next(each for each in declared["options"] if each["name"] == option)
        assert spec.get("autocomplete"), f"{option} has no autocompletion"
        given, _ = self._options(declared["options"], others, self.place.channel, complete=False)
        given.append({"name": option, "type": spec["type"], "value": text, "focused": True})
        data = {"id": command["id"], "name": words[0], "type": 1, "options": _nested(words[1:], given)}
        done = await self._server.interactions.begin(AUTOCOMPLETE, self.user, self.place.channel, data)
        return [choice["value"] for choice in done.answer.result()[1]["choices"]]

    def _options(
        self, declared: Sequence[Mapping[str, Any]], values: dict[str, Any], channel: Channel, *, complete: bool = True
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        given, resolved = [], {}
        specs = {each["name"]: each for each in declared}
        assert values.keys() <= specs.keys(), f"no options {sorted(values.keys() - specs.keys())}; {sorted(specs)}"
        for name, spec in specs.items():
            if name not in values:
                assert not (complete and spec.get("required")), f"{name} is required"
                continue
            value = values[name]
            if isinstance(value, bytes):
                file = self._server.posting.add_file(channel, f"{name}.png", value)
                resolved[str(file.id)] = file.payload()
                value = str(file.id)
            else:
                _check_option(spec, value)
            given.append({"name": name, "type": spec["type"], "value": value})
        return given, resolved


def _check_option(spec: Mapping[str, Any], value: Any) -> None:
    """Discord's client lets nothing else through."""
    kind = _OPTION_TYPES[type(value)]
    assert kind == spec["type"] or (kind, spec["type"]) == (4, 10), f"{spec['name']}: {value!r} has the wrong type"
    allowed = [choice["value"] for choice in spec.get("choices") or []]
    assert not allowed or value in allowed, f"{spec['name']}: {value!r} is none of {allowed}"
    low, high = spec.get("min_value"), spec.get("max_value")
    assert low is None or value >= low, f"{spec['name']}: {value!r} is less than {low}"
    assert high is None or value <= high, f"{spec['name']}: {value!r} is more than {high}"


def _subcommand(command: Mapping[str, Any], words: Sequence[str]) -> Mapping[str, Any]:
    for word in words:
        command = next(each for each in command["options"] if each["name"] == word)
    return command


def _nested(words: Sequence[str], options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for depth, word in enumerate(reversed(words)):
        options = [{"name": word, "type": 1 if depth == 0 else 2, "options": options}]
    return options


def answer_of(server: Server, interaction: Interaction) -> Any:
    """What a member sees of the bot's answer."""
    kind, data = interaction.answer.result()
    if kind == 9:
        return Modal(server, interaction, data)
    if kind in (4, 5) and interaction.response is not None:
        return Reply(server, interaction.response)
    return Reply(server, interaction.message) if kind == 7 and interaction.message else None


class FakeDiscord:
    """A Discord with one guild and one channel, ``general``, to begin with; ``server`` is what the bot connects to."""

    def __init__(self) -> None:
        self.server = Server()
        self.guild: Guild = self.server.world.add_guild("Testers")
        self.general = self.add_channel("general")

    @property
    def api_url(self) -> str:
        return self.server.api_url

    def add_channel(self, name: str, guild: Guild | None = None) -> Place:
        """A text channel, made before the bot connects."""
        return Place(self.server, self.server.world.add_channel(guild or self.guild, name))

    def add_role(self, name: str, permissions: int = 0) -> Role:
        role = Role(self.server.world.new_id(), name, permissions)
        self.guild.roles[role.id] = role
        return role

    def allow(self, permissions: int) -> None:
        """Give the bot permissions in the whole guild."""
        self.guild.members[self.server.world.bot.id][1].append(self.add_role("bot", permissions).id)

    def member(self, name: str, place: Place | None = None) -> Member:
        """Somebody new in the guild, who writes in ``place``."""
        place = place or self.general
        user = self.server.world.add_user(name)
        guild = place.channel.guild or self.guild
        guild.members[user.id] = (user, [])
        return Member(self.server, user, place)

    def thread_of(self, reply: Reply) -> Place:
        """The thread that was opened from a message."""
        return Place(self.server, self.server.world.channels[reply.id])

    def threads(self) -> list[Place]:
        return [Place(self.server, each) for each in self.server.world.channels.values() if each.type == 11]

    async def connected(self, seconds: float = 10) -> None:
        """Wait until a bot is connected and its commands are registered."""
        await self.server.world.until(lambda: self.server.gateway.live, seconds, "the bot's connection")
