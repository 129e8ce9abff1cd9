"""REST as commands speak it: errors as sentences, pages as one list, the hub that runs found or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tron_core.cli.hub_client import HubAway, HubClient, dialled, find_hub, require_hub
from tron_core.cli.submit import post_job
from tron_core.config import load
from tron_core.errors import ConfigError, TronError
from tron_core.run_file import RunFile

Answer = Callable[[httpx.Request], httpx.Response]


def client_of(answer: Answer) -> HubClient:
    return HubClient("http://hub", "secret", transport=httpx.MockTransport(answer))


def test_pages_are_one_list() -> None:
    pages = {None: (["a", "b"], "2"), "2": (["c"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, following = pages[request.url.params.get("cursor")]
        assert request.headers["Authorization"] == "Bearer secret"
        return httpx.Response(200, json={"items": items, "next": following})

    assert client_of(answer).items("/jobs") == ["a", "b", "c"]
    assert client_of(answer).items("/jobs", most=1) == ["a"]


def test_a_problem_document_is_raised_as_its_sentence() -> None:
    problem = {"detail": "There is no job X", "code": "not_found", "status": 404}
    with pytest.raises(TronError) as caught:
        client_of(lambda request: httpx.Response(404, json=problem)).get("/jobs/X")
    assert (caught.value.message, caught.value.code, caught.value.status) == ("There is no job X", "not_found", 404)


def test_what_is_no_hub_is_said() -> None:
    with pytest.raises(TronError, match="HTTP 502, and not from a hub"):
        client_of(lambda request: httpx.Response(502, text="<html>Bad gateway")).get("/jobs")


def test_a_hub_that_does_not_answer_is_away() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(HubAway, match="the hub at http://hub does not answer: refused"):
        client_of(refuse).get("/jobs")
    assert not client_of(refuse).is_ready()


def test_a_submission_whose_answer_was_lost_is_sent_again_under_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ReadError("cut", request=request)
        return httpx.Response(202, json={"id": "01J"})

    assert post_job(client_of(answer), "echo", {"text": "hi"}) == {"id": "01J"}
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_an_upload_carries_its_name_and_a_download_no_token(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        return (
            httpx.Response(201, json={"id": "01A"}) if request.method == "POST" else httpx.Response(200, content=b"x")
        )

    (tmp_path / "sea & sky.png").write_bytes(b"png")
    client = client_of(answer)
    assert client.upload(tmp_path / "sea & sky.png")["id"] == "01A"
    assert b"".join(client.download("http://store/picture.png")) == b"x"
    assert (seen[0].headers["X-Filename"], seen[0].content) == ("sea%20%26%20sky.png", b"png")
    assert "Authorization" not in seen[1].headers


@pytest.mark.parametrize(
    ("bound", "dial"),
    [
        ("http://0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("ws://[::]:6789", "ws://[::1]:6789"),
        ("https://hub.example.org", "https://hub.example.org"),
    ],
)
def test_what_is_bound_to_every_address_is_dialled_at_loopback(bound: str, dial: str) -> None:
    assert dialled(bound) == dial


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def test_without_a_run_file_there_is_no_hub(folder: Path) -> None:
    assert find_hub(load()) is None
    with pytest.raises(ConfigError, match="start one with `tron run`"):
        require_hub(load())
    with pytest.raises(ConfigError, match="--token: no hub runs in"):
        find_hub(load(), token="somebody's")


def test_the_file_of_a_hub_that_was_killed_is_not_believed(folder: Path) -> None:
    dead = 2**22 + 1  # above the largest process id of Linux
    (folder / "run.json").write_text(
        json.dumps({"http": "http://127.0.0.1:1", "hub": "ws://127.0.0.1:2", "pid": dead, "token": "t"})
    )
    assert find_hub(load()) is None


def test_a_process_that_does_not_answer_is_no_hub(folder: Path) -> None:
    RunFile(folder).write(http="http://127.0.0.1:1", hub="ws://127.0.0.1:2", token="t")
    assert find_hub(load()) is None
