"""What the routes share, one object for each app."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from tron_core.frontends.http.limits import Buckets
from tron_core.frontends.http.metrics import Metrics
from tron_core.services import Services


@dataclass(slots=True)
class HttpState:
    """``stopping`` is set when streams must end; ``requests`` and ``logins`` are the two limits of rate."""

    services: Services
    requests: Buckets
    logins: Buckets
    metrics: Metrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def state_of(request: Request) -> HttpState:
    """The state of the app that serves ``request``."""
    return cast(HttpState, request.app.state.http)


def services_of(request: Request) -> Services:
    """The hub's services."""
    return state_of(request).services


State = Annotated[HttpState, Depends(state_of)]
Hub = Annotated[Services, Depends(services_of)]
