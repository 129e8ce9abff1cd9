"""Built-in commands for those who manage a server, and for the bot's owner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from tron_core.auth.audit import Action
from tron_core.errors import Forbidden, Refused
from tron_core.frontends import rules
from tron_core.frontends.discord.builtins import Asked, BuiltIn, Option
from tron_core.frontends.discord.setting_commands import KEY, VALUE, channel_default, guild_default
from tron_core.frontends.discord.wording import plain
from tron_core.scheduling.views import WorkerView

_USER = re.compile(r"\d{15,20}")


async def show(asked: Asked) -> str:
    """The rules of this guild."""
    found = await asked.bot.desk.rules_of(asked.caller.guild)
    lines = [f"`{key}` {_shown(found.get(key), rule.kind, key)} · {rule.help}" for key, rule in rules.RULES.items()]
    return "\n".join(["**Rules of this server**", *lines])


def _shown(value: Any, kind: str, key: str) -> str:
    if value is None:
        return "–"
    if kind == "ids":
        mark = "<#" if "channels" in key else "<@&" if "roles" in key else "<@"
        return ", ".join(f"{mark}{each}>" for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={most:g}" for name, most in value.items())
    return ", ".join(value) if isinstance(value, list) else plain(value)


async def set_(asked: Asked) -> str:
    """Set a rule."""
    key, value = asked.need("rule"), rules.read(asked.need("rule"), asked.need("value"))
    await asked.services.guild_rules.set(str(asked.caller.guild), key, value)
    await _record(asked, key, value)
    return f"`{key}` is {_shown(value, rules.RULES[key].kind, key)} from now on."


async def reset(asked: Asked) -> str:
    """Remove a rule."""
    key = asked.need("rule")
    rules.named(key)
    await asked.services.guild_rules.set(str(asked.caller.guild), key, None)
    await _record(asked, key, None)
    return f"`{key}` is not set any more."


async def ban(asked: Asked) -> str:
    """Let a member ask for nothing more here."""
    user = _user(asked)
    await asked.services.guild_rules.add(str(asked.caller.guild), "banned_users", user)
    await _record(asked, "banned_users", f"+{user}")
    return f"<@{user}> may not ask here any more."


async def unban(asked: Asked) -> str:
    """Let a member ask again."""
    user = _user(asked)
    await asked.services.guild_rules.discard(str(asked.caller.guild), "banned_users", user)
    await _record(asked, "banned_users", f"-{user}")
    return f"<@{user}> may ask here."


async def _record(asked: Asked, key: str, value: Any) -> None:
    """Write down who changed a rule."""
    guild = f"guild:{asked.caller.guild}"
    await asked.services.auth.audit.record(asked.caller.requester, Action.RULE_CHANGED, guild, rule=key, value=value)


def _user(asked: Asked) -> str:
    found = _USER.search(asked.need("user"))
    if found is None:
        raise Refused("user: mention the member, or give the id.")
    return found.group()


async def drain(asked: Asked) -> str:
    """Give a worker no more jobs."""
    await _check_owner(asked)
    seen = await _drain(asked, True)
    return f"{seen.name} gets no more jobs; it still runs {len(seen.running)}."


async def undrain(asked: Asked) -> str:
    """Give a worker jobs again."""
    await _check_owner(asked)
    seen = await _drain(asked, False)
    return f"{seen.name} gets jobs again."


async def _drain(asked: Asked, draining: bool) -> WorkerView:
    seen = await asked.services.scheduler.drain_worker(asked.need("worker"), draining=draining)
    await asked.services.auth.audit.record(asked.caller.requester, Action.WORKER_CHANGED, seen.name, draining=draining)
    return seen


async def _check_owner(asked: Asked) -> None:
    """Workers serve every server, so that one server's administrators have no say in them."""
    if not await asked.bot.is_owner(discord.Object(asked.caller.user)):  # type: ignore[arg-type]
        raise Forbidden("Workers are the business of the bot's owner.")


async def rule_names(asked: Asked, text: str) -> Sequence[str]:
    return [key for key in rules.RULES if text.lower() in key]


async def worker_names(asked: Asked, text: str) -> Sequence[str]:
    return [worker.name for worker in asked.services.scheduler.workers() if text.lower() in worker.name.lower()]


def choose(rest: str) -> tuple[str, Mapping[str, str]]:
    """``!admin`` alone shows the rules."""
    if rest:
        raise Refused(f"admin {rest.split()[0]}: there is no such command; there is: {', '.join(NAMES)}.")
    return "admin rules", {}


_RULE = Option("rule", "The rule", required=True, complete=rule_names)
_WORKER = Option("worker", "Its name", required=True, complete=worker_names)
_USER_OPTION = Option("user", "The member", required=True)
COMMANDS = (
    BuiltIn("admin rules", "The rules of this server", show, admin=True),
    BuiltIn("admin set", "Set a rule", set_, (_RULE, Option("value", "Its value", required=True)), admin=True),
    BuiltIn("admin reset", "Remove a rule", reset, (_RULE,), admin=True),
    BuiltIn("admin ban", "Let a member ask for nothing more", ban, (_USER_OPTION,), admin=True),
    BuiltIn("admin unban", "Let a member ask again", unban, (_USER_OPTION,), admin=True),
    BuiltIn("admin default", "A setting's default for this server", guild_default, (KEY, VALUE), admin=True),
    BuiltIn("admin channel-default", "A setting's default for this channel", channel_default, (KEY, VALUE), admin=True),
    BuiltIn("admin drain", "Give a worker no more jobs", drain, (_WORKER,)),
    BuiltIn("admin undrain", "Give a worker jobs again", undrain, (_WORKER,)),
)
NAMES = [command.name.split()[1] for command in COMMANDS]
