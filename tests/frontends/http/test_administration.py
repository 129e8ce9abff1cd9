"""What administrators do: users, tokens, workers, plugins, settings; and that nobody else does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tron_core.auth.principal import Scope
from tron_core.plugins import PluginState
from tron_core.services import Services

Client = httpx.AsyncClient

GUILD = "123456789012345678"
CALLS = [
    ("GET", "/users"),
    ("POST", "/users"),
    ("PATCH", "/users/alice"),
    ("DELETE", "/users/alice"),
    ("POST", "/users/bob/forget"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("DELETE", "/tokens/1"),
    ("GET", "/workers"),
    ("POST", "/workers/hub/drain"),
    ("GET", "/plugins"),
    ("PUT", "/plugins/test/state"),
    ("GET", "/guilds"),
    ("GET", f"/guilds/{GUILD}/rules"),
    ("PUT", f"/guilds/{GUILD}/rules/results"),
    ("DELETE", f"/guilds/{GUILD}/rules/results"),
    ("PUT", f"/guilds/{GUILD}/bans/{GUILD}"),
    ("DELETE", f"/guilds/{GUILD}/bans/{GUILD}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_administration_is_for_administrators(alice: Client, nobody: Client, method: str, path: str) -> None:
    refused = await alice.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await nobody.request(method, f"/api/v1{path}")).status_code == 401


async def test_a_worker_s_token_asks_for_nothing(nobody: Client, sign_up: Any) -> None:
    worker = await sign_up("gpu-box", Scope.WORKER)
    assert (await nobody.get("/api/v1/jobs", headers=worker.headers)).status_code == 403


async def test_a_user_is_made_changed_and_deleted(admin: Client) -> None:
    body = {"username": "dora", "password": "a long password", "email": "dora@example.org"}
    made = await admin.post("/users", json=body)
    assert made.status_code == 201
    assert "password" not in made.text
    assert made.json()["scope"] == "user"
    assert (await admin.post("/users", json=body)).json()["code"] == "username_taken"
    promoted = await admin.patch("/users/dora", json={"scope": "admin"})
    assert promoted.json()["scope"] == "admin"
    banned = (await admin.patch("/users/dora", json={"banned": True, "ban_reason": "spam"})).json()
    assert (banned["banned_at"] is not None, banned["ban_reason"]) == (True, "spam")
    assert (await admin.patch("/users/dora", json={"banned": False})).json()["banned_at"] is None
    assert [user["username"] for user in (await admin.get("/users")).json()["items"]] == ["root", "dora"]
    assert (await admin.delete("/users/dora")).status_code == 204
    assert (await admin.patch("/users/dora", json={})).status_code == 404


@pytest.mark.parametrize(
    "body", [{"username": "x y", "password": "a long password"}, {"username": "x", "password": "p", "scope": "root"}]
)
async def test_a_user_that_cannot_be_is_refused(admin: Client, body: dict[str, str]) -> None:
    assert (await admin.post("/users", json=body)).status_code == 422


async def test_tokens_are_made_listed_and_revoked(admin: Client, alice: Client, nobody: Client) -> None:
    made = (await admin.post("/tokens", json={"username": "alice"})).json()
    assert set(made["api_key"]) == {"api_key", "client_id", "user_id", "expires"}
    headers = {"Authorization": f"Bearer {made['token']['access_token']}"}
    assert (await nobody.get("/api/v1/jobs", headers=headers)).status_code == 200
    listed = await admin.get("/tokens?username=alice")
    assert len(listed.json()["items"]) == 2
    assert made["token"]["access_token"] not in listed.text
    assert (await admin.delete(f"/tokens/{made['token']['id']}")).status_code == 204
    assert (await nobody.get("/api/v1/jobs", headers=headers)).status_code == 401
    assert (await admin.delete(f"/tokens/{made['api_key']['client_id']}")).status_code == 204
    assert (await admin.delete("/tokens/99999")).status_code == 404
    assert (await admin.delete("/tokens/nobody")).status_code == 404


async def test_workers_are_shown_and_drained(admin: Client) -> None:
    (worker,) = (await admin.get("/workers")).json()["items"]
    assert (worker["name"], worker["state"]) == ("hub", "idle")
    assert {"echo", "held"} <= worker["capabilities"].keys()
    assert (await admin.post("/workers/hub/drain")).json()["state"] == "draining"
    assert (await admin.post("/workers/hub/drain", json={"draining": False})).json()["state"] == "idle"
    assert (await admin.post("/workers/nobody/drain")).status_code == 404


async def test_plugins_are_listed(admin: Client) -> None:
    (record,) = (await admin.get("/plugins")).json()["items"]
    assert (record["name"], record["state"], record["reason"]) == ("test", "active", None)
    assert record["distribution"] == "tron-plugin-test"
    assert record["capabilities"] == ["echo", "held", "afar"]


async def test_a_plugin_is_disabled_in_the_configuration(admin: Client, services: Services, shelf: Any) -> None:
    shelf.install("parrot", "")
    services.config_file.write_text("# mine\n[http]\nport = 0\n", encoding="utf-8")
    answer = await admin.put("/plugins/parrot/state", json={"state": "disabled"})
    assert answer.json() == {"name": "parrot", "state": "disabled", "restart_required": True}
    text = services.config_file.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "parrot" in text
    assert (await admin.put("/plugins/parrot/state", json={"state": "active"})).status_code == 200
    assert "parrot" not in services.config_file.read_text(encoding="utf-8")
    assert (await admin.put("/plugins/parrot/state", json={"state": "failed"})).status_code == 422
    assert (await admin.put("/plugins/nobody/state", json={"state": "active"})).status_code == 404


async def test_an_administrator_ends_a_quarantine(admin: Client, services: Services, shelf: Any) -> None:
    shelf.install("test", "")
    (record,) = services.plugins.records
    record.state, record.reason = PluginState.QUARANTINED, "raised 5 times in a row"
    answer = await admin.put("/plugins/test/state", json={"state": "active"})
    assert answer.json() == {"name": "test", "state": "active", "restart_required": False}
    (shown,) = (await admin.get("/plugins")).json()["items"]
    assert (shown["state"], shown["reason"]) == ("active", None)


async def test_a_saved_setting_is_the_default_of_later_jobs(alice: Client, bob: Client) -> None:
    saved = await alice.put("/settings", json={"key": "echo.times", "value": 3})
    assert (saved.json()["owner"], saved.json()["value"], saved.json()["plugin"]) == ("api:alice", 3, "test")
    job = {"capability": "echo", "params": {"text": "x"}}
    assert (await alice.post("/jobs", json=job)).json()["params"]["times"] == 3
    assert (await bob.post("/jobs", json=job)).json()["params"]["times"] == 1
    assert [each["key"] for each in (await alice.get("/settings")).json()["items"]] == ["echo.times"]
    assert (await alice.delete("/settings?key=echo.times")).status_code == 204
    assert (await alice.delete("/settings?key=echo.times")).status_code == 404
    assert (await alice.get("/settings")).json()["items"] == []


@pytest.mark.parametrize(
    ("key", "value", "status", "code"),
    [
        ("echo.times", 9, 422, "invalid_params"),
        ("echo.times", "3", 422, "invalid_params"),
        ("echo.mood", "sad", 422, "invalid_params"),
        ("echo.volume", 3, 404, "unknown_setting"),
        ("echo.text", "x", 404, "unknown_setting"),
    ],
)
async def test_a_setting_that_no_field_takes_is_refused(
    alice: Client, key: str, value: object, status: int, code: str
) -> None:
    answer = await alice.put("/settings", json={"key": key, "value": value})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_other_people_s_settings_are_an_administrator_s_business(alice: Client, admin: Client) -> None:
    body = {"key": "echo.times", "value": 2, "owner": "guild:77"}
    assert (await alice.put("/settings", json=body)).status_code == 403
    assert (await alice.get("/settings?owner=api:bob")).status_code == 403
    assert (await alice.get("/settings?owner=api:alice")).status_code == 200
    assert (await admin.put("/settings", json=body)).status_code == 200
    assert len((await admin.get("/settings?owner=guild:77")).json()["items"]) == 1
    assert (await admin.delete("/settings?owner=guild:77")).status_code == 204
