"""What people read where there is much of something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tron_core as tron
from tron_core.hooks import hookimpl
from tron_core.testing.discord import Member, Place
from tron_core.worker import ExecutionContext


class NothingParams(tron.Params):
    pass


class Many:
    """A plugin with twenty capabilities."""

    @hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [_capability(f"many{number:02}") for number in range(20)]


def _capability(called: str) -> tron.Capability:
    class One(tron.Capability):
        name = called
        command = tron.Command(called)
        params = NothingParams
        runs_on = "hub"

        async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
            return {}

    return One()


async def test_a_worker_that_offers_much_is_told_in_a_line(hubs: Any, alice: Member, general: Place) -> None:
    async with hubs.running(further={"many": Many()}):
        await alice.say("!workers")
        text = (await general.next_reply()).content
    first = ", ".join(["echo", "frame", *(f"many{number:02}" for number in range(10))])
    assert f"{first} and 14 more" in text
