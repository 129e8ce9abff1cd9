"""Tickets and uploads over REST, with what clients of old expect of them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from legacy_stage import Stage, until
from old_client import OldClient, png, wav
from PIL import Image

from tron_core.auth.principal import Scope
from tron_core.job import JobState
from tron_plugin_legacy import routes, uploads


@pytest.fixture
async def rest(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stage.services.http_url, timeout=30) as client:
        yield client


@pytest.fixture
def pauses(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before refusals, which take no time."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(stage.clients_of_plugin._tarpit, "_sleep", sleep)
    return found


def check_ticket(ticket: dict[str, Any], client_id: str) -> None:
    assert set(ticket) == {
        "id", "access_token", "refresh_token", "expires_in", "client_id", "user_id", "scopes", "issued_at",
    }  # fmt: skip
    assert (ticket["client_id"], ticket["scopes"]) == (client_id, None)
    assert isinstance(ticket["expires_in"], int)
    assert datetime.fromisoformat(ticket["issued_at"]).utcoffset() is not None
    assert ticket["issued_at"].endswith("+00:00")


async def test_an_api_key_gets_a_nested_ticket(stage: Stage, rest: httpx.AsyncClient) -> None:
    key, _ = await stage.credential()
    answer = await rest.post("/authorize", json={"api_key": key["api_key"], "client_id": key["client_id"]})
    assert (answer.status_code, set(answer.json())) == (200, {"access_token"})
    check_ticket(answer.json()["access_token"], key["client_id"])
    assert answer.headers["cache-control"] == "no-store"


async def test_a_refresh_token_gets_a_flat_ticket_again_and_again(stage: Stage, rest: httpx.AsyncClient) -> None:
    key, token = await stage.credential()
    tickets = [
        (await rest.post("/refresh_token", json={"refresh_token": token["refresh_token"]})).json() for _ in range(4)
    ]
    for ticket in tickets:
        check_ticket(ticket, key["client_id"])
        assert ticket["refresh_token"] == token["refresh_token"]
    # The one before stays valid: four threads may renew at once.
    for access in (token["access_token"], *(ticket["access_token"] for ticket in tickets)):
        assert await stage.services.auth.authenticate(access, plugin="legacy")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/authorize", {"api_key": "wrong", "client_id": "c0ffee"}, 401),
        ("/authorize", {"api_key": "wrong"}, 400),
        ("/authorize", {"api_key": 7, "client_id": "c0ffee"}, 400),
        ("/authorize", [], 400),
        ("/authorize", "x" * (routes.MAX_BODY + 1), 400),
        ("/refresh_token", {"refresh_token": "wrong"}, 400),
        ("/refresh_token", {}, 400),
    ],
)
async def test_a_refusal_says_why_after_a_pause(
    rest: httpx.AsyncClient, pauses: list[float], path: str, body: Any, status: int
) -> None:
    for _ in range(2):
        answer = await rest.post(path, json=body)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert pauses == [2.0, 4.0]


async def test_what_is_revoked_gets_no_ticket(stage: Stage, rest: httpx.AsyncClient, pauses: list[float]) -> None:
    key, token = await stage.credential()
    await stage.services.auth.revoke_credential(key["client_id"])
    answer = await rest.post("/authorize", json={"api_key": key["api_key"], "client_id": key["client_id"]})
    assert answer.status_code == 401
    answer = await rest.post("/refresh_token", json={"refresh_token": token["refresh_token"]})
    assert answer.status_code == 400


async def test_a_credential_of_the_hubs_own_is_good_here_and_keeps_its_rules(
    stage: Stage, rest: httpx.AsyncClient
) -> None:
    await stage.services.auth.create_user("own", "a long password", scope=Scope.WORKER)
    _, token = await stage.services.auth.create_client_tokens("own")
    answer = await rest.post("/refresh_token", json={"refresh_token": token["refresh_token"]})
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != token["refresh_token"]


async def test_a_client_renews_its_ticket_by_itself(stage: Stage) -> None:
    client = await stage.client(start=False)
    client.ticket = {**client.ticket, "issued_at": "2026-01-31T12:00:00+00:00", "access_token": "old"}
    client.start()
    await until(lambda: "box-1" in stage.workers)
    assert client.ticket["access_token"] != "old"
    client.api_key = "wrong"
    client.ticket = {**client.ticket, "issued_at": "2026-01-31T12:00:00+00:00"}
    done = await stage.end(await stage.submit())
    assert done.state is JobState.SUCCEEDED, done.error


# Uploads


@pytest.fixture
async def busy(stage: Stage) -> tuple[OldClient, str]:
    """A client that is at a job."""
    client = await stage.client()
    client.gate = threading.Event()
    job = await stage.submit()
    await until(lambda: client.jobs)
    return client, job


def bearer(client: OldClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.ticket['access_token']}"}


def picture(data: bytes | None = None, part: str = "image") -> Any:
    return {part: ("image", png() if data is None else data, "application/octet-stream")}


async def test_a_query_of_40_kibibytes_arrives(busy: tuple[OldClient, str], rest: httpx.AsyncClient) -> None:
    client, _ = busy
    query = {"user_config": json.dumps({"prompt": "ü" * 6000})}
    request = rest.build_request("POST", "/upload_image", params=query, headers=bearer(client), files=picture())
    assert len(request.url.raw_path) > 36 * 1024
    answer = await rest.send(request)
    assert answer.status_code == 200, answer.text
    got = await rest.get(answer.json()["image_url"])
    assert got.content == png()
    assert answer.json()["image_url"].startswith("http://127.0.0.1:")


async def test_what_a_client_says_of_a_picture_stands_in_it(
    busy: tuple[OldClient, str], rest: httpx.AsyncClient
) -> None:
    query = {"parameters": "a cät\nSteps: 30", "seed": "7", "original_user": "ann", "user_config": "{}"}
    answer = await rest.post("/upload_image", params=query, headers=bearer(busy[0]), files=picture())
    file = (await rest.get(answer.json()["image_url"])).content
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        assert image.size == (1, 1)
        assert image.info == {"parameters": "a cät\nSteps: 30", "seed": "7"}


@pytest.mark.parametrize(
    ("path", "files", "key"),
    [
        ("/upload_audio", {"audio_buffer": ("a", wav())}, "audio_url"),
        ("/upload_video", {"file": ("clip.webp", png())}, "video_url"),
    ],
)
async def test_sounds_and_films_are_taken_too(
    busy: tuple[OldClient, str], rest: httpx.AsyncClient, path: str, files: Any, key: str
) -> None:
    answer = await rest.post(path, headers=bearer(busy[0]), files=files)
    assert (answer.status_code, set(answer.json())) == (200, {key})


async def test_an_upload_without_a_good_token_is_told_so_in_the_words_that_clients_know(
    busy: tuple[OldClient, str], rest: httpx.AsyncClient
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await rest.post("/upload_image", headers=headers, files=picture())
        assert answer.status_code == 401
        assert "Authentication required" in answer.text


async def test_an_upload_with_no_job_is_refused(stage: Stage, rest: httpx.AsyncClient) -> None:
    client = await stage.client()
    answer = await rest.post("/upload_image", headers=bearer(client), files=picture())
    assert (answer.status_code, answer.json()) == (
        409,
        {"error": "This file belongs to no job: none of your workers is at one"},
    )


@pytest.mark.parametrize(
    ("files", "status"), [(picture(b"no picture"), 415), (picture(part="other"), 400), ({}, 400), (None, 400)]
)
async def test_what_is_no_picture_is_refused(
    stage: Stage, busy: tuple[OldClient, str], rest: httpx.AsyncClient, files: Any, status: int
) -> None:
    client, job = busy
    content = b"broken" if files is None else None
    headers = bearer(client) | ({"Content-Type": "multipart/form-data; boundary=x"} if files is None else {})
    answer = await rest.post("/upload_image", headers=headers, files=files, content=content)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert await stage.services.artifacts.for_job(job) == []


async def test_one_job_has_so_many_files_and_no_more(
    busy: tuple[OldClient, str], rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 2)
    answers = [await rest.post("/upload_image", headers=bearer(busy[0]), files=picture()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 409]


async def test_what_no_message_shows_within_an_hour_is_removed(
    stage: Stage, busy: tuple[OldClient, str], rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, job = busy
    answer = await rest.post("/upload_image", headers=bearer(client), files=picture())
    await stage.clients_of_plugin.tend()
    assert len(await stage.services.artifacts.for_job(job)) == 1
    monkeypatch.setattr(uploads, "UNCLAIMED_SECONDS", -1.0)
    await stage.clients_of_plugin.tend()
    assert await stage.services.artifacts.for_job(job) == []
    assert (await rest.get(answer.json()["image_url"])).status_code == 404
    client.gate.set()  # type: ignore[union-attr]
    done = await stage.end(job)
    assert len([artifact for artifact in done.artifacts if artifact.role == "result"]) == 1


async def test_what_a_result_does_not_show_is_none_of_it(
    stage: Stage, busy: tuple[OldClient, str], rest: httpx.AsyncClient
) -> None:
    client, job = busy
    await rest.post("/upload_image", headers=bearer(client), files=picture(png(9)))
    client.gate.set()  # type: ignore[union-attr]
    done = await stage.end(job)
    assert [artifact.name for artifact in done.artifacts if artifact.role == "result"] == ["image-2.png"]
