"""Built-in commands about settings: one's own, and a guild's or channel's defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tron_core.capability import allowed_values, fields_of
from tron_core.errors import InvalidParams, NotFound, Refused
from tron_core.frontends import setting_keys
from tron_core.frontends.discord.builtins import Asked, BuiltIn, Option
from tron_core.frontends.discord.wording import one_line, plain
from tron_core.frontends.setting_keys import FieldKey, SpecKey
from tron_core.plugins import Plugins
from tron_core.sections import did_you_mean

_WORDS = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
_RESET = ("reset", "default", "random", "none", "null")
"""Values that mean: as if nothing was saved."""


def known_keys(plugins: Plugins) -> dict[str, FieldKey | SpecKey]:
    """Every key, with the first of what it stands for."""
    found: dict[str, FieldKey | SpecKey] = {}
    for key, each in setting_keys.every(plugins):
        found.setdefault(key, each)
    return found


def resolve(plugins: Plugins, text: str) -> str:
    """The key that a person means: in full, or its last part where that is one setting's alone; raises NotFound,
    Refused (which of several)."""
    known = known_keys(plugins)
    wanted = text.strip("`").lower().replace("-", "_")
    if wanted in known:
        return wanted
    ending = [key for key in known if key.rpartition(".")[2] == wanted]
    if len(ending) > 1:
        raise Refused(f"{text} is a setting of several; say which: {', '.join(f'`{key}`' for key in ending)}.")
    if not ending:
        raise NotFound(f"There is no setting {text!r}{did_you_mean(wanted, [*known, *map(_last, known)])}")
    return ending[0]


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def is_short(plugins: Plugins, word: str) -> bool:
    """Whether a command of that name would be about a setting."""
    return word.replace("-", "_") in set(map(_last, known_keys(plugins)))


def read_value(meant: Sequence[FieldKey | SpecKey], text: str) -> Any:
    """The value that a person typed; raises InvalidParams where every reading of it is wrong."""
    readings: list[Any] = []
    if text.lower() in _WORDS:
        readings.append(_WORDS[text.lower()])
    try:
        readings.append(json.loads(text))
    except ValueError:
        pass
    readings.append(text)
    wrong: InvalidParams | None = None
    for value in readings:
        try:
            for each in meant:
                each.check(value)
        except InvalidParams as error:
            wrong = wrong or error
        else:
            return value
    assert wrong is not None
    raise wrong


async def view(asked: Asked) -> str:
    """All settings by plugin, or one."""
    plugins, caller = asked.services.plugins, asked.caller
    known = known_keys(plugins)
    if asked.get("key"):
        key = resolve(plugins, asked.need("key"))
        known = {key: known[key]}
    saved = await asked.services.saved_settings.layered(
        list(known), requester=caller.requester, channel=caller.settings_channel, guild=caller.guild_id
    )
    if not known:
        return "There are no settings."
    lines = ["**Your settings**"] if len(known) > 1 else []
    plugin = None
    for key, each in sorted(known.items(), key=lambda item: (item[1].plugin, item[0])):
        if each.plugin != plugin and len(known) > 1:
            plugin = each.plugin
            lines += ["", f"__{plugin}__"]
        lines.append(_line(key, each, saved))
    return "\n".join([*lines, f"-# Change one: `{asked.services.settings.discord.prefix}settings KEY VALUE`"])


def _line(key: str, each: FieldKey | SpecKey, saved: Mapping[str, Any]) -> str:
    default, help_, allowed = _described(each)
    shown = f"**{one_line(plain(saved[key]), 80)}**" if key in saved else one_line(plain(default), 80)
    return one_line(f"`{key}` {shown} · {help_ or allowed}", 300)


def _described(each: FieldKey | SpecKey) -> tuple[Any, str, str]:
    """Default, help and what is allowed."""
    if isinstance(each, SpecKey):
        return each.spec.default, each.spec.help, ", ".join(each.spec.choices)
    spec = next(spec for spec in fields_of(each.capability.params) if spec.name == each.field)
    return ("–" if spec.default is None else spec.default), spec.help, allowed_values(spec)


async def set_(asked: Asked) -> str:
    """Save one of one's own."""
    return await _save(asked, asked.caller.requester, "you")


async def _save(asked: Asked, owner: str, whose: str) -> str:
    key, text = resolve(asked.services.plugins, asked.need("key")), asked.need("value")
    meant = setting_keys.find(asked.services.plugins, key)
    if text.lower() in _RESET:
        await asked.services.saved_settings.reset(owner, key=key)
        return f"`{key}` is at its default for {whose} again."
    value = read_value(meant, text)
    await asked.services.saved_settings.set(owner, meant[0].plugin, key, value)
    return f"`{key}` is **{one_line(plain(value), 200)}** for {whose} from now on."


async def reset(asked: Asked) -> str:
    """Forget one of one's own, or all."""
    key = resolve(asked.services.plugins, asked.need("key")) if asked.get("key") else None
    count = await asked.services.saved_settings.reset(asked.caller.requester, key=key)
    return f"{count} of your settings {'is' if count == 1 else 'are'} at the default again."


async def guild_default(asked: Asked) -> str:
    """Save a default for everybody in the guild."""
    return await _save(asked, f"guild:{asked.caller.guild}", "everybody on this server")


async def channel_default(asked: Asked) -> str:
    """Save a default for a channel."""
    return await _save(asked, f"channel:{asked.caller.settings_channel}", "everybody in this channel")


async def keys(asked: Asked, text: str) -> Sequence[str]:
    return [key for key in known_keys(asked.services.plugins) if text.lower() in key][:25]


async def values(asked: Asked, text: str) -> Sequence[str]:
    """What may be saved under the key that was given first."""
    each = known_keys(asked.services.plugins).get(asked.get("key") or "")
    if each is None:
        return []
    if isinstance(each, SpecKey):
        return [choice for choice in each.spec.choices if text.lower() in choice.lower()]
    spec = next(spec for spec in fields_of(each.capability.params) if spec.name == each.field)
    offered = spec.choices or asked.services.scheduler.choices(each.capability.name, each.field)
    return [choice for choice in offered if text.lower() in choice.lower()]


def choose(rest: str) -> tuple[str, Mapping[str, str]]:
    """``!settings`` shows, ``!settings KEY`` shows one, ``!settings KEY VALUE`` sets it."""
    key, _, value = rest.strip().partition(" ")
    if not value.strip():
        return "settings view", {"key": key} if key else {}
    return "settings set", {"key": key, "value": value.strip()}


KEY = Option("key", "The setting", required=True, complete=keys)
VALUE = Option("value", "Its value", required=True, complete=values)
_ONE = Option("key", "One of them", complete=keys)
COMMANDS = (
    BuiltIn("settings view", "Your settings", view, (_ONE,)),
    BuiltIn("settings set", "Save a setting of yours", set_, (KEY, VALUE)),
    BuiltIn("settings reset", "Forget a setting of yours, or all", reset, (_ONE,)),
)
