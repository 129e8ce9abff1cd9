"""Workers of the original go on with the files that they have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest
from original_hub import ON_BOTH, OriginalHub
from reports import item

from tron_core.auth.principal import Principal, Scope
from tron_core.auth.service import Auth
from tron_core.auth.tokens import TokenPair
from tron_core.clock import SystemClock
from tron_core.errors import Forbidden, Unauthorized
from tron_core.storage.database import Database

T = TypeVar("T")
DAY = 24 * 3600.0


class LaterClock(SystemClock):
    def __init__(self, seconds: float) -> None:
        self._ahead = seconds

    def now(self) -> float:
        return super().now() + self._ahead


def with_auth(hub: Any, work: Callable[[Auth], Awaitable[T]], *, later: float = 0.0) -> T:
    """What ``work`` returns, on the hub's database."""

    async def run() -> T:
        database = Database("sqlite:///tron.db", folder=hub.folder)
        await database.start()
        try:
            return await work(Auth(database, LaterClock(later)))
        finally:
            await database.stop()

    return asyncio.run(run())


def holder(hub: Any, access_token: str, **later: float) -> Principal:
    return with_auth(hub, lambda auth: auth.authenticate(access_token, plugin="legacy"), **later)


def authorized(hub: Any, client_id: str, api_key: str) -> TokenPair:
    return with_auth(hub, lambda auth: auth.grant_client_credentials(client_id, api_key, plugin="legacy"))


@ON_BOTH
def test_an_api_key_and_both_tokens_go_on_working(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    report = hub.take(original)
    assert item(report, "table", "api_key") == {"plugin": "legacy", "taken": 1, "why": []}
    pair = authorized(hub, "client-1", "key-1")
    assert holder(hub, pair.access_token).username == "gpu-1"
    principal = holder(hub, "access-1")
    assert (principal.username, principal.client_id, principal.scopes) == (
        "gpu-1",
        "client-1",
        frozenset({Scope.WORKER}),
    )
    renewed = with_auth(hub, lambda auth: auth.renew("refresh-1", plugin="legacy"))
    assert renewed.refresh_token == "refresh-1"


def test_a_credential_of_the_original_is_good_at_the_old_doors_alone(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    hub.take(original)
    with pytest.raises(Forbidden):
        with_auth(hub, lambda auth: auth.authenticate("access-1"))
    with pytest.raises(Unauthorized):
        with_auth(hub, lambda auth: auth.grant_client_credentials("client-1", "key-1"))


def test_an_access_token_that_would_never_end_ends_after_a_day(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    report = hub.take(original)
    tokens = item(report, "table", "o_auth_token")
    assert (tokens["mapped"], tokens["why"]) == (
        1,
        ["the access token, which would never end, ends 24 hours after the import"],
    )
    assert holder(hub, "access-1", later=DAY - 60).username == "gpu-1"
    with pytest.raises(Unauthorized, match="expired"):
        holder(hub, "access-1", later=DAY + 1)


def test_no_secret_is_stored_or_reported(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    result = hub.run_import(original, "--json")
    stored = repr(hub.everything())
    for secret in ("key-1", "access-1", "refresh-1", "$2b$", "sssss"):
        assert secret not in result.output
        assert secret not in stored


def test_passwords_are_left_with_the_reason(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    passwords = item(hub.take(original), "table", "user.password")
    assert passwords["left"] == 1
    assert "bcrypt" in passwords["why"][0]


@ON_BOTH
def test_a_name_that_no_user_may_have_is_changed(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu of ann", email="no address")
    original.add_worker(2, "local")
    original.add_worker(3, "x" * 80)
    report = hub.take(original)
    assert item(report, "table", "user")["mapped"] == 3
    assert [name for (name,) in hub.rows("SELECT username FROM users ORDER BY id")] == [
        "gpu-of-ann-1",
        "local-2",
        "x" * 62 + "-3",
    ]
    assert hub.rows("SELECT email FROM users ORDER BY id")[0] == (None,)
    assert authorized(hub, "client-3", "key-3").client_id == "client-3"


def test_a_worker_never_gets_a_persons_account(original: OriginalHub, hub: Any) -> None:
    assert (
        hub.tron("users", "create", "--username", "Ann", "--password", "long enough", "--scope", "admin").exit_code == 0
    )
    original.add_worker(1, "ann")
    users = item(hub.take(original), "table", "user")
    assert users["mapped"] == 1
    assert "under the name ann-worker" in users["why"][0]
    assert holder(hub, "access-1").username == "ann-worker"
    assert hub.take(original)["taken"] == 0


def test_of_a_clients_api_keys_the_newest_is_taken(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1")
    original.add("api_key", {"id": 9, "api_key": "key-9", "client_id": "client-1", "user_id": 1})
    keys = item(hub.take(original), "table", "api_key")
    assert (keys["taken"], keys["left"]) == (1, 1)
    assert authorized(hub, "client-1", "key-9").client_id == "client-1"
    with pytest.raises(Unauthorized):
        authorized(hub, "client-1", "key-1")


@ON_BOTH
def test_a_key_that_has_expired_is_left_with_what_hangs_on_it(original: OriginalHub, hub: Any) -> None:
    original.add_worker(1, "gpu-1", expires=datetime.fromisoformat("2024-01-01"))
    original.add_worker(2, "gpu-2", expires=datetime.fromisoformat("2999-01-01"))
    report = hub.take(original)
    assert item(report, "table", "api_key")["left"] == 1
    assert item(report, "table", "oauth_client")["why"][0].startswith("no api key of it was taken")
    assert item(report, "table", "o_auth_token")["left"] == 1
    with pytest.raises(Unauthorized):
        holder(hub, "access-1")
    assert holder(hub, "access-2").username == "gpu-2"


def test_a_key_without_a_user_is_left(original: OriginalHub, hub: Any) -> None:
    original.add("oauth_client", {"id": 1, "client_id": "client-1", "client_secret": "s"})
    original.add("api_key", {"id": 1, "api_key": "key-1", "client_id": "client-1"})
    report = hub.take(original)
    assert item(report, "table", "api_key")["why"] == ["it belongs to no user that was taken"]
