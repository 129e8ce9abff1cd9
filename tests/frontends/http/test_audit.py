"""What administrators did over REST can be read afterwards; what people do for themselves is not written down."""

from __future__ import annotations

from typing import Any

import httpx

from tron_core.services import Services

Client = httpx.AsyncClient


async def entries(admin: Client, **params: Any) -> list[tuple[str, str, str]]:
    answer = await admin.get("/audit", params=params)
    assert answer.status_code == 200, answer.text
    return [(each["actor"], each["action"], each["target"]) for each in answer.json()["items"]]


async def test_every_change_is_an_entry_newest_first(admin: Client, services: Services) -> None:
    await admin.post("/users", json={"username": "dora", "password": "a long password"})
    await admin.patch("/users/dora", json={"scope": "worker", "banned": True, "ban_reason": "spam"})
    await admin.patch("/users/dora", json={"banned": False})
    made = (await admin.post("/tokens", json={"username": "dora"})).json()
    client_id = made["api_key"]["client_id"]
    token_id = (await admin.get("/tokens", params={"username": "dora"})).json()["items"][0]["id"]
    await admin.delete(f"/tokens/{token_id}")
    await admin.delete(f"/tokens/{client_id}")
    await admin.put("/settings", json={"owner": "guild:7", "key": "echo.times", "value": 3})
    await admin.delete("/settings", params={"owner": "guild:7", "key": "echo.times"})
    await admin.delete("/users/dora")
    assert await entries(admin) == [
        ("api:root", "user.deleted", "dora"),
        ("api:root", "setting.changed", "guild:7"),
        ("api:root", "setting.changed", "guild:7"),
        ("api:root", "credential.revoked", client_id),
        ("api:root", "token.revoked", str(token_id)),
        ("api:root", "credential.created", "dora"),
        ("api:root", "user.changed", "dora"),
        ("api:root", "user.changed", "dora"),
        ("api:root", "user.created", "dora"),
    ]
    listed = await admin.get("/audit")
    assert made["api_key"]["api_key"] not in listed.text
    assert "a long password" not in listed.text
    assert listed.json()["items"][7]["detail"] == {"scope": "worker", "banned": True, "ban_reason": "spam"}


async def test_what_was_refused_is_no_entry(admin: Client) -> None:
    assert (await admin.delete("/users/nobody")).status_code == 404
    assert (await admin.post("/workers/nobody/drain")).status_code == 404
    assert await entries(admin) == []


async def test_of_jobs_and_settings_only_those_of_others_are_entries(admin: Client, alice: Client) -> None:
    own = (await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})).json()["id"]
    await alice.delete(f"/jobs/{own}")
    await alice.put("/settings", json={"key": "echo.times", "value": 3})
    hers = (await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})).json()["id"]
    await admin.delete(f"/jobs/{hers}")
    assert await entries(admin) == [("api:root", "job.cancelled", hers)]


async def test_pages_and_actors_choose(admin: Client) -> None:
    for name in ("a", "b", "c"):
        await admin.post("/users", json={"username": name, "password": "a long password"})
    first = (await admin.get("/audit", params={"limit": 2})).json()
    assert [each["target"] for each in first["items"]] == ["c", "b"]
    rest = (await admin.get("/audit", params={"limit": 2, "cursor": first["next"]})).json()
    assert ([each["target"] for each in rest["items"]], rest["next"]) == (["a"], None)
    assert await entries(admin, actor="api:somebody") == []


async def test_the_log_is_for_administrators(alice: Client) -> None:
    assert (await alice.get("/audit")).status_code == 403


async def test_whoever_is_forgotten_is_no_longer_named(admin: Client) -> None:
    await admin.post("/users", json={"username": "dora", "password": "a long password"})
    await admin.patch("/users/dora", json={"banned": True, "ban_reason": "what dora did"})
    await admin.post("/users/dora/forget")
    listed = await admin.get("/audit")
    assert "dora" not in listed.text
    assert await entries(admin) == [
        ("api:root", "user.forgotten", "forgotten"),
        ("api:root", "user.changed", "forgotten"),
        ("api:root", "user.created", "forgotten"),
    ]
