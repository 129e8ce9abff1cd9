"""The rules that a guild may set: their names, and what their values may be. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tron_core.errors import NotFound, Refused
from tron_core.sections import did_you_mean

Kind = Literal["ids", "names", "number", "switch", "results", "limits"]

PLACES = ("reply", "thread", "channel")
"""Where results may stand."""
MAX_ITEMS = 500
"""Ids, names or limits of one rule."""
_ID = r"\d{15,20}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a guild may set. ``ids`` are those of channels, roles or people, ``limits`` numbers by the name of a
    field."""

    kind: Kind
    help: str


RULES: Mapping[str, Rule] = {
    "allowed_channels": Rule("ids", "The only channels where the bot answers"),
    "banned_channels": Rule("ids", "Channels where the bot does not answer"),
    "allowed_roles": Rule("ids", "Roles of which a member must have one"),
    "banned_roles": Rule("ids", "Roles whose members may not ask"),
    "banned_users": Rule("ids", "Members who may not ask"),
    "admin_roles": Rule("ids", "Roles that may use !admin, besides those that may manage the server"),
    "allowed_models": Rule("names", "The only models that may be asked for"),
    "banned_models": Rule("names", "Models that may not be asked for"),
    "banned_capabilities": Rule("names", "Capabilities that may not be asked for"),
    "nsfw_only": Rule("names", "Capabilities that are for age-restricted channels alone"),
    "nsfw": Rule("switch", "Adult content in age-restricted channels: on or off (on unless set)"),
    "maxima": Rule("limits", "The most that a field may be: echo.times=3"),
    "max_queued": Rule("number", "Jobs that one member may have waiting"),
    "daily_quota": Rule("number", "Jobs that one member may ask for in 24 hours"),
    "results": Rule("results", "Where results stand: reply, thread or channel"),
    "spoilers": Rule("switch", "Hide pictures as spoilers: on or off"),
    "delete_commands": Rule("switch", "Delete a member's command once its result is there: on or off"),
}
ALLOWED: Mapping[Kind, str] = {
    "ids": "ids of 15 to 20 digits",
    "names": "names",
    "number": "a whole number from 1 on",
    "switch": "true or false",
    "results": ", ".join(PLACES),
    "limits": "numbers by the name of a field, as in steps or paint.steps",
}

_TYPED: Mapping[Kind, str] = {"switch": "on or off", "ids": "mentions, or ids of 15 to 20 digits"}
"""Where people type it otherwise."""


def named(key: str) -> Rule:
    """The rule ``key``; raises NotFound."""
    if key not in RULES:
        text = f"There is no rule {key!r}{did_you_mean(key, RULES)}; there is: {', '.join(RULES)}."
        raise NotFound(text, code="unknown_rule")
    return RULES[key]


def check(key: str, value: Any) -> Any:
    """``value`` as it is kept for the rule ``key``; raises NotFound for no rule, Refused with what is allowed."""
    rule = named(key)
    if not _FITS[rule.kind](value):
        raise Refused(f"{key} ({value!r}): this is not allowed; allowed: {ALLOWED[rule.kind]}. {rule.help}.")
    return list(dict.fromkeys(value)) if isinstance(value, list) else value


def read(key: str, text: str) -> Any:
    """The value of the rule ``key`` that a person typed: ids may be mentions, several things stand with blanks or
    commas between them. Raises NotFound for no rule, Refused with what is allowed."""
    rule, typed = named(key), text.strip()
    words = [word for word in re.split(r"[\s,]+", typed) if word]
    value: Any = None
    if rule.kind == "ids":
        value = re.findall(_ID, typed)
    elif rule.kind == "names":
        value = words
    elif rule.kind == "number":
        value = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else None
    elif rule.kind == "switch":
        value = {"on": True, "true": True, "off": False, "false": False}.get(typed.lower())
    elif rule.kind == "results":
        value = typed.lower()
    else:
        value = _limits(words)
    if not _FITS[rule.kind](value):
        raise Refused(
            f"{key} ({typed or 'nothing'}): this is not allowed; allowed: {_TYPED.get(rule.kind, ALLOWED[rule.kind])}."
            f" {rule.help}."
        )
    return check(key, value)


def _limits(words: list[str]) -> dict[str, float] | None:
    limits = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            limits[name] = float(number)
        except ValueError:
            return None
    return limits


def _is_list_of(value: Any, pattern: str) -> bool:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        return False
    return all(isinstance(each, str) and re.fullmatch(pattern, each) for each in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1_000_000_000


def _are_limits(value: Any) -> bool:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_ITEMS:
        return False
    names = all(re.fullmatch(r"[\w.-]{1,96}", name) for name in value)
    return names and all(
        isinstance(most, int | float) and not isinstance(most, bool) and abs(most) < 1e15 for most in value.values()
    )


_FITS: Mapping[Kind, Callable[[Any], bool]] = {
    "ids": lambda value: _is_list_of(value, _ID),
    "names": lambda value: _is_list_of(value, r"\S{1,200}"),
    "number": _is_number,
    "switch": lambda value: isinstance(value, bool),
    "results": lambda value: value in PLACES,
    "limits": _are_limits,
}
