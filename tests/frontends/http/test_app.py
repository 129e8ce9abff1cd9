"""What is true of every call: problems, health, metrics, the description, plugins' routes, the page."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import APIRouter
from openapi_spec_validator import OpenAPIV31SpecValidator

from tron_core.auth.principal import Scope
from tron_core.frontends.http.app import build
from tron_core.frontends.http.metrics import Metrics
from tron_core.frontends.http.state import HttpState
from tron_core.hooks import hookimpl
from tron_core.http import Admin, User
from tron_core.plugins import Plugins
from tron_core.services import Services

Client = httpx.AsyncClient


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/jobs/", 404, "not_found"),
        ("PATCH", "/api/v1/jobs", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_the_router_s_own_errors_are_problems_too(
    nobody: Client, method: str, path: str, status: int, code: str
) -> None:
    answer = await nobody.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert path in answer.json()["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_nobody_foresaw_shows_a_reference_and_nothing_else(
    alice: Client, services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("the secret of the hub")

    monkeypatch.setattr(services.scheduler, "availability", fail)
    answer = await alice.get("/capabilities")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.json()["reference"] in caplog.text
    assert "the secret of the hub" in caplog.text


async def test_health_needs_no_token(nobody: Client, services: Services) -> None:
    assert (await nobody.get("/healthz")).json() == {"status": "ok"}
    assert (await nobody.get("/readyz")).status_code == 200
    services.ready = lambda: False
    stopping = await nobody.get("/readyz")
    assert (stopping.status_code, stopping.json()["code"]) == (503, "not_ready")
    assert (await nobody.get("/healthz")).status_code == 200


async def test_metrics_count_jobs_workers_and_answers(
    alice: Client, nobody: Client, state: HttpState, services: Services
) -> None:
    state.metrics.listen(services.bus)
    body = {"capability": "echo", "params": {"text": "x"}}
    await alice.post("/jobs", json=body, headers={"Prefer": "wait=20"})
    job = (await alice.post("/jobs", json={"capability": "afar", "params": {"prompt": "x"}})).json()["id"]
    for _ in range(2):
        await alice.get(f"/jobs/{job}")
    await alice.post(f"/jobs/{job}/actions/7")
    await nobody.get("/nowhere/at/all")
    text = (await nobody.get("/metrics")).text
    for line in [
        'tron_jobs_total{capability="echo",state="succeeded"} 1.0',
        'tron_workers{state="idle"} 1.0',
        "tron_jobs_queued 1.0",
        "tron_jobs_running 0.0",
        'tron_http_request_seconds_count{method="POST",route="/api/v1/jobs",status="200"} 1.0',
        'tron_http_request_seconds_count{method="GET",route="/api/v1/jobs/{job}",status="200"} 2.0',
        'tron_http_request_seconds_count{method="POST",route="/api/v1/jobs/{job}/actions/{number}",status="404"} 1.0',
        'tron_http_request_seconds_count{method="GET",route="unmatched",status="404"} 1.0',
    ]:
        assert line in text


def test_two_hubs_in_one_process_have_metrics_of_their_own(services: Services) -> None:
    first, second = Metrics(services.scheduler), Metrics(services.scheduler)
    first.answered("GET", "/x", 200, 0.1)
    assert b"/x" in first.text()
    assert b"/x" not in second.text()


async def test_the_description_is_valid_and_knows_each_capability(nobody: Client) -> None:
    document = (await nobody.get("/openapi.json")).json()
    OpenAPIV31SpecValidator(document).validate()
    body = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {each["$ref"].rpartition("/")[2] for each in body["oneOf"]} == {"afar.job", "echo.job", "held.job"}
    schema = {**body, "components": document["components"]}
    jsonschema.validate({"capability": "echo", "params": {"text": "x", "mood": "loud"}}, schema)
    for wrong in ({"capability": "ecko"}, {"capability": "echo", "params": {"text": "x", "times": 9}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


async def test_every_call_of_the_design_is_described(nobody: Client) -> None:
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    calls = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert calls >= {
        "POST /api/v1/token", "GET /api/v1/capabilities", "POST /api/v1/jobs", "GET /api/v1/jobs",
        "GET /api/v1/jobs/{job}", "DELETE /api/v1/jobs/{job}", "POST /api/v1/jobs/{job}/retry",
        "POST /api/v1/jobs/{job}/actions/{number}", "GET /api/v1/jobs/{job}/events", "POST /api/v1/uploads",
        "PUT /api/v1/jobs/{job}/artifacts/{name}", "GET /artifacts/{key}/{filename}", "GET /api/v1/settings",
        "PUT /api/v1/settings", "DELETE /api/v1/settings", "GET /api/v1/workers", "POST /api/v1/workers/{name}/drain",
        "GET /api/v1/plugins", "PUT /api/v1/plugins/{name}/state", "GET /api/v1/users", "POST /api/v1/users",
        "PATCH /api/v1/users/{username}", "GET /api/v1/tokens", "POST /api/v1/tokens", "DELETE /api/v1/tokens/{token}",
        "GET /healthz", "GET /readyz", "GET /metrics",
    }  # fmt: skip


async def test_what_is_answered_is_what_is_described(alice: Client, admin: Client, nobody: Client) -> None:
    document = (await nobody.get("/openapi.json")).json()
    job = {"capability": "echo", "params": {"text": "x"}}
    made = await alice.post("/jobs", json=job, headers={"Prefer": "wait=20"})
    upload = await alice.post("/uploads", content=b"hello")
    for method, path, answer in [
        ("post", "/api/v1/jobs", made),
        ("get", "/api/v1/jobs", await alice.get("/jobs")),
        ("get", "/api/v1/capabilities", await alice.get("/capabilities")),
        ("post", "/api/v1/uploads", upload),
        ("get", "/api/v1/workers", await admin.get("/workers")),
        ("get", "/api/v1/plugins", await admin.get("/plugins")),
        ("get", "/api/v1/users", await admin.get("/users")),
        ("get", "/api/v1/tokens", await admin.get("/tokens")),
        ("get", "/healthz", await nobody.get("/healthz")),
    ]:
        described = document["paths"][path][method]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


class Routes:
    """A plugin with routes of its own, below its name and, where ``at_root``, at the root."""

    def __init__(self, at_root: str | None = None, *, broken: bool = False) -> None:
        self._at_root, self._broken = at_root, broken

    @hookimpl
    def tron_register_routes(self, router: APIRouter) -> APIRouter | None:
        async def ping() -> dict[str, bool]:
            return {"pong": True}

        router.add_api_route("/ping", ping)
        if self._broken:
            raise RuntimeError("half done")
        if self._at_root is None:
            return None
        root = APIRouter()
        root.add_api_route(self._at_root, ping)
        return root


async def client_of(state: HttpState, headers: dict[str, str]) -> Client:
    transport = httpx.ASGITransport(app=await build(state))
    return Client(transport=transport, base_url="http://hub.test", headers=headers)


async def test_a_plugin_s_routes_stand_below_its_name_for_users(
    state: HttpState, plugins: Plugins, sign_up: Any
) -> None:
    plugins.register("pinger", Routes("/legacy/ping"))
    plugins.register("breaker", Routes(broken=True))
    async with await client_of(state, (await sign_up("alice")).headers) as client:
        assert (await client.get("/api/v1/plugins/pinger/ping")).json() == {"pong": True}
        assert (await client.get("/legacy/ping")).json() == {"pong": True}
        assert (await client.get("/api/v1/plugins/breaker/ping")).status_code == 404
        client.headers.pop("authorization")
        assert (await client.get("/api/v1/plugins/pinger/ping")).status_code == 401
        assert "/api/v1/plugins/pinger/ping" in (await client.get("/openapi.json")).json()["paths"]


class Guarded:
    """A plugin with a route that wants to know its caller, and one for administrators."""

    @hookimpl
    def tron_register_routes(self, router: APIRouter) -> None:
        @router.get("/me")
        async def me(caller: User) -> dict[str, str]:
            return {"requester": caller.requester}

        @router.delete("/all", status_code=204)
        async def delete_all(caller: Admin) -> None: ...


async def test_a_plugin_s_route_may_know_its_caller_and_be_for_administrators(
    state: HttpState, plugins: Plugins, sign_up: Any
) -> None:
    plugins.register("guarded", Guarded())
    async with await client_of(state, (await sign_up("alice")).headers) as client:
        assert (await client.get("/api/v1/plugins/guarded/me")).json() == {"requester": "api:alice"}
        refused = await client.delete("/api/v1/plugins/guarded/all")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    async with await client_of(state, (await sign_up("root", Scope.ADMIN)).headers) as client:
        assert (await client.delete("/api/v1/plugins/guarded/all")).status_code == 204


@pytest.mark.parametrize("path", ["/healthz", "/artifacts/{one}/{two}", "/api/v1/jobs/{anything}", "/"])
async def test_a_path_that_is_taken_is_refused_and_logged(
    state: HttpState, plugins: Plugins, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    plugins.register("grabber", Routes(path))
    async with await client_of(state, {}) as client:
        assert "pong" not in (await client.get(path)).text
    assert "grabber" in caplog.text
    assert path in caplog.text


async def test_the_page_asks_for_nothing_from_elsewhere(nobody: Client) -> None:
    page = await nobody.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    linked = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert sorted(linked) == ["/static/app.js", "/static/style.css"]
    for path in linked:
        answer = await nobody.get(path)
        assert answer.status_code == 200
        assert "https://" not in answer.text
        assert (await nobody.get(path, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304
    assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", page.text)
