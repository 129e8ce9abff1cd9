"""Credentials that are good at the doors of one plugin, and keep their refresh token there."""

from __future__ import annotations

from typing import Any

import pytest

from tron_core.auth.errors import InvalidGrant
from tron_core.auth.principal import Scope
from tron_core.auth.service import Auth
from tron_core.auth.tokens import REFRESH_SECONDS
from tron_core.errors import Forbidden, Refused, Unauthorized

DOOR = "paper"


async def blocks(auth: Auth, plugin: str | None = DOOR) -> tuple[dict[str, Any], dict[str, Any]]:
    await auth.create_user("box", "a long password", scope=Scope.WORKER)
    return await auth.create_client_tokens("box", plugin=plugin)


async def test_a_token_is_good_at_the_doors_of_its_plugin_alone(auth: Auth) -> None:
    _, token = await blocks(auth)
    assert (await auth.authenticate(token["access_token"], plugin=DOOR)).username == "box"
    for elsewhere in (None, "pencil"):
        with pytest.raises(Forbidden, match="the doors of the plugin paper alone"):
            await auth.authenticate(token["access_token"], plugin=elsewhere)


async def test_its_api_key_gets_tokens_at_no_other_door(auth: Auth) -> None:
    key, _ = await blocks(auth)
    client = (key["client_id"], key["api_key"])
    assert (await auth.grant_client_credentials(*client, plugin=DOOR)).client_id == key["client_id"]
    for elsewhere in (None, "pencil"):
        with pytest.raises(Unauthorized):
            await auth.grant_client_credentials(*client, plugin=elsewhere)


async def test_its_refresh_token_stays_and_lives_on_with_each_use(auth: Auth, clock: Any) -> None:
    _, token = await blocks(auth)
    for _ in range(3):
        clock.advance(REFRESH_SECONDS - 60)
        pair = await auth.renew(token["refresh_token"], plugin=DOOR)
        assert pair.refresh_token == token["refresh_token"]
        await auth.authenticate(pair.access_token, plugin=DOOR)
    clock.advance(REFRESH_SECONDS)
    with pytest.raises(InvalidGrant):
        await auth.renew(token["refresh_token"], plugin=DOOR)


async def test_a_new_access_token_leaves_the_one_before_it_valid(auth: Auth) -> None:
    _, token = await blocks(auth)
    await auth.renew(token["refresh_token"], plugin=DOOR)
    await auth.authenticate(token["access_token"], plugin=DOOR)


async def test_its_refresh_token_is_no_good_at_another_door(auth: Auth) -> None:
    _, token = await blocks(auth)
    with pytest.raises(InvalidGrant):
        await auth.grant_refresh(token["refresh_token"])
    with pytest.raises(InvalidGrant):
        await auth.renew(token["refresh_token"], plugin="pencil")
    await auth.renew(token["refresh_token"], plugin=DOOR)


async def test_what_is_revoked_is_renewed_no_more(auth: Auth, revoked: Any) -> None:
    key, token = await blocks(auth)
    await auth.revoke_credential(key["client_id"])
    assert revoked.client_ids == [key["client_id"]]
    with pytest.raises(InvalidGrant):
        await auth.renew(token["refresh_token"], plugin=DOOR)
    with pytest.raises(Unauthorized):
        await auth.authenticate(token["access_token"], plugin=DOOR)


async def test_the_hubs_own_credentials_rotate_at_every_door(auth: Auth) -> None:
    _, token = await blocks(auth, plugin=None)
    pair = await auth.renew(token["refresh_token"], plugin=DOOR)
    assert pair.refresh_token != token["refresh_token"]
    assert (await auth.authenticate(pair.access_token, plugin=DOOR)).plugin is None


async def test_only_a_worker_gets_one(auth: Auth) -> None:
    await auth.create_user("ann", "a long password")
    with pytest.raises(Refused, match="create-worker-user"):
        await auth.create_client_tokens("ann", plugin=DOOR)
