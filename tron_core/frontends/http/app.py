"""The ASGI application: every route of the core and of the plugins."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

import tron_core
from tron_core.frontends.http import errors, openapi, plugin_routes
from tron_core.frontends.http.json import MAX_BODY
from tron_core.frontends.http.limits import Buckets
from tron_core.frontends.http.metrics import Metrics
from tron_core.frontends.http.middleware import Boundary
from tron_core.frontends.http.page import page_routes
from tron_core.frontends.http.routes import (
    artifacts,
    audit,
    capabilities,
    guilds,
    health,
    jobs,
    messages,
    overview,
    plugins,
    settings,
    tickets,
    token,
    tokens,
    uploads,
    users,
    workers,
)
from tron_core.frontends.http.state import HttpState
from tron_core.services import Services

API = "/api/v1"
FORM_BYTES = 1 << 16
"""What a form may hold beside its file."""

API_ROUTERS = (
    token.router,
    capabilities.router,
    jobs.router,
    overview.router,
    uploads.router,
    tickets.router,
    settings.router,
    guilds.router,
    workers.router,
    messages.router,
    plugins.router,
    users.router,
    audit.router,
    tokens.router,
)
ROOT_ROUTERS = (health.router, artifacts.router)


def state_for(services: Services) -> HttpState:
    """What the routes share, as the configuration has it."""
    limits = services.settings.limits
    return HttpState(
        services=services,
        requests=Buckets(limits.requests_per_minute, services.clock, what="requests"),
        logins=Buckets(limits.login_attempts_per_minute, services.clock, what="failed sign-ins"),
        metrics=Metrics(services.scheduler),
    )


async def build(state: HttpState) -> ASGIApp:
    """The application around ``state``."""
    services = state.services
    app = FastAPI(
        title="TRON",
        version=tron_core.__version__,
        summary="Ask for pictures, speech and text; workers elsewhere make them.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.http = state
    errors.install(app)
    api = APIRouter(prefix=API)
    for router in API_ROUTERS:
        api.include_router(router)
    app.include_router(api)
    for router in ROOT_ROUTERS:
        app.include_router(router)
    app.router.routes.extend(page_routes(services.settings))
    await plugin_routes.install(app, services.plugins, prefix=f"{API}/plugins")
    openapi.install(app, services.plugins.capabilities)
    largest = max(services.settings.limits.upload_bytes, MAX_BODY) + FORM_BYTES
    return Boundary(app, max_body=largest, observe=state.metrics.answered)
