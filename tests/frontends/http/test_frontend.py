"""The frontend on a real connection: streams, uploads that do not gather, start and stop."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tron_core.config import Settings
from tron_core.errors import ConfigError
from tron_core.frontends.http.frontend import HttpFrontend
from tron_core.services import Services

ECHO = {"capability": "echo", "params": {"text": "hello"}}


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in response.aiter_lines():
        kind, _, text = line.partition(": ")
        if kind == "event":
            name = text
        elif kind == "data":
            yield name, json.loads(text)


async def test_a_job_is_watched_to_its_end(wire: httpx.AsyncClient, plugin: Any) -> None:
    job = (await wire.post("/jobs", json={"capability": "held"})).json()
    seen: list[tuple[str, Any]] = []
    async with wire.stream("GET", f"/jobs/{job['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        async for event in events_of(response):
            seen.append(event)
            plugin.held.release.set()
    assert seen[0][0] == "state"
    name, data = seen[-1]
    assert name == "result"
    assert (data["id"], data["state"], data["reply"]["text"]) == (job["id"], "succeeded", "done")


async def test_who_comes_late_sees_the_end_at_once(wire: httpx.AsyncClient) -> None:
    job = (await wire.post("/jobs", json=ECHO, headers={"Prefer": "wait=20"})).json()
    async with wire.stream("GET", f"/jobs/{job['id']}/events") as response:
        seen = [event async for event in events_of(response)]
    assert seen[0] == ("state", seen[0][1])
    assert seen[0][1]["state"] == "succeeded"
    assert seen[-1] == ("result", (await wire.get(f"/jobs/{job['id']}")).json())


async def test_many_watch_and_a_stop_ends_their_streams(wire: httpx.AsyncClient, frontend: HttpFrontend) -> None:
    job = (await wire.post("/jobs", json={"capability": "held"})).json()
    watching = asyncio.Semaphore(0)

    async def watch() -> list[str]:
        async with wire.stream("GET", f"/jobs/{job['id']}/events") as response:
            seen = []
            async for name, _ in events_of(response):
                seen.append(name)
                watching.release()
            return seen

    watchers = [asyncio.create_task(watch()) for _ in range(50)]
    for _ in watchers:
        await watching.acquire()
    async with asyncio.timeout(4):
        await frontend.stop()
        assert all("result" not in seen for seen in await asyncio.gather(*watchers))


async def test_an_upload_that_breaks_off_leaves_nothing(
    wire: httpx.AsyncClient, frontend: HttpFrontend, services: Services, until: Any
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", frontend.port)
    head = f"POST /api/v1/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: {wire.headers['authorization']}\r\n"
    writer.write(head.encode() + b"Content-Length: 2900000\r\n\r\n" + b"x" * 2_500_000)
    await writer.drain()
    folder = services.folder / "artifacts"

    async def files() -> list[Any]:
        return await asyncio.to_thread(lambda: [path for path in folder.rglob("*") if path.is_file()])

    await until(files, lambda found: found)
    writer.close()
    await writer.wait_closed()
    await until(files, lambda found: not found)
    assert (await wire.get("/jobs")).status_code == 200


async def test_the_address_is_known_once_it_listens(services: Services) -> None:
    frontend = HttpFrontend(services)
    await frontend.start()
    assert services.http_url == f"http://127.0.0.1:{frontend.port}"
    taken = services.settings.model_copy(
        update={"http": services.settings.http.model_copy(update={"port": frontend.port})}
    )
    services.settings = taken
    with pytest.raises(ConfigError, match=r"http\.port"):
        await HttpFrontend(services).start()
    await frontend.stop()


async def test_absolute_addresses_are_those_that_the_operator_gave(wire: httpx.AsyncClient, services: Services) -> None:
    async def address() -> str:
        return str((await wire.post("/uploads", content=b"hello")).json()["url"])

    assert (await address()).startswith(f"{services.http_url}/artifacts/")
    public = {"http": {"public_url": "https://tron.example.org/"}}
    services.settings = Settings.model_validate(public)
    assert (await address()).startswith("https://tron.example.org/artifacts/")
    services.settings = Settings.model_validate({**public, "artifacts": {"public_url": "https://files.example.org"}})
    assert (await address()).startswith("https://files.example.org/")
    assert "/artifacts/" not in await address()


async def test_signals_stay_the_hub_s(services: Services) -> None:
    before = signal.getsignal(signal.SIGTERM)
    frontend = HttpFrontend(services)
    await frontend.start()
    assert signal.getsignal(signal.SIGTERM) is before
    await frontend.stop()
