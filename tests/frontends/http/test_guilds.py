"""The rules of guilds over REST, the queue, and what one asked for so far."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tron_core.hooks import hookimpl
from tron_core.services import Services

Client = httpx.AsyncClient

GUILD, MEMBER, OTHER = "123456789012345678", "223456789012345678", "323456789012345678"
RULES = f"/guilds/{GUILD}/rules"


async def rules_of(admin: Client) -> dict[str, Any]:
    """The rules that the guild has set."""
    found = (await admin.get(RULES)).json()["items"]
    return {each["rule"]: each["value"] for each in found if each["value"] is not None}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("allowed_channels", [MEMBER, OTHER]),
        ("banned_roles", [MEMBER]),
        ("banned_models", ["big"]),
        ("banned_capabilities", ["echo"]),
        ("maxima", {"echo.times": 3, "steps": 30.5}),
        ("max_queued", 2),
        ("results", "thread"),
        ("spoilers", False),
    ],
)
async def test_a_rule_is_set_shown_and_removed(admin: Client, rule: str, value: Any) -> None:
    answer = await admin.put(f"{RULES}/{rule}", json={"value": value})
    assert (answer.status_code, answer.json()["value"]) == (200, value)
    assert await rules_of(admin) == {rule: value}
    assert (await admin.get("/guilds")).json()["items"] == [{"id": GUILD, "rules": {rule: value}}]
    assert (await admin.delete(f"{RULES}/{rule}")).status_code == 204
    assert await rules_of(admin) == {}
    assert (await admin.delete(f"{RULES}/{rule}")).status_code == 404


@pytest.mark.parametrize(
    ("rule", "value", "allowed"),
    [
        ("allowed_channels", ["general"], "ids of 15 to 20 digits"),
        ("allowed_channels", [], "ids of 15 to 20 digits"),
        ("max_queued", 0, "a whole number from 1 on"),
        ("max_queued", True, "a whole number from 1 on"),
        ("results", "nowhere", "reply, thread, channel"),
        ("maxima", {"echo.times": "3"}, "numbers by the name of a field"),
        ("spoilers", None, "true or false"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_with_what_may(
    admin: Client, rule: str, value: Any, allowed: str
) -> None:
    refused = await admin.put(f"{RULES}/{rule}", json={"value": value})
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")
    assert f"{rule} ({value!r})" in refused.json()["detail"]
    assert allowed in refused.json()["detail"]


async def test_a_rule_that_there_is_not_names_the_nearest(admin: Client) -> None:
    refused = await admin.put(f"{RULES}/result", json={"value": "thread"})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_rule")
    assert "did you mean results?" in refused.json()["detail"]
    assert (await admin.get("/guilds/general/rules")).status_code == 422


async def test_members_are_banned_one_by_one(admin: Client) -> None:
    for member in (OTHER, MEMBER, MEMBER):
        assert (await admin.put(f"/guilds/{GUILD}/bans/{member}")).status_code == 204
    assert await rules_of(admin) == {"banned_users": [MEMBER, OTHER]}
    assert (await admin.delete(f"/guilds/{GUILD}/bans/{OTHER}")).status_code == 204
    assert (await admin.delete(f"/guilds/{GUILD}/bans/{OTHER}")).status_code == 404
    assert (await admin.delete(f"/guilds/{GUILD}/bans/{MEMBER}")).status_code == 204
    assert await rules_of(admin) == {}


async def test_who_changed_a_rule_is_written_down(admin: Client) -> None:
    await admin.put(f"{RULES}/results", json={"value": "thread"})
    (entry,) = (await admin.get("/audit")).json()["items"]
    assert (entry["actor"], entry["action"], entry["target"]) == ("api:root", "rule.changed", f"guild:{GUILD}")
    assert entry["detail"] == {"rule": "results", "value": "thread"}


class Knowing:
    @hookimpl
    async def tron_stats(self, requester: str) -> str:
        return f"I know {requester}."


async def test_the_queue_and_the_statistics_are_ones_own(
    admin: Client, alice: Client, bob: Client, services: Services
) -> None:
    services.plugins.register("knowing", Knowing())
    await bob.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})
    mine = (await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})).json()
    queue = (await alice.get("/queue")).json()
    assert (queue["waiting"], [job["id"] for job in queue["jobs"]]) == (2, [mine["id"]])
    assert (await alice.get("/stats")).json() == {
        "requester": "api:alice",
        "jobs": [{"capability": "afar", "state": "queued", "count": 1}],
        "sections": [{"plugin": "knowing", "text": "I know api:alice."}],
    }
    assert (await alice.get("/stats?requester=api:bob")).status_code == 403
    assert (await admin.get("/stats?requester=api:bob")).json()["requester"] == "api:bob"
