"""The commands of the core itself, each declared once for prefix and slash."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import discord

from tron_core.errors import Forbidden, Refused
from tron_core.frontends.discord import rules
from tron_core.frontends.discord.caller import Caller
from tron_core.frontends.discord.content import NOBODY
from tron_core.frontends.discord.splitting import split

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot
    from tron_core.services import Services

MAX_PAGES = 5
"""Messages of one answer; the rest is cut off."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A use of a built-in command: who, and the options that were given, as text."""

    bot: Bot
    caller: Caller
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        return self.bot.desk.services

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def need(self, name: str) -> str:
        """A required option; raises Refused where a prefix command left it out."""
        if not self.values.get(name):
            raise Refused(f"{name}: it is missing.")
        return self.values[name]


Run = Callable[[Asked], Awaitable[str]]
Complete = Callable[[Asked, str], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Option:
    """An option: of a prefix command the next word, of the last one all the rest."""

    name: str
    help: str
    required: bool = False
    complete: Complete | None = None


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A command; one of a group has the group's name and its own in ``name``. ``admin``: for those who may change
    the guild's rules."""

    name: str
    summary: str
    run: Run
    options: tuple[Option, ...] = ()
    admin: bool = False


Choose = Callable[[str], tuple[str, Mapping[str, str]]]
"""What ``!GROUP rest`` means where ``rest`` does not begin with a command of the group: the name of a command, and its
options."""


class BuiltIns:
    """All of them. ``short`` finds what a command that is none may still mean: the name of a setting."""

    def __init__(self, bot: Bot, commands: Sequence[BuiltIn], groups: Mapping[str, Choose]) -> None:
        self._bot = bot
        self._commands = {command.name: command for command in commands}
        self._groups = groups
        self.short: Callable[[str], bool] = lambda word: False

    def __iter__(self) -> Iterator[BuiltIn]:
        return iter(self._commands.values())

    @property
    def names(self) -> list[str]:
        """What may stand first: names of commands and of groups."""
        return list(dict.fromkeys(name.split()[0] for name in self._commands))

    def find(self, word: str) -> str | None:
        """``word``, if it is a command, a group, or the name of a setting."""
        return word if word in self._commands or word in self._groups or (word and self.short(word)) else None

    async def by_prefix(self, message: discord.Message, caller: Caller, word: str, rest: str) -> None:
        """Run what a person typed, and answer below it."""
        command, values = self._read(word, rest.strip())
        text = await self.run(command, Asked(self._bot, caller, values))
        for number, page in enumerate(split(text)[:MAX_PAGES]):
            if number == 0:
                await message.reply(page, allowed_mentions=NOBODY)
            else:
                await message.channel.send(page, allowed_mentions=NOBODY)

    def _read(self, word: str, rest: str) -> tuple[BuiltIn, Mapping[str, str]]:
        if word not in self._commands and word not in self._groups:
            word, rest = "settings", f"{word} {rest}".strip()
        if word in self._groups:
            sub, _, after = rest.partition(" ")
            name = f"{word} {sub.lower()}"
            if name not in self._commands:
                name, values = self._groups[word](rest)
                return self._commands[name], values
            word, rest = name, after
        command = self._commands[word]
        return command, _positional(command, rest)

    async def run(self, command: BuiltIn, asked: Asked) -> str:
        """Run a command; raises TronError."""
        if command.admin:
            await self._check_admin(asked.caller)
        return await command.run(asked)

    async def _check_admin(self, caller: Caller) -> None:
        if caller.guild is None:
            raise Refused("This is about a server; use it there.")
        if not rules.is_admin(await self._bot.desk.rules_of(caller.guild), caller):
            raise Forbidden("This is for those who may manage the server.")


def _positional(command: BuiltIn, rest: str) -> dict[str, str]:
    """The words of ``rest`` as the command's options, the last of which takes what is left."""
    values = {}
    for number, option in enumerate(command.options):
        if number == len(command.options) - 1:
            word, rest = rest, ""
        else:
            word, _, rest = rest.partition(" ")
        if word.strip():
            values[option.name] = _plain(word.strip())
    return values


def _plain(word: str) -> str:
    """Without quotes around it."""
    try:
        words = shlex.split(word)
    except ValueError:
        return word
    return words[0] if len(words) == 1 else word
