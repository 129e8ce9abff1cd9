"""What administrators do from the command line: through the hub that runs, else in the database itself.

Both ways take and give the JSON of the REST calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

from tron_core.cli.context import Context
from tron_core.cli.hub_client import HubClient, find_hub

Json = dict[str, Any]


class Administration(Protocol):
    """Every method raises TronError: NotFound, Conflict, Refused, or that the hub does not answer."""

    def users(self) -> list[Json]:
        """All users, oldest first."""

    def create_user(self, username: str, password: str, email: str | None, scope: str) -> Json:
        """A new user."""

    def change_user(self, username: str, change: Mapping[str, Any]) -> Json:
        """Change what ``change`` names: ``scope``, ``banned``, ``ban_reason`` and ``channels``."""

    def delete_user(self, username: str) -> None:
        """Delete a user with all credentials and tokens."""

    def tokens(self, username: str | None) -> list[Json]:
        """Tokens without their secrets, newest first."""

    def create_tokens(self, username: str, plugin: str | None = None) -> tuple[Json, Json]:
        """A new api key with a first pair of tokens: the two blocks of auth.json; ``plugin`` names the one whose doors
        alone take them."""

    def revoke(self, token: str) -> None:
        """End a token (by its number), or an api key with all its tokens (by its client_id)."""

    def jobs(self, states: list[str], capability: str | None, requester: str | None, limit: int) -> list[Json]:
        """Jobs, newest first."""

    def job(self, job: str) -> Json:
        """One job."""

    def cancel(self, job: str) -> Json:
        """Cancel a job in any state that is not over."""

    def drain(self, worker: str, draining: bool) -> None:
        """Give a worker no more jobs, or again some."""

    def audit(self, actor: str | None, limit: int) -> list[Json]:
        """What administrators did, newest first."""

    def guilds(self) -> list[Json]:
        """The guilds that have set a rule, with their rules."""

    def rules(self, guild: str) -> list[Json]:
        """Every rule, with its value in a guild."""

    def set_rule(self, guild: str, rule: str, value: Any) -> None:
        """Set a rule of a guild, as JSON has it."""

    def remove_rule(self, guild: str, rule: str) -> None:
        """Remove a rule that a guild has set."""

    def ban_member(self, guild: str, member: str, banned: bool) -> None:
        """Let a member of a guild ask for nothing more, or again."""


@contextmanager
def administration(
    context: Context, url: str | None, token: str | None, *, make: bool = False
) -> Iterator[Administration]:
    """The hub of ``--url``, or the one that runs with this configuration; where none does, its database.

    A database that is not there is made where ``make`` says so: who asks for a list in a wrong folder is told so, and
    finds no file there afterwards. Raises ConfigError where neither can be used.
    """
    loaded = context.load()
    client = find_hub(loaded, url, token)
    if client is not None:
        with client:
            yield RemoteAdministration(client)
        return
    from tron_core.offline import open_administration  # loads the hub's libraries

    with open_administration(loaded, make=make) as offline:
        yield offline


class RemoteAdministration:
    """Through a hub's REST side."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def users(self) -> list[Json]:
        return self._client.items("/users")

    def create_user(self, username: str, password: str, email: str | None, scope: str) -> Json:
        body = {"username": username, "password": password, "email": email, "scope": scope}
        created: Json = self._client.post("/users", body)
        return created

    def change_user(self, username: str, change: Mapping[str, Any]) -> Json:
        changed: Json = self._client.patch(f"/users/{_part(username)}", dict(change))
        return changed

    def delete_user(self, username: str) -> None:
        self._client.delete(f"/users/{_part(username)}")

    def tokens(self, username: str | None) -> list[Json]:
        return self._client.items("/tokens", {"username": username})

    def create_tokens(self, username: str, plugin: str | None = None) -> tuple[Json, Json]:
        made = self._client.post("/tokens", {"username": username, "plugin": plugin})
        return made["api_key"], made["token"]

    def revoke(self, token: str) -> None:
        self._client.delete(f"/tokens/{_part(token)}")

    def jobs(self, states: list[str], capability: str | None, requester: str | None, limit: int) -> list[Json]:
        wanted = {"state": states, "capability": capability, "requester": requester, "limit": min(limit, 200)}
        return self._client.items("/jobs", wanted, most=limit)

    def job(self, job: str) -> Json:
        found: Json = self._client.get(f"/jobs/{_part(job)}")
        return found

    def cancel(self, job: str) -> Json:
        cancelled: Json = self._client.delete(f"/jobs/{_part(job)}")
        return cancelled

    def drain(self, worker: str, draining: bool) -> None:
        self._client.post(f"/workers/{_part(worker)}/drain", {"draining": draining})

    def audit(self, actor: str | None, limit: int) -> list[Json]:
        return self._client.items("/audit", {"actor": actor, "limit": min(limit, 200)}, most=limit)

    def guilds(self) -> list[Json]:
        return self._client.items("/guilds")

    def rules(self, guild: str) -> list[Json]:
        return self._client.items(f"/guilds/{_part(guild)}/rules")

    def set_rule(self, guild: str, rule: str, value: Any) -> None:
        self._client.put(f"/guilds/{_part(guild)}/rules/{_part(rule)}", {"value": value})

    def remove_rule(self, guild: str, rule: str) -> None:
        self._client.delete(f"/guilds/{_part(guild)}/rules/{_part(rule)}")

    def ban_member(self, guild: str, member: str, banned: bool) -> None:
        path = f"/guilds/{_part(guild)}/bans/{_part(member)}"
        if banned:
            self._client.put(path)
        else:
            self._client.delete(path)


def _part(value: str) -> str:
    """``value`` as one part of a path."""
    return quote(value, safe="")
