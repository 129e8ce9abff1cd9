"""What people do with jobs over REST."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import jsonschema
import pytest

from tron_core.frontends.http.limits import Buckets
from tron_core.frontends.http.state import HttpState
from tron_core.services import Services

ECHO = {"capability": "echo", "params": {"text": "hello", "times": 2}}
HELD = {"capability": "held"}


def code_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["detail"]
    return str(document["code"])


async def done(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post("/jobs", json=body, headers={"Prefer": "wait=20"})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def show(client: httpx.AsyncClient, job: str) -> Any:
    return (await client.get(f"/jobs/{job}")).json()


async def test_a_job_is_accepted_and_later_shows_all_of_its_result(alice: httpx.AsyncClient, until: Any) -> None:
    accepted = await alice.post("/jobs", json=ECHO)
    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["requester"], job["priority"]) == ("queued", "api:alice", "normal")
    assert job["params"] == {"text": "hello", "times": 2, "mood": "calm", "voice": None}
    assert job["created_at"].endswith("Z")
    job = await until(lambda: show(alice, job["id"]), lambda job: job["reply"] is not None)
    assert job["state"] == "succeeded"
    assert job["output"] == {"text": "hello hello"}
    assert job["reply"]["text"] == "hello hello"
    assert job["reply"]["actions"][0]["label"] == "Again"
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["succeeded"]
    artifact = job["artifacts"][0]
    assert (artifact["name"], artifact["role"], artifact["size"]) == ("said.txt", "result", 5)
    assert artifact["url"].startswith("http://hub.test/artifacts/")


async def test_a_caller_may_wait_for_the_end(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/jobs", json=ECHO, headers={"Prefer": "respond-async, wait=20"})
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=20"
    assert response.json()["reply"]["text"] == "hello hello"


async def test_a_caller_may_wait_for_the_end_of_a_job_that_was_submitted_before(alice: httpx.AsyncClient) -> None:
    job = (await alice.post("/jobs", json=ECHO)).json()["id"]
    response = await alice.get(f"/jobs/{job}", headers={"Prefer": "wait=20"})
    assert response.headers["preference-applied"] == "wait=20"
    assert response.json()["reply"]["text"] == "hello hello"


async def test_a_wait_that_is_over_answers_with_the_job_as_it_is(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/jobs", json=HELD, headers={"Prefer": "wait=0"})
    assert response.status_code == 202
    assert response.json()["state"] in ("queued", "running")


async def test_the_same_key_and_body_are_the_same_job(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first, second = [await alice.post("/jobs", json=ECHO, headers=headers) for _ in range(2)]
    assert second.json()["id"] == first.json()["id"]
    other = await alice.post("/jobs", json=HELD, headers=headers)
    assert code_of(other, 409) == "idempotency_mismatch"
    assert (await bob.post("/jobs", json=ECHO, headers=headers)).json()["id"] != first.json()["id"]


async def test_a_key_that_comes_twice_at_once_is_one_job(alice: httpx.AsyncClient) -> None:
    sent = [alice.post("/jobs", json=ECHO, headers={"Idempotency-Key": "order-2"}) for _ in range(5)]
    answers = await asyncio.gather(*sent)
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 129])
async def test_a_key_has_a_form(alice: httpx.AsyncClient, key: str) -> None:
    assert code_of(await alice.post("/jobs", json=ECHO, headers={"Idempotency-Key": key}), 422) == "invalid_request"


async def test_somebody_else_s_job_is_not_there(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    path = f"/jobs/{(await done(alice, ECHO))['id']}"
    for answer in [
        await bob.get(path),
        await bob.delete(path),
        await bob.post(f"{path}/retry"),
        await bob.post(f"{path}/actions/0"),
        await bob.get(f"{path}/events"),
    ]:
        assert code_of(answer, 404) == "not_found"
    assert (await admin.get(path)).status_code == 200
    assert (await bob.get("/jobs")).json() == {"items": [], "next": None}
    assert len((await admin.get("/jobs")).json()["items"]) == 1
    assert (await admin.get("/jobs?requester=api:bob")).json()["items"] == []


@pytest.mark.parametrize("name", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "no-such-job", "a%2Fb", "%00", "%ff", "x" * 2000])
async def test_a_job_that_never_was_is_not_there(alice: httpx.AsyncClient, name: str) -> None:
    assert code_of(await alice.get(f"/jobs/{name}"), 404) == "not_found"


async def test_jobs_are_listed_newest_first_page_by_page(alice: httpx.AsyncClient) -> None:
    made = [(await done(alice, {"capability": "echo", "params": {"text": str(n)}}))["id"] for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await alice.get("/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
    assert seen == made[::-1]


async def test_jobs_are_listed_by_state_and_capability(alice: httpx.AsyncClient) -> None:
    echo = await done(alice, ECHO)
    held = (await alice.post("/jobs", json=HELD)).json()
    by_state = (await alice.get("/jobs?state=succeeded&state=failed")).json()["items"]
    assert [job["id"] for job in by_state] == [echo["id"]]
    by_capability = (await alice.get("/jobs?capability=held")).json()["items"]
    assert [job["id"] for job in by_capability] == [held["id"]]
    assert code_of(await alice.get("/jobs?state=dreaming"), 422) == "invalid_request"
    assert code_of(await alice.get("/jobs?limit=0"), 422) == "invalid_request"


async def test_a_job_is_cancelled_once(alice: httpx.AsyncClient) -> None:
    path = f"/jobs/{(await alice.post('/jobs', json=HELD)).json()['id']}"
    cancelled = await alice.delete(path)
    assert cancelled.status_code == 202
    assert cancelled.json()["state"] == "cancelled"
    assert code_of(await alice.delete(path), 409) == "job_over"


async def test_a_failed_job_is_tried_again(alice: httpx.AsyncClient, plugin: Any, until: Any) -> None:
    plugin.held.failure = "the paint is dry"
    plugin.held.release.set()
    failed = await done(alice, HELD)
    assert failed["state"] == "failed"
    assert "the paint is dry" in failed["error"]["message"]
    plugin.held.failure = None
    again = await alice.post(f"/jobs/{failed['id']}/retry")
    assert again.status_code == 202
    await until(lambda: show(alice, failed["id"]), lambda job: job["state"] == "succeeded")
    assert code_of(await alice.post(f"/jobs/{failed['id']}/retry"), 409) == "not_failed"


async def test_an_action_of_the_reply_makes_a_new_job(alice: httpx.AsyncClient) -> None:
    first = await done(alice, ECHO)
    followed = await alice.post(f"/jobs/{first['id']}/actions/0")
    assert followed.status_code == 202
    assert followed.json()["params"]["text"] == "again"
    assert followed.json()["requester"] == "api:alice"
    assert code_of(await alice.post(f"/jobs/{first['id']}/actions/7"), 404) == "not_found"
    assert code_of(await alice.post(f"/jobs/{first['id']}/actions/-1"), 422) == "invalid_request"


async def test_only_an_administrator_goes_first_or_writes_to_a_channel(
    alice: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    assert code_of(await alice.post("/jobs", json={**ECHO, "priority": "high"}), 403) == "forbidden"
    channel = {**ECHO, "notify": {"discord_channel": "1234"}}
    assert code_of(await alice.post("/jobs", json=channel), 403) == "forbidden"
    assert code_of(await admin.post("/jobs", json=channel), 422) == "refused"  # nobody would take it there
    assert (await admin.post("/jobs", json={**ECHO, "priority": "high"})).json()["priority"] == "high"
    assert (await alice.post("/jobs", json={**ECHO, "priority": "low"})).json()["priority"] == "low"


async def test_a_user_may_write_to_the_channels_that_were_granted(
    alice: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    changed = await admin.patch("/users/alice", json={"channels": ["1234", "99"]})
    assert changed.json()["channels"] == ["1234", "99"]
    granted, other = ({**ECHO, "notify": {"discord_channel": channel}} for channel in ("1234", "5678"))
    assert (
        code_of(await alice.post("/jobs", json=granted), 422) == "refused"
    )  # this hub has no Discord to take it there
    refused = await alice.post("/jobs", json=other)
    assert code_of(refused, 403) == "forbidden"
    assert refused.json()["detail"] == "notify.discord_channel (5678): not granted to you; allowed: 1234, 99"
    await admin.patch("/users/alice", json={"channels": []})
    assert code_of(await alice.post("/jobs", json=granted), 403) == "forbidden"


async def test_what_no_worker_can_do_now_is_said_at_once(alice: httpx.AsyncClient) -> None:
    job = (await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})).json()
    assert job["position"] == 1
    assert "no worker" in job["message"].lower()


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ({"capability": "echo", "parms": {}}, "parms", "capability, params, priority, notify"),
        ({"capability": "echo", "notify": {"slack": "x"}}, "notify.slack", "discord_channel"),
        ({"capability": "echo", "priority": "urgent"}, "priority", "'low', 'normal' or 'high'"),
        ({"capability": 7}, "capability", "a valid string"),
        ({"params": {}}, "capability", "any value of its type"),
        ({"capability": "echo", "params": []}, "params", "a valid dictionary"),
    ],
)
async def test_a_wrong_field_of_the_body_is_named(
    alice: httpx.AsyncClient, body: dict[str, Any], field: str, allowed: str
) -> None:
    response = await alice.post("/jobs", json=body)
    assert code_of(response, 422) == "invalid_request"
    problem = response.json()["errors"][0]
    assert problem["field"] == field
    assert problem["allowed"] == allowed
    assert field in response.json()["detail"]


@pytest.mark.parametrize(
    ("params", "field", "value"),
    [
        ({"text": "x", "times": "2"}, "times", "2"),
        ({"text": "x", "times": 9}, "times", 9),
        ({"text": "x", "mood": "sad"}, "mood", "sad"),
        ({"text": "x", "volume": 3}, "volume", 3),
        ({"text": "x", "times": True}, "times", True),
    ],
)
async def test_a_wrong_param_is_named_with_its_value_and_what_is_allowed(
    alice: httpx.AsyncClient, params: dict[str, Any], field: str, value: object
) -> None:
    response = await alice.post("/jobs", json={"capability": "echo", "params": params})
    assert code_of(response, 422) == "invalid_params"
    problem = response.json()["errors"][0]
    assert (problem["field"], problem["value"]) == (field, value)
    assert problem["allowed"]


async def test_an_unknown_capability_is_not_there(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/jobs", json={"capability": "ecko"})
    assert code_of(response, 404) == "unknown_capability"
    assert "echo" in response.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b'{"capability": NaN}', "application/json", 400, "malformed_json"),
        (b'{"capability": "a", "capability": "b"}', "application/json", 400, "malformed_json"),
        (b"\xff\xfe", "application/json", 400, "malformed_json"),
        (b"[" * 500_000, "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"capability=echo", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b" " * (1 << 20) + b"{}", "application/json", 413, "too_large"),
        (b" " * 4_000_000, "application/json", 413, "too_large"),
    ],
)
async def test_a_body_that_is_not_what_it_should_be_is_refused(
    alice: httpx.AsyncClient, content: bytes, kind: str, status: int, code: str
) -> None:
    assert code_of(await alice.post("/jobs", content=content, headers={"Content-Type": kind}), status) == code


async def test_who_may_not_call_learns_nothing_else(nobody: httpx.AsyncClient) -> None:
    response = await nobody.post("/api/v1/jobs", content=b"{")
    assert code_of(response, 401) == "unauthorized"
    assert response.headers["www-authenticate"].startswith("Bearer")
    bad = await nobody.get("/api/v1/jobs", headers={"Authorization": "Bearer wrong"})
    assert bad.status_code == 401


async def test_capabilities_say_what_can_be_asked_for(alice: httpx.AsyncClient) -> None:
    found = {each["name"]: each for each in (await alice.get("/capabilities")).json()["items"]}
    assert sorted(found) == ["afar", "echo", "held"]
    echo = found["echo"]
    assert echo["plugin"] == "test"
    assert echo["command"] == {"name": "echo", "aliases": ["say"], "summary": "Say it back"}
    assert echo["choices"] == {"mood": ["calm", "loud"], "voice": ["alto", "bass"]}
    assert (echo["available"], echo["runs_on"]) == (True, "hub")
    jsonschema.validate({"text": "x", "times": 2}, echo["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"text": "x", "times": 9}, echo["schema"])
    assert (found["afar"]["available"], found["afar"]["workers"]) == (False, 0)


async def test_a_credential_that_asks_too_often_is_told_to_wait(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, state: HttpState, services: Services
) -> None:
    state.requests = Buckets(2, services.clock, what="requests")
    answers = [await alice.get("/capabilities") for _ in range(3)]
    assert code_of(answers[-1], 429) == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await bob.get("/capabilities")).status_code == 200
