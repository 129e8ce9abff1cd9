from __future__ import annotations

import asyncio
import getpass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tron_core.auth.errors import InvalidGrant
from tron_core.auth.principal import Scope
from tron_core.auth.service import Auth
from tron_core.auth.tokens import ACCESS_SECONDS, REFRESH_SECONDS, TokenPair
from tron_core.errors import Conflict, NotFound, Refused, Unauthorized
from tron_core.storage.tables import credentials, tokens, users


async def client_of(auth: Auth, scope: Scope = Scope.USER, username: str = "alice") -> tuple[str, str]:
    """A user with a credential; returns client_id and api key."""
    await auth.create_user(username, "secret", scope=scope)
    key, _ = await auth.create_client_tokens(username)
    return key["client_id"], key["api_key"]


async def pair_of(auth: Auth, scope: Scope = Scope.USER) -> TokenPair:
    return await auth.grant_client_credentials(*await client_of(auth, scope))


# Users


async def test_a_user_can_be_found_by_name_whatever_its_capitals(auth: Auth) -> None:
    made = await auth.create_user("Alice", "secret", email="alice@example.org")
    assert await auth.get_user("alice") == made
    assert (made.username, made.scope, made.email) == ("Alice", Scope.USER, "alice@example.org")


async def test_a_name_is_taken_whatever_its_capitals(auth: Auth) -> None:
    await auth.create_user("alice", "secret")
    with pytest.raises(Conflict, match="'ALICE' is taken"):
        await auth.create_user("ALICE", "other")


@pytest.mark.parametrize("username", ["", "a b", "x" * 65, "a:b", "local", "Local"])
async def test_a_name_that_cannot_be_a_users_is_refused_with_what_is_allowed(auth: Auth, username: str) -> None:
    with pytest.raises(Refused, match="username"):
        await auth.create_user(username, "secret")


async def test_what_is_no_address_is_refused(auth: Auth) -> None:
    with pytest.raises(Refused, match="email: 'nowhere'"):
        await auth.create_user("alice", "secret", email="nowhere")


async def test_users_are_listed_oldest_first(auth: Auth) -> None:
    for name in ("carol", "alice", "bob"):
        await auth.create_user(name, "secret")
    assert [user.username for user in await auth.list_users()] == ["carol", "alice", "bob"]


async def test_a_password_opens_and_another_does_not(auth: Auth) -> None:
    await auth.create_user("alice", "secret", scope=Scope.ADMIN)
    pair = await auth.grant_password("alice", "secret")
    who = await auth.authenticate(pair.access_token)
    assert (who.username, who.scopes) == ("alice", Scope.ADMIN.granted)
    for name, password in (("alice", "wrong"), ("nobody", "secret")):
        with pytest.raises(Unauthorized, match="No user has that name with that password"):
            await auth.grant_password(name, password)


async def test_ending_one_login_ends_no_other(auth: Auth) -> None:
    await auth.create_user("alice", "secret")
    phone, desk = [await auth.grant_password("alice", "secret") for _ in range(2)]
    await auth.revoke_credential(phone.client_id)
    with pytest.raises(Unauthorized):
        await auth.authenticate(phone.access_token)
    assert (await auth.authenticate(desk.access_token)).username == "alice"


async def test_a_login_that_can_no_longer_be_refreshed_leaves_no_row(auth: Auth, clock: Any, database: Any) -> None:
    client_id, _ = await client_of(auth)
    await auth.create_user("bob", "secret")
    old = await auth.grant_password("bob", "secret")
    clock.advance(REFRESH_SECONDS + 1)
    new = await auth.grant_password("bob", "secret")
    rows = await database.read(lambda c: c.execute(select(credentials.c.client_id)).scalars().all())
    assert set(rows) == {client_id, new.client_id}
    assert old.client_id not in rows


async def test_a_banned_user_cannot_sign_in_until_unbanned(auth: Auth) -> None:
    await auth.create_user("alice", "secret")
    banned = await auth.ban("alice", "spam")
    assert (banned.banned_at, banned.ban_reason) == (1_800_000_000.0, "spam")
    with pytest.raises(Unauthorized, match="banned"):
        await auth.grant_password("alice", "secret")
    assert (await auth.unban("alice")).banned_at is None
    await auth.grant_password("alice", "secret")


async def test_what_names_nobody_says_so(auth: Auth) -> None:
    for call in (auth.get_user, auth.promote, auth.ban, auth.unban, auth.delete_user, auth.create_client_tokens):
        with pytest.raises(NotFound, match="'nobody'"):
            await call("nobody")
    await auth.forget("nobody")


async def test_a_deleted_user_leaves_no_row(auth: Auth, database: Any, revoked: Any) -> None:
    client_id, _ = await client_of(auth)
    await auth.delete_user("alice")
    for table in (users, credentials, tokens):
        assert await database.read(lambda c, table=table: c.execute(select(table)).first()) is None
    assert revoked.client_ids == [client_id]


# Credentials


