"""Showing pictures once more in the channel, where others see what was drawn in a thread."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_stable_diffusion.commands.base import HubCommand

DISCORD = "discord"
"""The frontend that has threads in channels."""


class KeepParams(tron.Params):
    """Which pictures, and what is said of them."""

    images: list[tron.Attachment] = tron.Input("The pictures", accept="image/*")
    text: str = tron.Prompt("What is said of them", max_length=1000, default="")


class Keep(HubCommand):
    """Post pictures again: from a thread into its channel, elsewhere where it was asked."""

    name = "picture-keep"
    command = tron.Command("keep", summary="Post pictures once more, in the channel of a thread")
    params = KeepParams

    async def run(self, params: KeepParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """In a thread, a job of its own posts them; its target is the channel already."""
        assert ctx.asker is not None, "runs on the hub"
        own = await self.app.job(ctx.job)
        channel = ctx.asker.channel
        if channel is not None and _is_elsewhere(own.target, channel):
            request = tron.JobRequest(
                self.name,
                params.model_dump(mode="json"),
                own.requester,
                tron.Target(DISCORD, {"channel": channel}),
                guild=own.guild,
                channel=channel,
                idempotency_key=f"{own.id}-kept",
                parent=own.id,
                requester_name=own.requester_name,
            )
            try:
                await self.app.submit(request)
            except tron.TronError as error:
                raise ExecutorError(error.message, "invalid") from error
            return {"text": "They are in the channel, too."}
        for number, file in enumerate(ctx.inputs("images"), start=1):
            ending = mimetypes.guess_extension(file.media_type) or ".png"
            ctx.artifact(f"kept-{number}{ending}", file.media_type, file.path)
        kept = f"Kept by {own.requester_name}" if own.requester_name else "Kept"
        return {"text": f"{kept}: {params.text}" if params.text else f"{kept}."}


def _is_elsewhere(target: tron.Target | None, channel: str) -> bool:
    return target is not None and target.frontend == DISCORD and str(target.address.get("channel")) != channel
