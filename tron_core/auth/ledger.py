"""Credentials and tokens, as rows: functions of a Connection, to be run by ``Database.read`` and ``Database.write``."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update
from ulid import ULID

from tron_core.auth.errors import InvalidGrant
from tron_core.auth.principal import Principal, Scope
from tron_core.auth.tokens import (
    ACCESS_PREFIX,
    ACCESS_SECONDS,
    API_KEY_PREFIX,
    REFRESH_PREFIX,
    REFRESH_SECONDS,
    Refreshing,
    TokenPair,
    Verdict,
    digest,
    join_scopes,
    judge,
    new_secret,
    split_scopes,
)
from tron_core.auth.users import User, last_key
from tron_core.errors import NotFound, Unauthorized
from tron_core.storage.tables import credentials, tokens, users


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential as it is handed out once; ``expires_at`` None: never."""

    client_id: str
    api_key: str
    user_id: int
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class TokenView:
    """What an operator sees of a token: everything but the token."""

    id: int
    client_id: str
    username: str
    scopes: frozenset[Scope]
    issued_at: float
    access_expires_at: float
    refresh_expires_at: float
    refreshed_at: float | None
    revoked_at: float | None


_JOINED = tokens.join(credentials).join(users)
_BY_ACCESS = (
    select(
        tokens.c.client_id,
        tokens.c.scopes,
        tokens.c.access_expires_at,
        tokens.c.revoked_at,
        credentials.c.revoked_at.label("credential_revoked_at"),
        credentials.c.expires_at,
        credentials.c.plugin,
        users.c.id.label("user_id"),
        users.c.username,
        users.c.banned_at,
    )
    .select_from(_JOINED)
    .where(tokens.c.access_hash == bindparam("hash"))
)


def principal_of(connection: Connection, access_token: str, now: float) -> Principal:
    """Who holds an access token; raises Unauthorized."""
    row = connection.execute(_BY_ACCESS, {"hash": digest(access_token)}).first()
    if row is None or row.revoked_at is not None or row.credential_revoked_at is not None:
        raise Unauthorized("This access token is not valid; get another with the api key", code="token_invalid")
    if row.banned_at is not None:
        raise Unauthorized("The user of this access token is banned", code="banned")
    if now >= row.access_expires_at or _is_past(row.expires_at, now):
        raise Unauthorized("This access token has expired; refresh it, or use the api key", code="token_expired")
    return Principal(row.client_id, row.user_id, row.username, split_scopes(row.scopes), plugin=row.plugin)


LOGIN_PREFIX = "login-"
"""Begins the client_id of a login, whose api key nobody knows."""


def add_credential(
    connection: Connection, user: User, now: float, *, prefix: str = "", plugin: str | None = None
) -> ApiKey:
    """A new client_id, which begins with ``prefix``, with its api key for ``user``; ``plugin`` names the one whose
    doors alone take it."""
    made = ApiKey(client_id=prefix + uuid.uuid4().hex, api_key=new_secret(API_KEY_PREFIX), user_id=user.id)
    connection.execute(
        insert(credentials).values(
            client_id=made.client_id,
            user_id=user.id,
            api_key_hash=digest(made.api_key),
            scopes=join_scopes(user.scope.granted),
            created_at=now,
            expires_at=made.expires_at,
            plugin=plugin,
        )
    )
    return made


def grant_by_api_key(
    connection: Connection, client_id: str, api_key: str, now: float, *, plugin: str | None = None
) -> TokenPair:
    """A new pair, in a family of its own, for the holder of an api key, at the hub's own door or at that of
    ``plugin``; raises Unauthorized."""
    holder = _holder(connection, client_id)
    stored = holder.api_key_hash if holder is not None else bytes(32)
    right = hmac.compare_digest(stored, digest(api_key))
    if holder is None or not right or not _is_usable(holder, now) or holder.plugin not in (None, plugin):
        raise Unauthorized("No such client_id with that api key, or it is no longer valid", code="invalid_client")
    connection.execute(update(credentials).where(credentials.c.client_id == client_id).values(last_used_at=now))
    return issue(connection, holder.client_id, holder.user_id, split_scopes(holder.scopes), str(ULID()), now)


def grant_login(connection: Connection, user: User, now: float) -> TokenPair:
    """A new pair from a credential of its own for a person who gave the right password; their logins that can no
    longer be refreshed are swept out with it."""
    alive = exists().where(tokens.c.client_id == credentials.c.client_id, tokens.c.refresh_expires_at > now)
    connection.execute(
        delete(credentials).where(
            credentials.c.user_id == user.id, credentials.c.client_id.startswith(LOGIN_PREFIX), ~alive
        )
    )
    login = add_credential(connection, user, now, prefix=LOGIN_PREFIX)
    return issue(connection, login.client_id, user.id, user.scope.granted, str(ULID()), now)


def issue(
    connection: Connection, client_id: str, user_id: int, scopes: frozenset[Scope], family: str, now: float
) -> TokenPair:
    """Store and return a new pair; what the credential has that can never be used again is swept out with it."""
    connection.execute(delete(tokens).where(tokens.c.client_id == client_id, tokens.c.refresh_expires_at <= now))
    access, refresh = new_secret(ACCESS_PREFIX), new_secret(REFRESH_PREFIX)
    result = connection.execute(
        insert(tokens).values(
            client_id=client_id,
            access_hash=digest(access),
            refresh_hash=digest(refresh),
            family=family,
            scopes=join_scopes(scopes),
            issued_at=now,
            access_expires_at=now + ACCESS_SECONDS,
            refresh_expires_at=now + REFRESH_SECONDS,
        )
    )
    return TokenPair(last_key(result), access, refresh, client_id, user_id, scopes, now)


