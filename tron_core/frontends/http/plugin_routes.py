"""The routes of plugins: below ``/api/v1/plugins/<name>``, and at the root where a plugin returns a router."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from fastapi import APIRouter, FastAPI, Security
from starlette.routing import BaseRoute, Match, Route

from tron_core.auth.principal import Scope
from tron_core.frontends.http.auth import Needs
from tron_core.plugins import Outcome, PerPlugin, Plugins

logger = logging.getLogger(__name__)

HOOK = "tron_register_routes"
_PARAMETER = re.compile(r"\{[^}]*\}")


async def install(app: FastAPI, plugins: Plugins, *, prefix: str) -> None:
    """Add what every plugin has. One that raises, or whose path is taken, is left out and logged."""
    routers: dict[str, APIRouter] = {}

    def own_router(plugin: str) -> APIRouter:
        routers[plugin] = APIRouter()
        return routers[plugin]

    async for outcome in plugins.call_each(HOOK, router=PerPlugin(own_router)):
        if outcome.error is None:
            _add(app, outcome, routers.get(outcome.plugin), prefix)


def _add(app: FastAPI, outcome: Outcome, router: APIRouter | None, prefix: str) -> None:
    plugin = outcome.plugin
    try:
        if router is not None:
            app.include_router(
                router, prefix=f"{prefix}/{plugin}", tags=[plugin], dependencies=[Security(Needs(Scope.USER))]
            )
        if outcome.value is not None:
            _add_at_root(app, plugin, outcome.value)
    except Exception:
        logger.exception("plugin %s: its routes are left out", plugin, extra={"plugin": plugin})


def _add_at_root(app: FastAPI, plugin: str, router: object) -> None:
    if not isinstance(router, APIRouter):
        raise TypeError(f"{HOOK} returns None or an APIRouter, not {type(router).__name__}")
    taken = sorted(_taken(app.router.routes, router))
    if taken:
        logger.error(
            "plugin %s: its root routes are left out, as others have %s",
            plugin,
            ", ".join(taken),
            extra={"plugin": plugin},
        )
        return
    app.include_router(router, tags=[plugin])


def _taken(routes: list[BaseRoute], router: APIRouter) -> Iterator[str]:
    """The calls of ``router`` that one of ``routes`` answers already."""
    for route in router.routes:
        if not isinstance(route, Route):
            continue
        path = _PARAMETER.sub("x", route.path)
        for method in route.methods or ():
            scope = {"type": "http", "path": path, "method": method, "root_path": "", "headers": []}
            if any(known.matches(scope)[0] is Match.FULL for known in routes):
                yield f"{method} {route.path}"