async def test_the_two_blocks_are_those_of_the_original(auth: Auth) -> None:
    user = await auth.create_worker_user("box", "secret", "box@example.org")
    key, token = await auth.create_client_tokens("box")
    assert set(key) == {"api_key", "client_id", "user_id", "expires"}
    assert (key["user_id"], key["expires"]) == (user.id, None)
    assert token["client_id"] == key["client_id"]
    assert (token["user_id"], token["scopes"], token["expires_in"]) == (user.id, ["worker"], 3600)
    assert datetime.fromisoformat(token["issued_at"]).utcoffset() is not None


async def test_a_second_call_issues_another_pair_and_the_first_stays(auth: Auth) -> None:
    await auth.create_user("alice", "secret")
    first_key, first = await auth.create_client_tokens("alice")
    second_key, second = await auth.create_client_tokens("alice")
    assert first_key["client_id"] != second_key["client_id"]
    assert (await auth.authenticate(first["access_token"])).client_id == first_key["client_id"]
    assert (await auth.authenticate(second["access_token"])).client_id == second_key["client_id"]


async def test_a_banned_user_gets_no_credential(auth: Auth) -> None:
    await auth.create_user("alice", "secret")
    await auth.ban("alice")
    with pytest.raises(Conflict, match="unban"):
        await auth.create_client_tokens("alice")


async def test_no_secret_is_stored(auth: Auth, database: Any) -> None:
    client_id, api_key = await client_of(auth)
    pair = await auth.grant_client_credentials(client_id, api_key)
    rows = await database.read(lambda c: [*c.execute(select(credentials)), *c.execute(select(tokens))])
    assert not any(secret in str(rows) for secret in (api_key, pair.access_token, pair.refresh_token))


async def test_an_api_key_that_is_wrong_unknown_or_anothers_grants_nothing(auth: Auth) -> None:
    client_id, api_key = await client_of(auth)
    other_id, _ = await client_of(auth, username="bob")
    for wrong in ((client_id, "trk_wrong"), ("unknown", api_key), (other_id, api_key), ("", "")):
        with pytest.raises(Unauthorized) as caught:
            await auth.grant_client_credentials(*wrong)
        assert caught.value.code == "invalid_client"


async def test_a_revoked_credential_ends_with_all_its_tokens(auth: Auth, revoked: Any) -> None:
    client_id, api_key = await client_of(auth)
    pair = await auth.grant_client_credentials(client_id, api_key)
    await auth.revoke_credential(client_id)
    assert revoked.client_ids == [client_id]
    with pytest.raises(Unauthorized):
        await auth.authenticate(pair.access_token)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(pair.refresh_token)
    with pytest.raises(Unauthorized):
        await auth.grant_client_credentials(client_id, api_key)
    with pytest.raises(NotFound):
        await auth.revoke_credential("unknown")


# Access tokens


async def test_a_token_speaks_for_its_user(auth: Auth) -> None:
    pair = await pair_of(auth)
    principal = await auth.authenticate(pair.access_token)
    assert (principal.username, principal.client_id) == ("alice", pair.client_id)
    assert principal.requester == "api:alice"
    assert principal.scopes == {Scope.USER}


async def test_an_access_token_lives_for_an_hour(auth: Auth, clock: Any) -> None:
    pair = await pair_of(auth)
    clock.advance(ACCESS_SECONDS - 1)
    await auth.authenticate(pair.access_token)
    clock.advance(1)
    with pytest.raises(Unauthorized) as caught:
        await auth.authenticate(pair.access_token)
    assert caught.value.code == "token_expired"


async def test_no_token_and_what_is_none_are_unauthorized(auth: Auth) -> None:
    pair = await pair_of(auth)
    for token in (None, "", "unknown", pair.refresh_token, pair.access_token + "x", "\ud800"):
        with pytest.raises(Unauthorized):
            await auth.authenticate(token)


async def test_a_ban_stops_tokens_and_keys_until_it_ends(auth: Auth, revoked: Any) -> None:
    client_id, api_key = await client_of(auth)
    pair = await auth.grant_client_credentials(client_id, api_key)
    await auth.ban("alice")
    assert revoked.client_ids == [client_id]
    with pytest.raises(Unauthorized, match="banned"):
        await auth.authenticate(pair.access_token)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(pair.refresh_token)
    with pytest.raises(Unauthorized):
        await auth.grant_client_credentials(client_id, api_key)
    await auth.unban("alice")
    await auth.authenticate(pair.access_token)


async def test_a_promoted_user_is_an_admin_with_every_token(auth: Auth) -> None:
    pair = await pair_of(auth)
    await auth.promote("alice")
    assert (await auth.authenticate(pair.access_token)).is_admin
    assert (await auth.grant_refresh(pair.refresh_token)).scopes == {Scope.ADMIN, Scope.USER}
    await auth.promote("alice", Scope.USER)
    assert not (await auth.authenticate(pair.access_token)).is_admin


