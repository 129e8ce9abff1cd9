"""What a guild's administrators decided: who may ask for what, and where results stand. Pure, but for the reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tron_core.errors import Refused
from tron_core.frontends.discord.caller import Caller
from tron_core.sections import did_you_mean

Kind = Literal["ids", "names", "number", "switch", "results", "limits"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a guild may set. ``ids`` are mentions or ids of channels, roles or people."""

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
    "nsfw_only": Rule("names", "Capabilities that are for age-restricted channels alone"),
    "maxima": Rule("limits", "The most that a field may be: echo.times=3"),
    "max_queued": Rule("number", "Jobs that one member may have waiting"),
    "daily_quota": Rule("number", "Jobs that one member may ask for in 24 hours"),
    "results": Rule("results", "Where results stand: reply, thread or channel"),
    "spoilers": Rule("switch", "Hide pictures as spoilers: on or off"),
}
PLACES = ("reply", "thread", "channel")
_NUMBERS = re.compile(r"\d{15,20}")


def read(key: str, text: str) -> Any:
    """The value of a rule that an administrator typed; raises Refused with what is allowed."""
    rule = RULES.get(key)
    if rule is None:
        raise Refused(f"There is no rule {key!r}{did_you_mean(key, RULES)}; there is: {', '.join(RULES)}.")
    words = [word for word in re.split(r"[\s,]+", text.strip()) if word]
    value: Any = None
    if rule.kind == "ids":
        value = _NUMBERS.findall(text)
    elif rule.kind == "names":
        value = words
    elif rule.kind == "number":
        value = int(text) if text.strip().isdecimal() else None
    elif rule.kind == "switch":
        value = {"on": True, "off": False}.get(text.strip().lower())
    elif rule.kind == "results":
        value = text.strip().lower() if text.strip().lower() in PLACES else None
    else:
        value = _limits(words)
    if value in (None, [], {}):
        raise Refused(f"{key} ({text or 'nothing'}): this is not allowed. {rule.help}.")
    return value


def _limits(words: list[str]) -> dict[str, float] | None:
    limits = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            limits[name] = float(number)
        except ValueError:
            return None
    return limits


def check_place(rules: Mapping[str, Any], caller: Caller) -> None:
    """Raise Refused where the caller may not ask here at all; administrators may, except where a channel is banned."""
    here = {str(caller.channel), str(caller.parent)}
    if here & set(rules.get("banned_channels", ())):
        raise Refused("I do not answer in this channel.", code="banned_channel")
    allowed = rules.get("allowed_channels")
    if allowed and not here & set(allowed):
        places = ", ".join(f"<#{each}>" for each in allowed)
        raise Refused(f"I do not answer in this channel; I do in {places}.", code="banned_channel")
    if caller.admin:
        return
    if str(caller.user) in rules.get("banned_users", ()) or caller.roles & set(rules.get("banned_roles", ())):
        raise Refused("You may not ask here.", code="banned")
    wanted = rules.get("allowed_roles")
    if wanted and not caller.roles & set(wanted):
        roles = ", ".join(f"<@&{each}>" for each in wanted)
        raise Refused(f"Asking needs one of these roles: {roles}.", code="role_missing")


def check_capability(rules: Mapping[str, Any], caller: Caller, capability: str) -> None:
    """Raise Refused where a capability is for age-restricted channels, and this is none."""
    if capability in rules.get("nsfw_only", ()) and not caller.nsfw:
        raise Refused(f"{capability} is for age-restricted channels alone.", code="nsfw_only")


def check_params(rules: Mapping[str, Any], capability: str, params: Mapping[str, Any]) -> None:
    """Raise Refused for a model that is not allowed, or a field above its maximum; settings are in ``params``."""
    model, models = params.get("model"), rules.get("allowed_models")
    if models and model is not None and str(model).lower() not in {each.lower() for each in models}:
        raise Refused(f"model ({model}): not on this server; allowed: {', '.join(models)}.", code="model_not_allowed")
    for name, most in (rules.get("maxima") or {}).items():
        owner, _, field = name.rpartition(".")
        value = params.get(field)
        if owner in ("", capability) and isinstance(value, int | float) and value > most:
            raise Refused(f"{field} ({value:g}): at most {most:g} on this server.", code="above_maximum")


def is_admin(rules: Mapping[str, Any], caller: Caller) -> bool:
    """Whether the caller may change the guild's rules."""
    return caller.admin or bool(caller.roles & set(rules.get("admin_roles", ())))
