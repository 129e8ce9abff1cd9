"""The accounts of workers: users, their api keys and tokens, so that a worker needs no new files."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import tron_core as tron
from tron_plugin_legacy.importing.report import Outcome
from tron_plugin_legacy.importing.taking import Row, Taking

ACCESS_SECONDS = 24 * 3600.0
"""How long an access token of the original is good here. There it never ended. A worker asks for another after half an
hour, but it reads the time of issue as local time, and so believes in a token for up to twelve hours longer."""
MOST_OF_NAME = 64
"""Characters of the longest username."""

PASSWORD = "a bcrypt hash of a password that nothing ever asked for; workers sign in with their api key"  # noqa: S105
ACCESS = f"the access token, which would never end, ends {ACCESS_SECONDS / 3600:g} hours after the import"


class Accounts:
    """Taken by this plugin itself, into the core's tables."""

    tables = ("user", "oauth_client", "api_key", "o_auth_token")
    settings = ()
    guild_values = ()

    def take(self, taking: Taking) -> None:
        """Users first, as keys belong to them, and tokens to keys."""
        names = self._take_users(taking)
        added = self._take_keys(taking, names)
        self._take_clients(taking, added)
        self._take_tokens(taking)

    def _take_users(self, taking: Taking) -> dict[Any, str]:
        """The username here of each user of the original, by id."""
        names: dict[Any, str] = {}
        for row in taking.rows("user"):
            with row:
                names[row["id"]] = _take_user(taking.adoption, row)
                if row["password"]:
                    taking.note("user.password", Outcome.LEFT, PASSWORD, row.id)
        return names

    def _take_keys(self, taking: Taking, names: Mapping[Any, str]) -> set[str]:
        """Returns the client_ids of those that were added."""
        newest = {row["client_id"]: row["id"] for row in taking.rows("api_key")}
        added: set[str] = set()
        for row in taking.rows("api_key"):
            with row:
                client, name, expires = row["client_id"], names.get(row["user_id"]), _moment(row["expires"])
                if newest[client] != row["id"]:
                    row.left("its client has a newer one, and has one alone here")
                elif taking.adoption.owner_of(client) is not None:
                    row.there()
                elif name is None:
                    row.left("it belongs to no user that was taken")
                elif expires is not None and expires <= taking.now:
                    row.left("it has expired, which the original did not look at: make a new one if it is in use")
                else:
                    taking.adoption.add_credential(
                        client, row["api_key"], name, expires_at=expires, plugin=taking.plugin
                    )
                    added.add(client)
                    row.taken()
        return added

    def _take_clients(self, taking: Taking, added: Collection[str]) -> None:
        for row in taking.rows("oauth_client"):
            with row:
                if row["client_id"] in added:
                    row.taken("one with its api key; the secret was never used")
                elif taking.adoption.owner_of(row["client_id"]) is not None:
                    row.there()
                else:
                    row.left("no api key of it was taken")

    def _take_tokens(self, taking: Taking) -> None:
        for row in taking.rows("o_auth_token"):
            with row:
                if taking.adoption.owner_of(row["client_id"]) is None:
                    row.left("the api key of its client was not taken")
                    continue
                access, refresh = row["access_token"], row["refresh_token"]
                if taking.adoption.add_tokens(row["client_id"], access, refresh, access_seconds=ACCESS_SECONDS):
                    row.taken(ACCESS)
                else:
                    row.there()


def _take_user(adoption: tron.Adoption, row: Row) -> str:
    """Add a worker's user; returns the name. The same row always gets the same one."""
    given = str(row["username"])
    name, hows = fitting_name(given, row["id"]), []
    if adoption.scope_of(name) in ("user", "admin"):
        name = f"{name[: MOST_OF_NAME - 7]}-worker"
    if name != given:
        hows.append(f"under the name {name}, as {given!r} is taken by a person or not allowed")
    email = row["email"] or None
    if email is not None and not _is_address(email):
        email = None
        hows.append("without the e-mail address, which is none")
    if adoption.add_worker_user(name, email=email):
        row.taken("; ".join(hows))
    else:
        row.there()
    return name


def fitting_name(name: str, number: Any) -> str:
    """``name`` where a user may have it, else what is left of it, with its number so that no two become one."""
    if re.fullmatch(r"[A-Za-z0-9_.@-]{1,64}", name) and name.lower() != "local":
        return name
    suffix = f"-{number}"
    return re.sub(r"[^A-Za-z0-9_.@-]+", "-", name).strip("-")[: MOST_OF_NAME - len(suffix)] + suffix


def _is_address(email: str) -> bool:
    return len(email) <= 254 and re.fullmatch(r"[^@\s]+@[^@\s]+", email) is not None


def _moment(value: Any) -> float | None:
    """A time of the original, which is UTC and does not say so, in seconds since the epoch; raises ValueError."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return float(calendar.timegm(moment.utctimetuple()))
