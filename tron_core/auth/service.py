"""Auth: who may speak to the hub, and as what."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from tron_core.api import DatabaseAccess
from tron_core.auth import ledger, users
from tron_core.auth.audit import Audit
from tron_core.auth.errors import InvalidGrant
from tron_core.auth.ledger import TokenView
from tron_core.auth.passwords import Passwords
from tron_core.auth.principal import Principal, Scope
from tron_core.auth.tokens import ACCESS_PREFIX, TokenPair, Verdict, digest, iso, new_secret
from tron_core.auth.users import LOCAL_USERNAME, User
from tron_core.clock import Clock
from tron_core.errors import Conflict, Forbidden, NotFound, Refused, Unauthorized

RevocationListener = Callable[[str], None]
"""Called on the event loop with the client_id of a credential that ended; must not block."""

logger = logging.getLogger(__name__)


class Auth:
    """Users, their credentials and tokens.

    Access tokens live an hour and refresh tokens 30 days by ``clock``. ``on_revoked`` is called with each client_id
    that may no longer be used (a token or credential revoked, a user banned, deleted or given another scope), so that
    its open sessions end. ``audit`` is written by whoever lets an administrator in.
    """

    def __init__(
        self,
        database: DatabaseAccess,
        clock: Clock,
        *,
        on_revoked: RevocationListener | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self.audit = Audit(database, clock)
        self._passwords = passwords or Passwords()
        self._listeners: list[RevocationListener] = [] if on_revoked is None else [on_revoked]
        self._local: dict[bytes, Principal] = {}

    def when_revoked(self, listener: RevocationListener) -> None:
        """Call ``listener`` too with each client_id that may no longer be used."""
        self._listeners.append(listener)

    # Users

    async def create_user(
        self, username: str, password: str, *, email: str | None = None, scope: Scope = Scope.USER
    ) -> User:
        """Make a user; raises Refused (a value that is not allowed), Conflict (the name is taken)."""
        users.check_username(username)
        users.check_email(email)
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        return await self._database.write(lambda c: users.add(c, username, hashed, email, Scope(scope), now))

    async def create_worker_user(self, username: str, password: str, email: str | None = None) -> User:
        """Make a user that may connect workers and nothing else; raises as ``create_user`` does."""
        return await self.create_user(username, password, email=email, scope=Scope.WORKER)

    async def list_users(self) -> list[User]:
        """All users, oldest first."""
        return await self._database.read(users.listed)

    async def get_user(self, username: str) -> User:
        """Raises NotFound."""
        return await self._database.read(lambda c: users.get(c, username))

    async def promote(self, username: str, scope: Scope = Scope.ADMIN) -> User:
        """Give a user another scope (a lower one too); every token of theirs has it at once. Raises NotFound."""
        user = await self._database.write(lambda c: users.set_scope(c, username, Scope(scope)))
        if Scope.WORKER not in scope.granted:
            await self._end_sessions(user)
        return user

    async def ban(self, username: str, reason: str | None = None) -> User:
        """Stop a user's credentials and tokens from working until ``unban``; raises NotFound."""
        now = self._clock.now()
        user = await self._database.write(lambda c: users.set_ban(c, username, now, reason))
        await self._end_sessions(user)
        return user

    async def unban(self, username: str) -> User:
        """Let a user's credentials and tokens work again; raises NotFound."""
        return await self._database.write(lambda c: users.set_ban(c, username, None, None))

    async def grant_channels(self, username: str, channels: Sequence[str]) -> User:
        """Let a user have replies sent to these Discord channels and to no others; raises NotFound."""
        return await self._database.write(lambda c: users.set_channels(c, username, channels))

    async def delete_user(self, username: str) -> None:
        """Delete a user with all credentials and tokens; raises NotFound."""
        self._announce(await self._database.write(lambda c: users.remove(c, username)))

    async def forget(self, username: str) -> None:
        """Erase what is kept about a user here; nothing happens where there is no such user."""
        with suppress(NotFound):
            await self.delete_user(username)

    # Credentials and tokens

    async def create_client_tokens(
        self, username: str, *, plugin: str | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new credential for a user with a first pair of tokens, as the api key block and the token block of
        ``auth.json``. The secrets are shown here and never again; earlier ones stay valid. One for the doors of
        ``plugin`` is a worker's. Raises NotFound, Conflict (banned), Refused (no worker)."""
        now = self._clock.now()

        def create(c: Any) -> tuple[ledger.ApiKey, TokenPair]:
            user = users.get(c, username)
            if user.banned_at is not None:
                raise Conflict(f"The user {username!r} is banned: unban them first", code="banned")
            if plugin is not None and user.scope is not Scope.WORKER:
                raise Refused(f"username: {username!r} is no worker's; make one with `tron create-worker-user`")
            key = ledger.add_credential(c, user, now, plugin=plugin)
            return key, ledger.grant_by_api_key(c, key.client_id, key.api_key, now, plugin=plugin)

        key, pair = await self._database.write(create)
        expires = None if key.expires_at is None else iso(key.expires_at)
        block = {"api_key": key.api_key, "client_id": key.client_id, "user_id": key.user_id, "expires": expires}
        return block, pair.block()

    async def grant_client_credentials(self, client_id: str, api_key: str, *, plugin: str | None = None) -> TokenPair:
        """OAuth 2 ``client_credentials``: a new pair for an api key, at the hub's own door or at that of ``plugin``;
        raises Unauthorized (``invalid_client``)."""
        now = self._clock.now()
        return await self._database.write(lambda c: ledger.grant_by_api_key(c, client_id, api_key, now, plugin=plugin))

    async def grant_password(self, username: str, password: str) -> TokenPair:
        """A first pair for a login: a credential of its own without an api key, so that ending one login ends no
        other. Raises Unauthorized (the same for a wrong name and a wrong password, after the same time), TooMany."""
        user = await self._verify_password(username, password)
        now = self._clock.now()
        return await self._database.write(lambda c: ledger.grant_login(c, user, now))

    async def grant_refresh(self, refresh_token: str) -> TokenPair:
        """OAuth 2 ``refresh_token``: a new pair for a refresh token, which is spent by it. A spent one that comes
        again ends its whole family, but for a repeat within 10 s by a client that lost the answer (see
        ``tokens.judge``). Raises InvalidGrant."""
        now = self._clock.now()
        verdict, pair, client_id = await self._database.write(lambda c: ledger.refresh(c, refresh_token, now))
        if verdict is Verdict.REUSED:
            logger.warning("a spent refresh token of credential %s was used again: its family is revoked", client_id)
            self._announce([client_id])
        if pair is None:
            raise InvalidGrant(f"This refresh token is {_SPENT.get(verdict, verdict)}; use the api key")
        return pair

    async def renew(self, refresh_token: str, *, plugin: str) -> TokenPair:
        """A new access token at a door of ``plugin``. A credential of its own keeps the refresh token, for clients
        that cannot follow a rotation; any other gets a new pair, as ``grant_refresh`` says. Raises InvalidGrant."""
        now = self._clock.now()
        pair = await self._database.write(lambda c: ledger.renew(c, refresh_token, plugin, now))
        return await self.grant_refresh(refresh_token) if pair is None else pair

    async def authenticate(self, access_token: str | None, *, plugin: str | None = None) -> Principal:
        """Who holds an access token, at the hub's own door or at that of ``plugin``; raises Unauthorized where it is
        missing, unknown, expired or revoked, or its user is banned, Forbidden where it is good at other doors."""
        if not access_token:
            raise Unauthorized("An access token is needed", code="token_missing")
        local = self._local.get(digest(access_token))
        if local is not None:
            return local
        now = self._clock.now()
        principal = await self._database.read(lambda c: ledger.principal_of(c, access_token, now))
        if principal.plugin not in (None, plugin):
            raise Forbidden(f"This credential is good at the doors of the plugin {principal.plugin} alone")
        return principal

    def grant_local(self) -> str:
        """An administrator's token for ``run.json``: kept in memory, valid until this hub ends."""
        token = new_secret(ACCESS_PREFIX)
        who = Principal(LOCAL_USERNAME, 0, getpass.getuser(), Scope.ADMIN.granted, frontend="console")
        self._local[digest(token)] = who
        return token

    async def list_tokens(self, username: str | None = None) -> list[TokenView]:
        """Tokens without their secrets, newest first: everybody's, or those of one user."""
        return await self._database.read(lambda c: ledger.listed(c, username))

    async def revoke_token(self, token_id: int) -> None:
        """End a token with what it was refreshed from and to; the credential's open sessions end. Its api key still
        works: ``revoke_credential`` ends that too. Raises NotFound."""
        now = self._clock.now()
        self._announce([await self._database.write(lambda c: ledger.revoke_token(c, token_id, now))])

    async def revoke_credential(self, client_id: str) -> None:
        """End an api key with every token issued from it; its open sessions end. Raises NotFound."""
        now = self._clock.now()
        await self._database.write(lambda c: ledger.revoke_credential(c, client_id, now))
        self._announce([client_id])

    async def _verify_password(self, username: str, password: str) -> User:
        """The user of that name and password; raises Unauthorized (the same for a wrong name and a wrong password,
        after the same time), TooMany."""
        found = await self._database.read(lambda c: users.find_with_hash(c, username))
        stored = found[1] if found else None
        if not await self._passwords.verify(stored, password) or found is None:
            raise Unauthorized("No user has that name with that password", code="wrong_password")
        user, hashed = found
        if user.banned_at is not None:
            raise Unauthorized(f"The user {user.username!r} is banned", code="banned")
        if self._passwords.is_outdated(hashed):
            renewed = await self._passwords.hash(password)
            await self._database.write(lambda c: users.set_password_hash(c, user.id, renewed))
        return user

    async def _end_sessions(self, user: User) -> None:
        self._announce(await self._database.read(lambda c: users.client_ids(c, user.id)))

    def _announce(self, client_ids: Iterable[str]) -> None:
        for client_id in client_ids:
            for listener in self._listeners:
                try:
                    listener(client_id)
                except Exception:
                    logger.exception("a listener for revocations failed on credential %s", client_id)


_SPENT = {Verdict.REUSED: "spent: it was used before", Verdict.REVOKED: "no longer valid"}
