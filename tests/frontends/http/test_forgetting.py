"""Erasing a person: everything of theirs, nothing of others, and what plugins could not."""

from __future__ import annotations

from typing import Any

import httpx

from tron_core.hooks import hookimpl
from tron_core.services import Services

Client = httpx.AsyncClient


class Remembering:
    """A plugin that keeps something about people; its first try to erase it fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @hookimpl
    async def tron_forget_requester(self, requester: str) -> None:
        self.asked.append(requester)
        if len(self.asked) == 1:
            raise RuntimeError("the disk is full")


async def test_a_person_is_erased_with_jobs_files_and_settings(
    admin: Client, alice: Client, bob: Client, nobody: Client
) -> None:
    done = {"Prefer": "wait=20"}
    job = (await alice.post("/jobs", json={"capability": "echo", "params": {"text": "hi"}}, headers=done)).json()
    other = (await bob.post("/jobs", json={"capability": "echo", "params": {"text": "hi"}}, headers=done)).json()
    await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "waits"}})
    uploaded = (await alice.post("/uploads", content=b"secret", headers={"X-Filename": "a.txt"})).json()
    await alice.put("/settings", json={"key": "echo.times", "value": 3})
    erased = (await admin.post("/users/alice/forget")).json()
    assert erased == {"requester": "api:alice", "jobs": 2, "artifacts": 2, "failed": {}}
    assert (await alice.get("/jobs")).status_code == 401
    assert (await admin.get(f"/jobs/{job['id']}")).status_code == 404
    assert (await admin.get("/jobs?requester=api:alice")).json()["items"] == []
    for url in (uploaded["url"], job["artifacts"][0]["url"]):
        assert (await nobody.get(url)).status_code == 404
    assert (await bob.get(f"/jobs/{other['id']}")).status_code == 200
    assert (await admin.post("/users/alice/forget")).json()["jobs"] == 0


async def test_what_a_plugin_could_not_erase_is_said_and_may_be_tried_again(admin: Client, services: Services) -> None:
    plugin = Remembering()
    services.plugins.register("remembering", plugin)
    erased: Any = (await admin.post("/users/discord:12/forget")).json()
    assert erased["requester"] == "discord:12"
    assert "the disk is full" in erased["failed"]["remembering"]
    assert (await admin.post("/users/discord:12/forget")).json()["failed"] == {}
    assert plugin.asked == ["discord:12", "discord:12"]


async def test_a_person_erases_themselves_and_nobody_else(admin: Client, alice: Client, bob: Client) -> None:
    assert (await alice.post("/users/bob/forget")).status_code == 403
    assert (await alice.post("/users/alice/forget")).json()["requester"] == "api:alice"
    assert (await alice.get("/jobs")).status_code == 401
    (entry,) = (await admin.get("/audit")).json()["items"]
    assert (entry["actor"], entry["action"], entry["target"]) == ("forgotten", "user.forgotten", "forgotten")
    assert (await bob.get("/jobs")).status_code == 200
