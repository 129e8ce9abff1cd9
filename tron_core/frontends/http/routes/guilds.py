"""The rules of guilds, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Action
from tron_core.auth.principal import Principal
from tron_core.errors import NotFound
from tron_core.frontends import rules
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub
from tron_core.services import Services

router = APIRouter(prefix="/guilds", tags=["administration"])

ID = "^[0-9]{15,20}$"
BANNED = "banned_users"
Guild = Annotated[str, Path(pattern=ID)]
Member = Annotated[str, Path(pattern=ID)]


class GuildShape(TypedDict):
    """``rules`` holds those that the guild has set."""

    id: str
    rules: dict[str, Any]


class RuleShape(TypedDict):
    """``value`` is null where the guild has not set the rule; ``allowed`` says what it may be."""

    rule: str
    value: Any
    help: str
    allowed: str


class RuleBody(Body):
    """What the rule is to be: a list of ids or names, a number, a word, true or false, numbers by field."""

    value: Any


NewRule = Annotated[RuleBody, Depends(json_body(RuleBody))]


@router.get("", summary="List guilds with rules", responses={200: {"model": Page[GuildShape]}})
async def list_guilds(caller: Admin, hub: Hub) -> Response:
    """Those that have set a rule."""
    known = [{"id": guild, "rules": await hub.guild_rules.of(guild)} for guild in await hub.guild_rules.guilds()]
    return Json(shapes.page(known))


@router.get("/{guild}/rules", summary="List a guild's rules", responses={200: {"model": Page[RuleShape]}})
async def list_rules(caller: Admin, guild: Guild, hub: Hub) -> Response:
    """Every rule that there is, with its value in this guild. Defaults of its settings are saved settings of
    ``guild:ID``."""
    found = await hub.guild_rules.of(guild)
    return Json(shapes.page([shape(key, found.get(key)) for key in rules.RULES]))


@router.put(
    "/{guild}/rules/{rule}",
    summary="Set a rule",
    openapi_extra=documented(RuleBody),
    responses={200: {"model": RuleShape}},
)
async def set_rule(caller: Admin, guild: Guild, rule: str, body: NewRule, hub: Hub) -> Response:
    """It holds from the next request in the guild on."""
    value = rules.check(rule, body.value)
    await hub.guild_rules.set(guild, rule, value)
    await _record(hub, caller, guild, rule, value)
    return Json(shape(rule, value))


@router.delete("/{guild}/rules/{rule}", status_code=204, summary="Remove a rule")
async def remove_rule(caller: Admin, guild: Guild, rule: str, hub: Hub) -> Response:
    """404 where the guild has not set it."""
    rules.named(rule)
    if rule not in await hub.guild_rules.of(guild):
        raise NotFound(f"guild {guild} has not set {rule}")
    await hub.guild_rules.set(guild, rule, None)
    await _record(hub, caller, guild, rule, None)
    return Response(status_code=204)


@router.put("/{guild}/bans/{member}", status_code=204, summary="Ban a member from asking")
async def ban(caller: Admin, guild: Guild, member: Member, hub: Hub) -> Response:
    """In this guild alone: one id more in its rule ``banned_users``."""
    await hub.guild_rules.add(guild, BANNED, member)
    await _record(hub, caller, guild, BANNED, f"+{member}")
    return Response(status_code=204)


@router.delete("/{guild}/bans/{member}", status_code=204, summary="Let a member ask again")
async def unban(caller: Admin, guild: Guild, member: Member, hub: Hub) -> Response:
    """404 where the member is not banned there."""
    if member not in (await hub.guild_rules.of(guild)).get(BANNED, ()):
        raise NotFound(f"{member} is not banned in guild {guild}")
    await hub.guild_rules.discard(guild, BANNED, member)
    await _record(hub, caller, guild, BANNED, f"-{member}")
    return Response(status_code=204)


def shape(key: str, value: Any) -> RuleShape:
    rule = rules.RULES[key]
    return {"rule": key, "value": value, "help": rule.help, "allowed": rules.ALLOWED[rule.kind]}


async def _record(hub: Services, caller: Principal, guild: str, rule: str, value: Any) -> None:
    await hub.auth.audit.record(caller.requester, Action.RULE_CHANGED, f"guild:{guild}", rule=rule, value=value)
