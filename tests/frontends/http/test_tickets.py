"""What a worker uploads: one ticket, one stored artifact."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from tron_core.services import Services

DATA = b"paint" * 1000


class Upload:
    """A PUT for an attempt that runs on the hub, which stands in for a worker's."""

    def __init__(self, services: Services, client: httpx.AsyncClient, job: str) -> None:
        self._services, self._client, self.job = services, client, job

    def ticket(self, name: str = "fox.bin", data: bytes = DATA, **changed: Any) -> str:
        claims: dict[str, Any] = {
            "job": self.job,
            "attempt": 1,
            "name": name,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "role": "result",
            "client_id": "worker-1",
            "expires_s": 60,
        }
        return self._services.tickets.sign(**{**claims, **changed})

    async def put(self, ticket: str | None, data: bytes = DATA, name: str = "fox.bin") -> httpx.Response:
        headers = {} if ticket is None else {"Authorization": f"Bearer {ticket}"}
        return await self._client.put(f"/api/v1/jobs/{self.job}/artifacts/{name}", content=data, headers=headers)


@pytest.fixture
async def upload(services: Services, nobody: httpx.AsyncClient, alice: httpx.AsyncClient, until: Any) -> Upload:
    job = (await alice.post("/jobs", json={"capability": "held"})).json()["id"]

    async def state() -> str:
        return str((await alice.get(f"/jobs/{job}")).json()["state"])

    await until(state, lambda state: state == "running")
    return Upload(services, nobody, job)


def told(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


async def test_a_ticket_stores_one_artifact_once(upload: Upload) -> None:
    ticket = upload.ticket()
    first, second = await upload.put(ticket), await upload.put(ticket)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert second.json()["id"] == first.json()["id"]


async def test_other_bytes_under_the_same_name_are_refused(upload: Upload) -> None:
    await upload.put(upload.ticket())
    other = b"other" * 1000
    assert told(await upload.put(upload.ticket(data=other), other)) == (409, "artifact_exists")


@pytest.mark.parametrize("data", [DATA + b"x", DATA[:-1], b"paint" * 999 + b"taint", b""])
async def test_bytes_that_were_not_announced_do_not_burn_the_ticket(upload: Upload, data: bytes) -> None:
    ticket = upload.ticket()
    assert told(await upload.put(ticket, data)) == (400, "artifact_mismatch")
    assert (await upload.put(ticket)).status_code == 201


async def test_a_ticket_is_for_its_own_artifact(upload: Upload) -> None:
    assert told(await upload.put(None)) == (401, "unauthorized")
    assert told(await upload.put("nonsense")) == (403, "ticket_invalid")
    assert told(await upload.put(upload.ticket(), name="wolf.bin")) == (403, "ticket_mismatch")
    assert told(await upload.put(upload.ticket(job="01ARZ3NDEKTSV4RRFFQ69G5FAV"))) == (403, "ticket_mismatch")


async def test_a_ticket_ends_with_its_time_and_its_attempt(upload: Upload) -> None:
    assert told(await upload.put(upload.ticket(expires_s=-1))) == (410, "ticket_expired")
    assert told(await upload.put(upload.ticket(attempt=2))) == (410, "attempt_over")


async def test_too_large_an_artifact_is_refused(upload: Upload) -> None:
    data = b"x" * 3_000_001
    assert told(await upload.put(upload.ticket(data=data), data)) == (413, "too_large")
    assert told(await upload.put(upload.ticket(size=3_000_001))) == (413, "too_large")


async def test_a_name_may_hold_what_names_hold(upload: Upload) -> None:
    name = "a b/ü.bin"
    assert (await upload.put(upload.ticket(name=name), name="a%20b%2F%C3%BC.bin")).status_code == 201


async def test_a_preview_is_shown_to_who_watches(upload: Upload, services: Services) -> None:
    watched = services.scheduler.watch(upload.job)
    await anext(watched)
    preview = await upload.put(upload.ticket(role="preview"))
    assert preview.status_code == 201
    event = await anext(watched)
    assert (event.kind, event.data["preview"]) == ("progress", preview.json()["id"])
    await watched.aclose()  # type: ignore[attr-defined]
