"""Uploads of one attempt against a store and a hub that answer as the test says."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import httpx
import pytest
from scripted_hub import Impatient, until

from tron_core.hub.protocol import Ticket, Upload
from tron_core.job import Role
from tron_core.worker.messages import Made
from tron_core.worker.transfer import TransferFailed
from tron_core.worker.uploads import AT_ONCE, TRIES, AttemptUploads, Uploader, mentions


class Store:
    """Holds each PUT until ``open`` is set; answers with the next of ``statuses``, then 201."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.statuses: list[int] = []
        self.at_once = self.most_at_once = 0
        self.names: list[str] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        assert int(request.headers["content-length"]) == len(body)
        assert "transfer-encoding" not in request.headers
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.names.append(request.url.path.removeprefix("/"))
        await self.open.wait()
        self.at_once -= 1
        return httpx.Response(self.statuses.pop(0) if self.statuses else 201)


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store()
        self.asked: list[Upload] = []
        self.answers = True
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.store.answer))
        self.uploads = AttemptUploads("j", 1, Uploader(http, Impatient(), self.ask))

    async def ask(self, upload: Upload) -> bool:
        self.asked.append(upload)
        if self.answers:
            asyncio.get_running_loop().call_soon(self.uploads.ticket, self.ticket(upload.name))
        return True

    def ticket(self, name: str) -> Ticket:
        return Ticket(job="j", attempt=1, name=name, url=f"http://store/{name}", expires_s=60)

    def add(self, name: str, role: Role = Role.RESULT) -> None:
        path = self.folder / name
        path.write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        made = Made(name=name, media_type="x/y", size=len(name), sha256=digest, role=role, path=path)
        self.uploads.add(made)


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_two_files_go_up_at_a_time_in_any_order_and_are_named_in_theirs(stage: Stage) -> None:
    for name in "abcde":
        stage.add(name)
    await until(lambda: stage.store.at_once == AT_ONCE)
    stage.store.open.set()
    await stage.uploads.finish()
    assert stage.store.most_at_once == AT_ONCE
    assert stage.uploads.names == tuple("abcde")


async def test_a_file_that_cannot_be_stored_is_given_up_after_some_tries(stage: Stage) -> None:
    stage.store.open.set()
    stage.store.statuses = [503] * TRIES
    stage.add("a")
    with pytest.raises(TransferFailed, match=r"HTTP 503.*tried 6 times") as failed:
        await stage.uploads.finish()
    assert not failed.value.permanent
    assert len(stage.asked) == TRIES


@pytest.mark.parametrize("status", [409, 413])
async def test_what_no_retry_mends_is_given_up_at_once(stage: Stage, status: int) -> None:
    stage.store.open.set()
    stage.store.statuses = [status]
    stage.add("a")
    with pytest.raises(TransferFailed) as failed:
        await stage.uploads.finish()
    assert failed.value.permanent
    assert len(stage.asked) == 1


async def test_an_upload_that_the_hub_objects_to_is_given_up(stage: Stage) -> None:
    stage.answers = False
    stage.add("a.bin")
    await until(lambda: len(stage.asked) == 1)
    stage.uploads.fault("something else")
    stage.uploads.fault("a.bin: 5 bytes; at most 4 are taken")
    with pytest.raises(TransferFailed, match="at most 4"):
        await stage.uploads.finish()


async def test_of_the_previews_the_latest_goes_up_each_under_a_name_of_its_own(stage: Stage) -> None:
    stage.add("first.png", Role.PREVIEW)
    await until(lambda: stage.store.at_once == 1)
    stage.add("second.png", Role.PREVIEW)
    stage.add("third.png", Role.PREVIEW)
    stage.store.open.set()
    await until(lambda: len(stage.store.names) == 2)
    await stage.uploads.stop()
    assert stage.store.names == ["first.png", "third-2.png"]
    assert stage.uploads.names == ()


async def test_the_result_does_not_wait_for_previews(stage: Stage) -> None:
    stage.add("preview.png", Role.PREVIEW)
    await until(lambda: stage.store.at_once == 1)
    await stage.uploads.finish()
    await stage.uploads.stop()


@pytest.mark.parametrize(
    ("fault", "name", "about"),
    [
        ("a.png: stored with another hash", "a.png", True),
        ("no artifact named 'a.png'", "a.png", True),
        ("the artifact 1", "1", True),
        ("job 17: seq 1 follows 3", "7", False),
        ("data.png: missing", "a.png", False),
        ("a.png-2: missing", "a.png", False),
    ],
)
def test_a_fault_is_about_the_artifact_that_it_names(fault: str, name: str, about: bool) -> None:
    assert mentions(fault, name) is about
