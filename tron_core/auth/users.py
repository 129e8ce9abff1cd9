"""Users, as rows: functions of a Connection, to be run by ``Database.read`` and ``Database.write``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tron_core.auth.principal import Scope
from tron_core.auth.tokens import join_scopes
from tron_core.errors import Conflict, NotFound, Refused
from tron_core.storage.tables import credentials, tokens, users

USERNAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LOCAL_USERNAME = "local"
"""Who holds the token in run.json; no user may have the name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a name and a password; ``banned_at`` is None unless they are banned, ``channels`` are the ids of
    the Discord channels to which they may have replies sent."""

    id: int
    username: str
    email: str | None
    scope: Scope
    created_at: float
    banned_at: float | None = None
    ban_reason: str | None = None
    channels: tuple[str, ...] = ()


def check_username(username: str) -> None:
    """Raise Refused unless the name can be a user's."""
    if not USERNAME.fullmatch(username):
        raise Refused(
            f"username: {username!r}; allowed are 1 to 64 letters, digits and _ . @ -", code="invalid_username"
        )
    if username.lower() == LOCAL_USERNAME:
        raise Refused(f"username: {username!r} is kept for the hub's own administrator", code="invalid_username")


def check_email(email: str | None) -> None:
    """Raise Refused unless it looks like an address (or is None)."""
    if email is not None and (len(email) > 254 or not EMAIL.fullmatch(email)):
        raise Refused(f"email: {email!r}; expected is name@domain, at most 254 characters", code="invalid_email")


def add(connection: Connection, username: str, password_hash: str, email: str | None, scope: Scope, now: float) -> User:
    """Insert a user; raises Conflict where the name is taken, whatever its capitals."""
    values = {"username": username, "email": email, "scope": scope.value, "created_at": now}
    if _row(connection, username) is not None:
        raise Conflict(f"username: {username!r} is taken", code="username_taken")
    try:
        result = connection.execute(insert(users).values(password_hash=password_hash, **values))
    except IntegrityError as error:
        raise Conflict(f"username: {username!r} is taken", code="username_taken") from error
    return User(id=last_key(result), username=username, email=email, scope=scope, created_at=now)


def get(connection: Connection, username: str) -> User:
    """The user of that name; raises NotFound."""
    row = _row(connection, username)
    if row is None:
        raise NotFound(f"There is no user {username!r}", code="user_not_found")
    return _user(row)


def find_with_hash(connection: Connection, username: str) -> tuple[User, str] | None:
    """A user and the stored password hash; None where there is no such user."""
    row = _row(connection, username)
    return None if row is None else (_user(row), row.password_hash)


def listed(connection: Connection) -> list[User]:
    """All users, oldest first."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.id))]


def set_password_hash(connection: Connection, user_id: int, password_hash: str) -> None:
    connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def set_scope(connection: Connection, username: str, scope: Scope) -> User:
    """Give a user another scope; the user's credentials and tokens follow at once. Raises NotFound."""
    user = get(connection, username)
    granted = join_scopes(scope.granted)
    owned = select(credentials.c.client_id).where(credentials.c.user_id == user.id)
    connection.execute(update(users).where(users.c.id == user.id).values(scope=scope.value))
    connection.execute(update(tokens).where(tokens.c.client_id.in_(owned)).values(scopes=granted))
    connection.execute(update(credentials).where(credentials.c.user_id == user.id).values(scopes=granted))
    return get(connection, username)


def set_ban(connection: Connection, username: str, banned_at: float | None, reason: str | None) -> User:
    """Ban (a time) or unban (None); raises NotFound."""
    user = get(connection, username)
    connection.execute(update(users).where(users.c.id == user.id).values(banned_at=banned_at, ban_reason=reason))
    return get(connection, username)


def set_channels(connection: Connection, username: str, channels: Sequence[str]) -> User:
    """Say to which Discord channels a user may have replies sent; raises NotFound."""
    user = get(connection, username)
    granted = json.dumps(sorted(set(channels)))
    connection.execute(update(users).where(users.c.id == user.id).values(channels=granted))
    return get(connection, username)


def remove(connection: Connection, username: str) -> list[str]:
    """Delete a user with every credential and token; returns the client_ids. Raises NotFound."""
    user = get(connection, username)
    owned = client_ids(connection, user.id)
    connection.execute(delete(tokens).where(tokens.c.client_id.in_(owned)))
    connection.execute(delete(credentials).where(credentials.c.user_id == user.id))
    connection.execute(delete(users).where(users.c.id == user.id))
    return owned


def client_ids(connection: Connection, user_id: int) -> list[str]:
    """The credentials of a user."""
    return list(connection.scalars(select(credentials.c.client_id).where(credentials.c.user_id == user_id)))


def last_key(result: CursorResult[Any]) -> int:
    """The number that the database gave to the row just inserted."""
    keys = result.inserted_primary_key
    if keys is None:
        raise TypeError("only an INSERT of one row has a key")
    return int(keys[0])


def _row(connection: Connection, username: str) -> Any:
    # MariaDB compares names without regard to capitals, SQLite with: lower() makes both do the former.
    return connection.execute(select(users).where(func.lower(users.c.username) == username.lower())).first()


def _user(row: Any) -> User:
    channels = tuple(json.loads(row.channels or "[]"))
    return User(
        row.id, row.username, row.email, Scope(row.scope), row.created_at, row.banned_at, row.ban_reason, channels
    )
