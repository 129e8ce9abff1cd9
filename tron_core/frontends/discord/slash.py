"""Slash commands made of the declarations: one for each capability, one for each built-in command."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from sqlalchemy import Connection, delete, insert, select

from tron_core.capability import MAX_FILES, Capability, FieldSpec, fields_of
from tron_core.errors import ConfigError, TronError
from tron_core.frontends.discord import answering
from tron_core.frontends.discord.answering import Interaction
from tron_core.frontends.discord.builtins import MAX_PAGES, Asked, BuiltIn, Option
from tron_core.frontends.discord.caller import caller_in
from tron_core.frontends.discord.cards import Place
from tron_core.frontends.discord.content import NOBODY
from tron_core.frontends.discord.splitting import split
from tron_core.frontends.discord.wording import one_line
from tron_core.storage.tables import hub as table

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot
    from tron_core.storage.database import Database

MAX_COMMANDS = 100
MAX_OPTIONS = 25
MAX_MENUS = 5
MAX_CHOICES = 25
_TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "choice": str}
_HASH_KEY = "discord.commands"

Tree = app_commands.CommandTree[Any]
Command = app_commands.Command[Any, ..., Any]

logger = logging.getLogger(__name__)


def fill(tree: Tree, bot: Bot, capabilities: Sequence[Capability], builtins: Iterable[BuiltIn]) -> None:
    """Add every command; raises ConfigError where they are too many, or two have one name."""
    groups: dict[str, app_commands.Group] = {}
    made: list[Command | app_commands.Group] = [capability_command(bot, each) for each in capabilities]
    for builtin in builtins:
        group, _, name = builtin.name.rpartition(" ")
        if not group:
            made.append(builtin_command(bot, builtin, name))
            continue
        if group not in groups:
            groups[group] = app_commands.Group(name=group, description=f"{group.capitalize()}: show and change")
            made.append(groups[group])
        groups[group].add_command(builtin_command(bot, builtin, name))
    if len(made) > MAX_COMMANDS:
        raise ConfigError(f"Discord takes {MAX_COMMANDS} slash commands, and there are {len(made)}; disable a plugin")
    menus = [menu_entry(bot, each) for each in capabilities if each.command.menu]
    if len(menus) > MAX_MENUS:
        names = ", ".join(entry.name for entry in menus)
        raise ConfigError(f"Discord takes {MAX_MENUS} entries in a menu, and there are {len(menus)}: {names}")
    for command in (*made, *menus):
        try:
            tree.add_command(command)
        except app_commands.CommandAlreadyRegistered as error:
            raise ConfigError(f"Two commands are named /{error.name}; disable the plugin of one of them") from None


async def sync(tree: Tree, database: Database) -> bool:
    """Register the commands with Discord, if they are others than the last time; returns whether that was so."""
    payload = json.dumps([command.to_dict(tree) for command in tree.get_commands()], sort_keys=True, default=str)
    digest = hashlib.sha256(f"{tree.client.application_id} {payload}".encode()).hexdigest()
    query = select(table.c.value).where(table.c.key == _HASH_KEY)
    if await database.read(lambda connection: connection.execute(query).scalar()) == digest:
        return False
    await tree.sync()

    def keep(connection: Connection) -> None:
        connection.execute(delete(table).where(table.c.key == _HASH_KEY))
        connection.execute(insert(table).values(key=_HASH_KEY, value=digest))

    await database.write(keep)
    return True


# Capabilities


def capability_command(bot: Bot, capability: Capability) -> Command:
    """The slash command of a capability, with an option for each field."""
    specs = [spec for spec in fields_of(capability.params) if spec.slash]
    files = {f"{spec.name}{number or ''}": spec.name for spec in specs for number in _copies(spec)}
    if len(specs) - sum(spec.type == "attachments" for spec in specs) + _list_copies(specs) > MAX_OPTIONS:
        raise ConfigError(
            f"/{capability.command.name} would have more than {MAX_OPTIONS} options; "
            "declare some fields with Setting(slash=False)"
        )

    async def callback(interaction: Interaction, **given: Any) -> None:
        caller = caller_in(interaction)
        values = {name: value for name, value in given.items() if value is not None and name not in files}
        attached = [given[name] for name in files if given.get(name) is not None]
        place = Place(interaction.channel_id or 0, user=interaction.user.id)

        async def make() -> Any:
            await bot.desk.check(caller, capability.name)
            filled = await bot.desk.with_files(caller, capability, values, attached)
            return await bot.desk.submit(caller, capability.name, filled, place)

        await answering.with_job(interaction, bot.desk, bot.cards, make(), capability)

    parameters = [parameter for spec in specs for parameter in _parameters(spec)]
    described = {f"{spec.name}{number or ''}": spec.help for spec in specs for number in _numbers(spec)}
    completing = {spec.name: _completion(bot, capability, spec) for spec in specs if _completes(bot, capability, spec)}
    return _command(callback, capability.command.name, capability.command.summary, parameters, described, completing)


def menu_entry(bot: Bot, capability: Capability) -> app_commands.ContextMenu:
    """The entry of a capability in the menu of messages: it asks with the message's files."""

    async def callback(interaction: Interaction, message: discord.Message) -> None:
        caller = caller_in(interaction)
        place = Place(interaction.channel_id or 0, answering=message.id, user=interaction.user.id)

        async def make() -> Any:
            await bot.desk.check(caller, capability.name)
            values = await bot.desk.with_files(caller, capability, {}, message.attachments)
            return await bot.desk.submit(caller, capability.name, values, place)

        await answering.with_job(interaction, bot.desk, bot.cards, make(), capability)

    return app_commands.ContextMenu(name=capability.command.menu, callback=callback)


