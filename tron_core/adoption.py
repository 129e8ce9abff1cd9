"""What another program kept, taken into the hub's own tables: accounts, saved settings, the rules of guilds.

Nothing that is there already is changed, so that the same may be taken again: a method returns whether it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, exists, insert, or_, select, update
from ulid import ULID

from tron_core.auth import users
from tron_core.auth.principal import Scope
from tron_core.auth.tokens import REFRESH_SECONDS, digest, join_scopes
from tron_core.errors import Conflict, NotFound, Refused
from tron_core.frontends import rules, setting_keys
from tron_core.plugins import Plugins
from tron_core.storage.tables import credentials, guild_rules, settings, tokens
from tron_core.storage.tables import users as users_table

NO_PASSWORD = "!"  # noqa: S105 - no password has it for its hash
CLIENT_ID_LENGTH = 40


class Adoption:
    """Rows of one transaction, at the time ``now``. ``connection`` is that transaction, for a plugin's own tables."""

    def __init__(self, connection: Connection, plugins: Plugins, now: float) -> None:
        self.connection = connection
        self.now = now
        self._plugins = plugins
        self._settings: dict[str, list[setting_keys.FieldKey | setting_keys.SpecKey]] = {}

    def scope_of(self, username: str) -> str | None:
        """What the user of that name may do (``worker``, ``user``, ``admin``); None where there is none."""
        found = users.find_with_hash(self.connection, username)
        return None if found is None else found[0].scope.value

    def add_worker_user(self, username: str, *, email: str | None = None) -> bool:
        """A user that may connect workers and nothing else, and has no password.

        Raises Refused for a name or an address that is not allowed, Conflict where the name is taken by a person.
        """
        scope = self.scope_of(username)
        if scope is not None and scope != Scope.WORKER:
            raise Conflict(f"username: {username!r} is taken by a user with the scope {scope}", code="username_taken")
        if scope is not None:
            return False
        users.check_username(username)
        users.check_email(email)
        users.add(self.connection, username, NO_PASSWORD, email, Scope.WORKER, self.now)
        return True

    def owner_of(self, client_id: str) -> str | None:
        """The username behind a credential, None where there is no such credential."""
        query = select(users_table.c.username).join(credentials).where(credentials.c.client_id == client_id)
        found: str | None = self.connection.scalar(query)
        return found

    def add_credential(
        self,
        client_id: str,
        api_key: str,
        username: str,
        *,
        expires_at: float | None = None,
        plugin: str | None = None,
    ) -> bool:
        """An api key of a user, with the client_id that its holder knows; ``expires_at`` None: never; ``plugin`` names
        the one whose doors alone take it.

        Raises NotFound where there is no such user, Refused for a client_id that is not allowed.
        """
        if not 0 < len(client_id) <= CLIENT_ID_LENGTH:
            raise Refused(f"client_id: {client_id!r}; allowed are 1 to {CLIENT_ID_LENGTH} characters")
        if self.owner_of(client_id) is not None:
            return False
        user = users.get(self.connection, username)
        row = {
            "client_id": client_id,
            "user_id": user.id,
            "api_key_hash": digest(api_key),
            "scopes": join_scopes(user.scope.granted),
            "created_at": self.now,
            "expires_at": expires_at,
            "plugin": plugin,
        }
        self.connection.execute(insert(credentials).values(row))
        return True

    def add_tokens(self, client_id: str, access_token: str, refresh_token: str, *, access_seconds: float) -> bool:
        """A pair of tokens that the holder of a credential has: the access token is valid for so many seconds from
        ``now``, the refresh token as long as any. Raises NotFound where there is no such credential."""
        access, refresh = digest(access_token), digest(refresh_token)
        known = exists().where(or_(tokens.c.access_hash == access, tokens.c.refresh_hash == refresh))
        if self.connection.scalar(select(known)):
            return False
        scopes = self.connection.scalar(select(credentials.c.scopes).where(credentials.c.client_id == client_id))
        if scopes is None:
            raise NotFound(f"There is no credential {client_id!r}", code="credential_not_found")
        row = {
            "client_id": client_id,
            "access_hash": access,
            "refresh_hash": refresh,
            "family": str(ULID()),
            "scopes": scopes,
            "issued_at": self.now,
            "access_expires_at": self.now + access_seconds,
            "refresh_expires_at": self.now + REFRESH_SECONDS,
        }
        self.connection.execute(insert(tokens).values(row))
        return True

    def save_setting(self, plugin: str, requester: str, key: str, value: Any) -> bool:
        """A setting of ``plugin`` for a person (``discord:1234``), as they could save it themselves.

        Raises NotFound where the plugin has no such setting, InvalidParams for a value that is not allowed.
        """
        meant = self._settings.get(key) or setting_keys.find(self._plugins, key)
        self._settings[key] = meant
        if all(each.plugin != plugin for each in meant):
            raise NotFound(f"The setting {key!r} is not of the plugin {plugin}", code="unknown_setting")
        for each in meant:
            each.check(value)
        saved = select(settings.c.value).where(settings.c.owner == requester, settings.c.key == key)
        if self.connection.execute(saved).first() is not None:
            return False
        row = {"owner": requester, "plugin": plugin, "key": key, "value": json.dumps(value), "updated_at": self.now}
        self.connection.execute(insert(settings).values(row))
        return True

    def extend_rule(self, guild: str, key: str, values: Iterable[str]) -> list[str]:
        """Add to a rule of a guild that is a list (``banned_channels``); returns what was not in it before.

        Raises NotFound where there is no such rule, Refused for a value that is not allowed.
        """
        where = (guild_rules.c.guild == guild, guild_rules.c.key == key)
        stored = self.connection.scalar(select(guild_rules.c.value).where(*where))
        present: list[str] = json.loads(stored) if stored else []
        new = [value for value in dict.fromkeys(values) if value not in present]
        changed = {"value": json.dumps(rules.check(key, [*present, *new])), "updated_at": self.now}
        if new and stored is None:
            self.connection.execute(insert(guild_rules).values(guild=guild, key=key, **changed))
        elif new:
            self.connection.execute(update(guild_rules).where(*where).values(changed))
        return new
