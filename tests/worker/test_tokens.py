"""Tokens from an endpoint that answers as the test says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tron_core.errors import ConfigError
from tron_core.worker.stopped import ExitCode, WorkerStopped
from tron_core.worker.tokens import TokenSource, WorkerAuth, load_auth

KEY = {"client_id": "c1", "api_key": "secret", "user_id": 7}
NOW = 1_800_000_000.0


class Clock:
    now_is = NOW

    def now(self) -> float:
        return self.now_is

    def monotonic(self) -> float:
        return self.now_is


class Endpoint:
    """Answers each grant with the next of ``answers``."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.grants: list[dict[str, str]] = []

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.grants.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        return self.answers.pop(0)


def source(endpoint: Endpoint, auth: dict[str, Any], path: Path | None = None) -> TokenSource:
    return TokenSource(
        WorkerAuth.model_validate(auth), "http://hub/api/v1/token", endpoint.client(), path=path, clock=Clock()
    )


def token(name: str, age: float = 0.0) -> dict[str, Any]:
    issued = datetime.fromtimestamp(NOW - age, UTC).isoformat()
    return {"access_token": name, "expires_in": 3600, "issued_at": issued, "refresh_token": f"refresh-{name}"}


async def test_a_token_that_is_still_good_is_used() -> None:
    endpoint = Endpoint()
    assert await source(endpoint, {"api_key": KEY, "token": token("t1")}).token() == "t1"
    assert endpoint.grants == []


async def test_an_expired_token_is_replaced_with_the_api_key() -> None:
    endpoint = Endpoint(httpx.Response(200, json=token("t2")))
    tokens = source(endpoint, {"api_key": KEY, "token": token("t1", age=3590)})
    assert [await tokens.token(), await tokens.token()] == ["t2", "t2"]
    assert endpoint.grants == [{"grant_type": "client_credentials", "client_id": "c1", "client_secret": "secret"}]


async def test_a_refresh_token_is_spent_once_and_its_successor_written_down(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    endpoint = Endpoint(httpx.Response(200, json=token("t2")), httpx.Response(200, json=token("t3")))
    tokens = source(endpoint, {"token": token("t1"), "http": "http://hub"}, path)
    assert [await tokens.renew(), await tokens.renew()] == ["t2", "t3"]
    assert [grant["refresh_token"] for grant in endpoint.grants] == ["refresh-t1", "refresh-t2"]

    written = load_auth(path)
    assert written.token is not None
    assert (written.token.refresh_token, written.http) == ("refresh-t3", "http://hub")
    assert path.stat().st_mode & 0o077 == 0


async def test_a_refused_credential_ends_the_worker() -> None:
    endpoint = Endpoint(httpx.Response(401, json={"error": "invalid_client", "error_description": "it was revoked"}))
    with pytest.raises(WorkerStopped, match=r"does not accept the credential c1 .*it was revoked") as stopped:
        await source(endpoint, {"api_key": KEY}).token()
    assert stopped.value.exit_code == ExitCode.REFUSED


async def test_a_hub_in_trouble_does_not_end_the_worker() -> None:
    with pytest.raises(httpx.HTTPError):
        await source(Endpoint(httpx.Response(503)), {"api_key": KEY}).token()


async def test_an_answer_that_is_no_token_says_so() -> None:
    with pytest.raises(WorkerStopped, match="is it the hub's REST side"):
        await source(Endpoint(httpx.Response(200, text="<html>")), {"api_key": KEY}).token()


async def test_without_a_key_and_a_refresh_token_there_is_no_new_token() -> None:
    with pytest.raises(WorkerStopped, match="neither an api key nor a refresh token"):
        await source(Endpoint(), {"token": {"access_token": "t1"}}).renew()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("{", "Invalid JSON"), ("{}", "neither"), ('{"api_key": {}}', "api_key.client_id")],
)
def test_an_auth_file_that_cannot_be_used_says_how_to_make_one(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "auth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="create-client-tokens") as error:
        load_auth(path)
    assert words in error.value.message


def test_an_error_about_the_auth_file_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"api_key": {"api_key": "secret"}}))
    with pytest.raises(ConfigError) as error:
        load_auth(path)
    assert "secret" not in error.value.message
