"""What the commands have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_stable_diffusion.service import Service


class NoParams(tron.Params):
    """Nothing has to be said."""


class HubCommand(tron.Capability):
    """Answered by the hub itself. ``for_administrators``: of the guild where it is asked, or of the hub;
    ``of_the_guild``: what it changes is that guild's alone."""

    runs_on: ClassVar[Any] = "hub"
    for_administrators: ClassVar[bool] = False
    of_the_guild: ClassVar[bool] = False

    def __init__(self, service: Service) -> None:
        self.service = service

    def requirements(self, params: Any) -> tron.Requirements:
        """Nothing: a field named ``model`` asks no worker for one."""
        return tron.Requirements()

    def expected_seconds(self, params: Any) -> float:
        """No time, as nobody is asked."""
        return 0.1

    async def check(self, params: Any, request: tron.JobRequest) -> None:
        """Raise Refused or InvalidParams before the request becomes a job."""

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Do it, and say what was done."""
        assert ctx.asker is not None, "runs on the hub"
        try:
            return await self.do(params, ctx.asker, ctx.job)
        except tron.TronError as error:
            raise ExecutorError(error.message, "invalid") from error

    async def do(self, params: Any, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """The work; returns the output, whose ``text`` is the reply."""
        raise NotImplementedError


def name_and_rest(text: str) -> tuple[str, str]:
    """The first word of a text, and what follows it."""
    name, _, rest = text.strip().partition(" ")
    return name, rest.strip()


def wrong(name: str, value: Any, message: str, allowed: str) -> tron.InvalidParams:
    """The error of a field."""
    problem = {"field": name, "value": value, "message": message, "allowed": allowed}
    shown = "" if value in (None, "") else f" ({value})"
    return tron.InvalidParams(f"{name}{shown}: {message}; allowed: {allowed}", details={"errors": [problem]})


def count(number: int, what: str) -> str:
    """``1 model``, ``2 models``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
