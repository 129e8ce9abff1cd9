"""A worker of the original connects to the hub that took its accounts over, with the files that it has."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from original_hub import OriginalHub

from tron_core.job import JobState


@pytest.fixture
async def stage_after(stage: Any, original: OriginalHub, hub: Any) -> Any:
    """The hub, started again on the database into which a worker was imported."""
    await stage.stop()
    original.add_worker(1, "gpu of ann")
    await asyncio.to_thread(hub.take, original)  # a command has an event loop of its own
    stage.folder = hub.folder
    await stage.start()
    return stage


def files(issued: timedelta, api_key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in config.json and auth.json of the worker; times are UTC and do not say so."""
    at = (datetime.now(UTC) - issued).replace(tzinfo=None).isoformat()
    ticket = {
        "id": 1,
        "access_token": "access-1",
        "refresh_token": "refresh-1",
        "expires_in": 3600,
        "client_id": "client-1",
        "user_id": 1,
        "scopes": None,
        "issued_at": at,
    }
    return {"api_key": api_key}, ticket


@pytest.mark.parametrize(
    ("age", "api_key", "renewed"),
    [
        pytest.param(timedelta(minutes=1), "key-1", False, id="with its access token"),
        pytest.param(timedelta(days=400), "key-1", True, id="with its api key"),
        pytest.param(timedelta(days=400), "lost", True, id="with its refresh token"),
    ],
)
async def test_a_worker_goes_on_without_new_files(
    stage_after: Any, monkeypatch: pytest.MonkeyPatch, age: timedelta, api_key: str, renewed: bool
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    client = await stage_after.client(credential=files(age, api_key))
    assert (client.ticket["access_token"] != "access-1") is renewed
    job = await stage_after.end(await stage_after.submit())
    assert job.state is JobState.SUCCEEDED, job.error
