"""The OAuth 2 token endpoint."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tron_core.frontends.http.limits import Buckets
from tron_core.frontends.http.state import HttpState
from tron_core.services import Services

URL = "/api/v1/token"


async def ask(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post(URL, data=fields)


async def test_an_api_key_is_exchanged_for_tokens_that_work(nobody: httpx.AsyncClient, sign_up: Any) -> None:
    caller = await sign_up("alice")
    answer = await ask(
        nobody, grant_type="client_credentials", client_id=caller.client_id, client_secret=caller.api_key
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, "user")
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await nobody.get("/api/v1/jobs", headers=headers)).status_code == 200


async def test_the_client_may_say_who_it_is_in_the_header(nobody: httpx.AsyncClient, sign_up: Any) -> None:
    caller = await sign_up("alice")
    basic = base64.b64encode(f"{caller.client_id}:{caller.api_key}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    answer = await nobody.post(URL, data={"grant_type": "client_credentials"}, headers=headers)
    assert answer.status_code == 200


async def test_a_person_signs_in_with_name_and_password(nobody: httpx.AsyncClient, services: Services) -> None:
    await services.auth.create_user("alice", "secret")
    answer = await ask(nobody, grant_type="password", username="alice", password="secret")
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await nobody.get("/api/v1/jobs", headers=headers)).status_code == 200
    again = await ask(nobody, grant_type="refresh_token", refresh_token=answer.json()["refresh_token"])
    assert again.status_code == 200


async def test_a_refresh_token_is_exchanged_for_another_pair(nobody: httpx.AsyncClient, sign_up: Any) -> None:
    caller = await sign_up("alice")
    answer = await ask(nobody, grant_type="refresh_token", refresh_token=caller.refresh_token)
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != caller.refresh_token


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
    ],
)
async def test_errors_are_in_the_words_of_rfc_6749_too(
    nobody: httpx.AsyncClient, fields: dict[str, str], status: int, error: str
) -> None:
    answer = await ask(nobody, **fields)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["error"], problem["code"]) == (error, error)
    assert problem["error_description"] == problem["detail"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"grant_type": "refresh_token"}', "application/json"),
        (b"grant_type=refresh_token&grant_type=refresh_token", "application/x-www-form-urlencoded"),
        (b"\xff=1", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_form_is_refused(nobody: httpx.AsyncClient, content: bytes, kind: str) -> None:
    answer = await nobody.post(URL, content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_guessing_is_limited_and_signing_in_is_not(
    nobody: httpx.AsyncClient, sign_up: Any, state: HttpState
) -> None:
    caller = await sign_up("alice")
    state.logins = Buckets(3, state.services.clock, what="failed sign-ins")
    key = {"grant_type": "client_credentials", "client_id": caller.client_id}
    for _ in range(10):
        assert (await ask(nobody, **key, client_secret=caller.api_key)).status_code == 200
    answers = [await ask(nobody, **key, client_secret="wrong") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) > 1
    assert (await ask(nobody, **key, client_secret=caller.api_key)).status_code == 429