def refresh(connection: Connection, refresh_token: str, now: float) -> tuple[Verdict, TokenPair | None, str]:
    """Judge a refresh token and do what follows; returns the verdict, the new pair if there is one, the client_id.

    A verdict without a pair is returned, not raised: what raises in a unit of work undoes it, and the end of a family
    must stay. Raises InvalidGrant for a token that nobody has.
    """
    row = connection.execute(select(tokens).where(tokens.c.refresh_hash == digest(refresh_token))).first()
    holder = None if row is None else _holder(connection, row.client_id)
    if row is None or holder is None or holder.plugin is not None:
        raise InvalidGrant("This refresh token is not valid; use the api key")
    verdict = judge(_refreshing(connection, row), now)
    if verdict.grants and not _is_usable(holder, now):
        verdict = Verdict.REVOKED
    if verdict is Verdict.REUSED:
        revoke_family(connection, row.family, now)
    if not verdict.grants:
        return verdict, None, row.client_id
    connection.execute(
        update(tokens).where(tokens.c.id == row.id, tokens.c.refreshed_at.is_(None)).values(refreshed_at=now)
    )
    pair = issue(connection, row.client_id, holder.user_id, split_scopes(row.scopes), row.family, now)
    return verdict, pair, row.client_id


def renew(connection: Connection, refresh_token: str, plugin: str, now: float) -> TokenPair | None:
    """A new access token beside a refresh token that stays, for a credential of ``plugin``; None where the credential
    is nobody's but the hub's own. Its 30 days begin anew. Raises InvalidGrant."""
    row = connection.execute(select(tokens).where(tokens.c.refresh_hash == digest(refresh_token))).first()
    holder = None if row is None else _holder(connection, row.client_id)
    if row is not None and holder is not None and holder.plugin is None:
        return None
    usable = row is not None and row.revoked_at is None and now < row.refresh_expires_at
    if row is None or holder is None or not usable or holder.plugin != plugin or not _is_usable(holder, now):
        raise InvalidGrant("This refresh token is not valid; use the api key")
    connection.execute(update(tokens).where(tokens.c.id == row.id).values(refresh_expires_at=now + REFRESH_SECONDS))
    pair = issue(connection, row.client_id, holder.user_id, split_scopes(row.scopes), row.family, now)
    return replace(pair, refresh_token=refresh_token)


def revoke_token(connection: Connection, token_id: int, now: float) -> str:
    """End a token and its family (what it was refreshed from and to); returns the client_id. Raises NotFound."""
    row = connection.execute(select(tokens.c.client_id, tokens.c.family).where(tokens.c.id == token_id)).first()
    if row is None:
        raise NotFound(f"There is no token {token_id}", code="token_not_found")
    revoke_family(connection, row.family, now)
    return str(row.client_id)


def revoke_family(connection: Connection, family: str, now: float) -> None:
    """End every token of a family."""
    connection.execute(
        update(tokens).where(tokens.c.family == family, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def revoke_credential(connection: Connection, client_id: str, now: float) -> None:
    """End an api key and every token issued from it; raises NotFound."""
    if _holder(connection, client_id) is None:
        raise NotFound(f"There is no credential {client_id!r}", code="credential_not_found")
    for table in (credentials, tokens):
        connection.execute(
            update(table).where(table.c.client_id == client_id, table.c.revoked_at.is_(None)).values(revoked_at=now)
        )


def listed(connection: Connection, username: str | None) -> list[TokenView]:
    """Tokens, newest first: everybody's, or those of one user."""
    query = select(tokens, users.c.username).select_from(_JOINED).order_by(tokens.c.id.desc())
    if username is not None:
        query = query.where(users.c.username == username)
    return [_view(row) for row in connection.execute(query)]


def _refreshing(connection: Connection, row: Any) -> Refreshing:
    return Refreshing(
        expires_at=row.refresh_expires_at,
        refreshed_at=row.refreshed_at,
        revoked_at=row.revoked_at,
        successor_used=row.refreshed_at is not None and _is_successor_used(connection, row),
    )


def _is_successor_used(connection: Connection, row: Any) -> bool:
    """Whether a pair that this family was given since the token's first use has been refreshed itself."""
    since = (tokens.c.family == row.family, tokens.c.id > row.id, tokens.c.issued_at >= row.refreshed_at)
    return bool(connection.scalar(select(exists().where(*since, tokens.c.refreshed_at.is_not(None)))))


def _holder(connection: Connection, client_id: str) -> Any:
    query = select(credentials, users.c.banned_at).join(users).where(credentials.c.client_id == client_id)
    return connection.execute(query).first()


def _is_usable(holder: Any, now: float) -> bool:
    return holder.revoked_at is None and holder.banned_at is None and not _is_past(holder.expires_at, now)


def _is_past(moment: float | None, now: float) -> bool:
    return moment is not None and now >= moment


def _view(row: Any) -> TokenView:
    return TokenView(
        id=row.id,
        client_id=row.client_id,
        username=row.username,
        scopes=split_scopes(row.scopes),
        issued_at=row.issued_at,
        access_expires_at=row.access_expires_at,
        refresh_expires_at=row.refresh_expires_at,
        refreshed_at=row.refreshed_at,
        revoked_at=row.revoked_at,
    )
