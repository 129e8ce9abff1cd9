"""Discord: whether it takes the token, and lets the bot read what people write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

from tron_core.doctor.finding import Finding, Subject, fail, ok, warn

CHECK = "discord"
SECONDS = 10.0
PORTAL = "https://discord.com/developers/applications"
MESSAGE_CONTENT = 1 << 18 | 1 << 19
"""Flags of an application: the intent is granted, or switched on by a bot in fewer than 100 servers."""
_TOKEN = re.compile(r"[\w-]{20,}\.[\w-]{5,}\.[\w-]{20,}")


def discord(subject: Subject) -> Iterator[Finding]:
    """The token, then the intents."""
    settings = subject.loaded.settings.discord
    if settings.token is None:
        yield ok(CHECK, "not configured")
        return
    token = settings.token.get_secret_value()
    try:
        with httpx.Client(
            base_url=settings.api_url, headers={"Authorization": f"Bot {token}"}, timeout=SECONDS
        ) as client:
            me = client.get("users/@me")
            yield _token(token, me)
            if me.is_success:
                yield _intents(client.get("applications/@me"))
    except (httpx.HTTPError, UnicodeEncodeError) as error:
        yield _unasked(settings.api_url, token, error)


def looks_like_a_token(token: str) -> bool:
    """Whether it has the three parts that a bot's token has."""
    return _TOKEN.fullmatch(token) is not None


def _token(token: str, answer: httpx.Response) -> Finding:
    if answer.is_success:
        return ok(CHECK, f"the token is that of the bot {_json(answer).get('username', 'without a name')}")
    if answer.status_code == 401:
        hint = "" if looks_like_a_token(token) else ": it does not even look like one, which has three parts with dots"
        fix = f"Reset the token on the page Bot of your application, not its client secret: {PORTAL}"
        return fail(CHECK, f"Discord does not accept the token{hint}", fix)
    return warn(CHECK, f"Discord answers HTTP {answer.status_code}, so that the token was not tried", "Try again later")


def _intents(answer: httpx.Response) -> Finding:
    if not answer.is_success:
        return warn(CHECK, f"Discord does not show the intents (HTTP {answer.status_code})", "Try again later")
    if int(_json(answer).get("flags", 0)) & MESSAGE_CONTENT:
        return ok(CHECK, "the bot may read messages")
    return fail(
        CHECK,
        "the bot may not read messages: commands with a prefix arrive empty, and the hub's connection is refused",
        f"Switch on Message Content Intent on the page Bot of your application: {PORTAL}",
    )


def _unasked(api_url: str, token: str, error: Exception) -> Finding:
    if not looks_like_a_token(token):
        fix = f"Copy the token of the page Bot of your application: {PORTAL}"
        return fail(CHECK, "the token does not look like one, which has three parts with dots", fix)
    fix = "Let this machine connect to port 443 elsewhere, or see https://discordstatus.com"
    return warn(CHECK, f"{api_url} does not answer ({type(error).__name__}), so that the token was not tried", fix)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