async def test_a_revoked_token_ends_with_its_family_and_the_key_stays(auth: Auth, revoked: Any) -> None:
    client_id, api_key = await client_of(auth)
    first = await auth.grant_client_credentials(client_id, api_key)
    second = await auth.grant_refresh(first.refresh_token)
    await auth.revoke_token(first.id)
    assert revoked.client_ids == [client_id]
    for pair in (first, second):
        with pytest.raises(Unauthorized):
            await auth.authenticate(pair.access_token)
        with pytest.raises(InvalidGrant):
            await auth.grant_refresh(pair.refresh_token)
    await auth.authenticate((await auth.grant_client_credentials(client_id, api_key)).access_token)
    with pytest.raises(NotFound, match="no token 999"):
        await auth.revoke_token(999)


async def test_tokens_are_listed_newest_first_without_their_secrets(auth: Auth) -> None:
    pair = await pair_of(auth)
    await client_of(auth, Scope.WORKER, "box")
    everybody = await auth.list_tokens()
    assert [view.username for view in everybody] == ["box", "alice", "alice"]
    assert (await auth.list_tokens("alice"))[0].id == pair.id
    assert pair.access_token not in str(everybody)


async def test_the_local_administrators_token_needs_no_database(auth: Auth, clock: Any) -> None:
    token = auth.grant_local()
    clock.advance(10 * REFRESH_SECONDS)
    principal = await auth.authenticate(token)
    assert principal.is_admin
    assert principal.requester == f"console:{getpass.getuser()}"


async def test_a_listener_that_fails_does_not_keep_the_next_from_hearing(auth: Auth, revoked: Any) -> None:
    client_id, _ = await client_of(auth)
    heard: list[str] = []

    def fails(client_id: str) -> None:
        raise RuntimeError(client_id)

    auth.when_revoked(fails)
    auth.when_revoked(heard.append)
    await auth.revoke_credential(client_id)
    assert heard == revoked.client_ids == [client_id]


# Refreshing


async def test_a_refresh_token_rotates(auth: Auth, clock: Any) -> None:
    first = await pair_of(auth)
    clock.advance(ACCESS_SECONDS)
    second = await auth.grant_refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.client_id == first.client_id
    await auth.authenticate(second.access_token)


async def test_the_access_token_before_a_refresh_lives_out_its_hour(auth: Auth) -> None:
    first = await pair_of(auth)
    await auth.grant_refresh(first.refresh_token)
    await auth.authenticate(first.access_token)


async def test_a_refresh_token_expires_after_thirty_days(auth: Auth, clock: Any) -> None:
    first = await pair_of(auth)
    clock.advance(REFRESH_SECONDS)
    with pytest.raises(InvalidGrant, match="expired"):
        await auth.grant_refresh(first.refresh_token)


async def test_a_spent_refresh_token_ends_the_family(auth: Auth, clock: Any, revoked: Any) -> None:
    first = await pair_of(auth)
    second = await auth.grant_refresh(first.refresh_token)
    clock.advance(11)
    with pytest.raises(InvalidGrant, match="used before"):
        await auth.grant_refresh(first.refresh_token)
    assert revoked.client_ids == [first.client_id]
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(second.refresh_token)
    with pytest.raises(Unauthorized):
        await auth.authenticate(second.access_token)


async def test_a_client_that_lost_the_answer_may_ask_again_for_ten_seconds(auth: Auth, clock: Any) -> None:
    first = await pair_of(auth)
    await auth.grant_refresh(first.refresh_token)
    clock.advance(10)
    again = await auth.grant_refresh(first.refresh_token)
    clock.advance(3600)
    await auth.grant_refresh(again.refresh_token)


async def test_a_repeat_after_the_answer_was_used_is_theft(auth: Auth, clock: Any) -> None:
    first = await pair_of(auth)
    second = await auth.grant_refresh(first.refresh_token)
    third = await auth.grant_refresh(second.refresh_token)
    clock.advance(1)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(first.refresh_token)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(third.refresh_token)


async def test_a_family_that_ended_leaves_the_credentials_other_families_alone(auth: Auth, clock: Any) -> None:
    client = await client_of(auth)
    first, other = [await auth.grant_client_credentials(*client) for _ in range(2)]
    await auth.grant_refresh(first.refresh_token)
    clock.advance(11)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(first.refresh_token)
    await auth.grant_refresh(other.refresh_token)


async def test_two_refreshes_at_once_both_get_an_answer(auth: Auth) -> None:
    first = await pair_of(auth)
    answers = await asyncio.gather(*(auth.grant_refresh(first.refresh_token) for _ in range(2)))
    assert len({pair.refresh_token for pair in answers}) == 2


async def test_what_can_never_be_used_again_is_swept_out(auth: Auth, clock: Any) -> None:
    client = await client_of(auth)
    await auth.grant_client_credentials(*client)
    clock.advance(REFRESH_SECONDS)
    pair = await auth.grant_client_credentials(*client)
    assert [view.id for view in await auth.list_tokens()] == [pair.id]
