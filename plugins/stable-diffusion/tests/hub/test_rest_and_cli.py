"""The catalogue over REST and by `tron image-models`, with the hub that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from tron_core.cli import app

SHAPES = "tron/shapes"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
GUILD = "123456789012345678"

Tron = Callable[..., Awaitable[str]]


@pytest.fixture
async def running(make_stage: Any) -> Any:
    """A hub; no Hugging Face can be reached from it."""
    return await make_stage(huggingface_url="http://127.0.0.1:9")


@pytest.fixture
async def admin(running: Any, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """REST as the hub's administrator."""
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    headers = {"Authorization": f"Bearer {run['token']}"}
    async with httpx.AsyncClient(base_url=f"{run['http']}/api/v1", headers=headers) as client:
        yield client


@pytest.fixture
async def alice(admin: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """REST as a user."""
    await admin.post("/users", json={"username": "alice", "password": "correct horse battery", "scope": "user"})
    made = (await admin.post("/tokens", json={"username": "alice"})).json()
    headers = {"Authorization": f"Bearer {made['token']['access_token']}"}
    async with httpx.AsyncClient(base_url=admin.base_url, headers=headers) as client:
        yield client


@pytest.fixture
def tron(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tron:
    """Runs ``tron`` beside the hub; what it printed, errors too."""
    monkeypatch.chdir(tmp_path)

    async def run(*arguments: str) -> str:
        return (await asyncio.to_thread(CliRunner().invoke, app, [*arguments])).output

    return run


CATALOGUE = "/plugins/stable-diffusion"


async def test_everybody_may_read_the_catalogue(alice: httpx.AsyncClient) -> None:
    models = {each["name"]: each for each in (await alice.get(f"{CATALOGUE}/models")).json()["items"]}
    assert (models[SHAPES]["available"], models[SD15]["available"]) == (True, False)
    shown = (await alice.get(f"{CATALOGUE}/models/{SD15}")).json()
    assert shown == models[SD15]
    assert (shown["steps"], shown["resolution"], shown["approved"]) == (25, "512x512", True)
    schedulers = (await alice.get(f"{CATALOGUE}/schedulers")).json()["items"]
    assert schedulers[0]["name"] == "ddim"
    assert "anime" in (await alice.get(f"{CATALOGUE}/styles")).json()["styles"]
    missing = await alice.get(f"{CATALOGUE}/models/no/such")
    assert (missing.status_code, missing.json()["code"]) == (422, "unknown_model")


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/models", {"name": "a/b"}),
    ("PATCH", f"/models/{SHAPES}", {"approved": False}),
    ("DELETE", f"/models/{SHAPES}", None),
    ("PUT", f"/guilds/{GUILD}/models/{SHAPES}", None),
    ("POST", "/schedulers", {"name": "x", "class_name": "HeunDiscreteScheduler"}),
    ("DELETE", "/schedulers/euler", None),
]


async def test_changes_need_an_administrator(alice: httpx.AsyncClient) -> None:
    for method, path, body in CHANGES:
        refused = await alice.request(method, f"{CATALOGUE}{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), path


async def test_an_administrator_changes_the_catalogue(admin: httpx.AsyncClient) -> None:
    made = await admin.post(f"{CATALOGUE}/models", json={"name": "a/sdxl-b", "description": "New"})
    assert made.status_code == 201
    assert (made.json()["approved"], made.json()["resolution"]) == (False, "1024x1024")
    change = {"approved": True, "steps": 8, "max_steps": 20, "negative_prompt": "none"}
    changed = (await admin.patch(f"{CATALOGUE}/models/a/sdxl-b", json=change)).json()
    assert (changed["approved"], changed["steps"], changed["negative_prompt"]) == (True, 8, None)
    wrong = await admin.patch(f"{CATALOGUE}/models/a/sdxl-b", json={"scheduler": "bogus"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_scheduler")
    wrong = await admin.patch(f"{CATALOGUE}/models/a/sdxl-b", json={"stepz": 3})
    assert wrong.status_code == 422
    allowed = await admin.put(f"{CATALOGUE}/guilds/{GUILD}/models/a/sdxl-b")
    assert allowed.json() == {"guild": GUILD, "models": ["a/sdxl-b"]}
    assert (await admin.delete(f"{CATALOGUE}/models/a/sdxl-b")).status_code == 204
    assert (await admin.get(f"{CATALOGUE}/guilds/{GUILD}/models")).json()["models"] == []
    made = await admin.post(f"{CATALOGUE}/schedulers", json={"name": "x", "class_name": "HeunDiscreteScheduler"})
    assert (made.status_code, made.json()["max_steps"]) == (201, 150)
    changed = (await admin.patch(f"{CATALOGUE}/schedulers/x", json={"uses": ["cats"]})).json()
    assert changed["uses"] == ["cats"]
    assert (await admin.delete(f"{CATALOGUE}/schedulers/x")).status_code == 204


async def test_a_picture_over_rest(alice: httpx.AsyncClient, running: Any) -> None:
    body = {"capability": "txt2img", "params": {"prompt": "a fox", "seed": 5}}
    job = (await alice.post("/jobs", json=body, headers={"Prefer": "wait=20"})).json()
    assert job["state"] == "succeeded"
    assert (job["params"]["model"], job["params"]["full_prompt"]) == (SHAPES, "a fox")
    assert job["reply"]["text"].startswith("a fox\n— tron/shapes · 128 × 128 · 20 steps · seed 5 · ")
    assert [action["emoji"] for action in job["reply"]["actions"]] == ["♻️", "📜", "📋", "🌱", "💾"]
    again = {"capability": "txt2img", "params": job["params"]}
    repeated = (await alice.post("/jobs", json=again, headers={"Prefer": "wait=20"})).json()
    assert repeated["params"] == job["params"]
    forged = {"prompt": "a fox", "full_prompt": "a hound", "scheduler_config": "{}", "nsfw": True}
    body = {"capability": "txt2img", "params": forged}
    derived = (await alice.post("/jobs", json=body)).json()["params"]
    assert [derived[key] for key in ("full_prompt", "scheduler_config", "nsfw")] == ["a fox", None, False]
    refused = await alice.post("/jobs", json={"capability": "picture-model-add", "params": {"model": "a/b"}})
    assert "This is for administrators" in refused.json()["detail"]


async def test_several_pictures_over_rest_are_jobs_of_their_own(alice: httpx.AsyncClient) -> None:
    body = {"capability": "picture-repeat", "params": {"prompt": "2 foxes"}}
    job = (await alice.post("/jobs", json=body, headers={"Prefer": "wait=20"})).json()
    assert job["reply"]["text"] == "2 pictures asked for."
    found = [(await alice.get(f"/jobs/{each}")).json() for each in job["output"]["jobs"]]
    assert [each["params"]["prompt"] for each in found] == ["foxes", "foxes"]


async def test_the_catalogue_on_the_command_line(tron: Tron) -> None:
    listed = await tron("image-models", "list")
    assert listed.splitlines()[0].split() == ["NAME", "KIND", "APPROVED", "WORKER", "DESCRIPTION"]
    assert next(line for line in listed.splitlines() if line.startswith(f"{SHAPES} ")).split()[1:4] == [
        "base",
        "yes",
        "yes",
    ]
    assert "steps: 25" in await tron("image-models", "show", SD15)
    added = json.loads(await tron("image-models", "add", "a/b", "--description", "Mine", "--approve", "--json"))
    assert (added["approved"], added["description"]) == (True, "Mine")
    assert await tron("image-models", "approve", "a/b", "--undo") == "a/b waits for approval\n"
    assert await tron("image-models", "describe", "a/b", "Ours") == "a/b: Ours\n"
    assert "steps: 12" in await tron("image-models", "defaults", "a/b", "--steps", "12", "--resolution", "64x64")
    assert await tron("image-models", "allow", GUILD, "a/b") == f"allowed on {GUILD}: a/b\n"
    assert await tron("image-models", "allow", GUILD, "a/b", "--undo") == f"allowed on {GUILD}: every approved model\n"
    assert await tron("image-models", "delete", "a/b") == "a/b is not in the catalogue any more\n"
    assert "error: model (a/b): it is not in the catalogue" in await tron("image-models", "show", "a/b")


async def test_schedulers_on_the_command_line(tron: Tron) -> None:
    assert "euler-a" in await tron("image-schedulers", "list")
    args = ["--args", '{"use_karras_sigmas": true}', "--max-steps", "9"]
    assert await tron("image-schedulers", "add", "mine", "HeunDiscreteScheduler", *args) == "mine is there\n"
    assert await tron("image-schedulers", "describe", "mine", "Fine") == "mine: Fine\n"
    found = {each["name"]: each for each in json.loads(await tron("image-schedulers", "list", "--json"))}
    assert (found["mine"]["args"], found["mine"]["max_steps"]) == ({"use_karras_sigmas": True}, 9)
    assert await tron("image-schedulers", "delete", "mine") == "mine is not there any more\n"
    assert "no JSON object" in await tron("image-schedulers", "add", "mine", "HeunDiscreteScheduler", "--args", "[")


async def test_without_a_hub_the_command_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = (await asyncio.to_thread(CliRunner().invoke, app, ["image-models", "list"])).output
    assert "no hub runs in" in output
