"""What the rules of a guild say about a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tron_core.errors import Refused
from tron_core.frontends.discord.caller import Caller


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


def check_capability(rules: Mapping[str, Any], capability: str, *, nsfw: bool) -> None:
    """Raise Refused for a capability that is banned, or is for age-restricted channels alone; ``nsfw``: this is one."""
    if capability in rules.get("banned_capabilities", ()):
        raise Refused(f"{capability} is not there on this server.", code="banned_capability")
    if capability in rules.get("nsfw_only", ()) and not nsfw:
        raise Refused(f"{capability} is for age-restricted channels alone.", code="nsfw_only")


def check_params(rules: Mapping[str, Any], capability: str, params: Mapping[str, Any]) -> None:
    """Raise Refused for a model that is not allowed, or a field above its maximum; settings are in ``params``."""
    model, models = params.get("model"), rules.get("allowed_models")
    if models and model is not None and str(model).lower() not in {each.lower() for each in models}:
        raise Refused(f"model ({model}): not on this server; allowed: {', '.join(models)}.", code="model_not_allowed")
    banned = {each.lower() for each in rules.get("banned_models", ())}
    if model is not None and str(model).lower() in banned:
        raise Refused(f"model ({model}): not on this server.", code="model_not_allowed")
    for name, most in (rules.get("maxima") or {}).items():
        owner, _, field = name.rpartition(".")
        value = params.get(field)
        if owner in ("", capability) and isinstance(value, int | float) and value > most:
            raise Refused(f"{field} ({value:g}): at most {most:g} on this server.", code="above_maximum")


def allows_nsfw(rules: Mapping[str, Any], caller: Caller) -> bool:
    """Whether adult content may be shown where the caller asks."""
    return caller.nsfw and bool(rules.get("nsfw", True))


def is_admin(rules: Mapping[str, Any], caller: Caller) -> bool:
    """Whether the caller may change the guild's rules."""
    return caller.admin or bool(caller.roles & set(rules.get("admin_roles", ())))