def _copies(spec: FieldSpec) -> Sequence[int]:
    return _numbers(spec) if spec.kind == "input" else ()


def _numbers(spec: FieldSpec) -> Sequence[int]:
    """0 for an option of the field's own name, 2 to 4 for the further ones of a list of files."""
    return (0, *range(2, MAX_FILES + 1)) if spec.type == "attachments" else (0,)


def _list_copies(specs: Iterable[FieldSpec]) -> int:
    return sum(MAX_FILES for spec in specs if spec.type == "attachments")


def _parameters(spec: FieldSpec) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if spec.kind == "input":
        numbers = _numbers(spec)
        required = spec.required and spec.type == "attachment"
        return [
            inspect.Parameter(
                f"{spec.name}{number or ''}",
                kind,
                annotation=discord.Attachment if required else discord.Attachment | None,
                default=inspect.Parameter.empty if required else None,
            )
            for number in numbers
        ]
    default = inspect.Parameter.empty if spec.required else None
    return [inspect.Parameter(spec.name, kind, annotation=_annotation(spec), default=default)]


def _annotation(spec: FieldSpec) -> Any:
    plain = _TYPES[spec.type]
    if spec.type in ("int", "float") and (spec.ge is not None or spec.le is not None):
        low = None if spec.ge is None else plain(spec.ge)
        high = None if spec.le is None else plain(spec.le)
        plain = app_commands.Range[plain, low, high]
    return plain


def _completes(bot: Bot, capability: Capability, spec: FieldSpec) -> bool:
    """Text fields are completed, the prompt only where it names something that the plugin knows; fields with few fixed
    choices show them all."""
    if spec.kind == "prompt":
        return bool(bot.desk.services.scheduler.choices(capability.name, spec.name))
    if spec.kind != "setting":
        return False
    return spec.type == "str" or (spec.type == "choice" and len(spec.choices) > MAX_CHOICES)


def _completion(bot: Bot, capability: Capability, spec: FieldSpec) -> Any:
    async def complete(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        caller = caller_in(interaction)
        if spec.choices:
            found: Sequence[str] = [choice for choice in spec.choices if text.lower() in choice.lower()]
        else:
            found = await capability.complete(spec.name, text, caller.asker())
        return _choices(found)

    return complete


def _choices(found: Sequence[str]) -> list[app_commands.Choice[str]]:
    fitting = [each for each in found if 0 < len(each) <= 100]
    return [app_commands.Choice(name=each, value=each) for each in fitting[:MAX_CHOICES]]


# Built-in commands


def builtin_command(bot: Bot, builtin: BuiltIn, name: str) -> Command:
    """The slash command of a built-in one; its answer is for the person alone."""

    async def callback(interaction: Interaction, **given: Any) -> None:
        caller = caller_in(interaction)
        values = {option: value for option, value in given.items() if value is not None}
        try:
            text = await bot.builtins.run(builtin, Asked(bot, caller, values))
        except TronError as error:
            text = bot.desk.sentence(error)
        first, *rest = split(text)[:MAX_PAGES] or ["Done."]
        await answering.privately(interaction, first)
        for page in rest:
            await interaction.followup.send(page, ephemeral=True, allowed_mentions=NOBODY)

    parameters = [_option(option) for option in builtin.options]
    described = {option.name: option.help for option in builtin.options}
    completing = {option.name: _builtin_completion(bot, option) for option in builtin.options if option.complete}
    return _command(callback, name, builtin.summary, parameters, described, completing)


def _option(option: Option) -> inspect.Parameter:
    default = inspect.Parameter.empty if option.required else None
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, annotation=str, default=default)


def _builtin_completion(bot: Bot, option: Option) -> Any:
    async def complete(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        assert option.complete is not None
        caller = caller_in(interaction)
        given = {name: str(value) for name, value in vars(interaction.namespace).items() if value is not None}
        return _choices(await option.complete(Asked(bot, caller, given), text))

    return complete


def _command(
    callback: Callable[..., Any],
    name: str,
    summary: str,
    parameters: Sequence[inspect.Parameter],
    described: dict[str, str],
    completing: dict[str, Any],
) -> Command:
    """discord.py reads a command's options off its callback's signature, so that one is made for it."""
    first = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction)
    callback.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    if described:
        app_commands.describe(**{key: one_line(text or key, 100) for key, text in described.items()})(callback)
    if completing:
        app_commands.autocomplete(**completing)(callback)
    try:
        return app_commands.Command(name=name, description=one_line(summary or name, 100), callback=callback)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"/{name} cannot be a slash command: {error}") from None
