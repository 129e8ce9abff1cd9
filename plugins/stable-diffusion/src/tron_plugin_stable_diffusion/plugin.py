"""What the hooks of the plugin do, on one object that holds what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion import history
from tron_plugin_stable_diffusion.capability import Txt2Img
from tron_plugin_stable_diffusion.commands import COMMANDS
from tron_plugin_stable_diffusion.commands.base import HubCommand
from tron_plugin_stable_diffusion.commands.repeating import RepeatParams
from tron_plugin_stable_diffusion.config import HubConfig
from tron_plugin_stable_diffusion.service import Service


class StableDiffusion:
    """The plugin."""

    config = HubConfig

    def __init__(self) -> None:
        self.service = Service()
        self._commands = {kind.name: kind(self.service) for kind in COMMANDS}

    @property
    def capabilities(self) -> Sequence[tron.Capability]:
        """``txt2img``, and what belongs to it."""
        return [Txt2Img(self.service), *self._commands.values()]

    def add_routes(self, router: Any) -> None:
        """The catalogue over REST."""
        from tron_plugin_stable_diffusion.routes import add_routes  # loads FastAPI, which commands do without

        add_routes(router, self.service)

    async def submitting(self, request: tron.JobRequest) -> tron.JobRequest | None:
        """Complete what is to be drawn, and refuse what may not be asked for."""
        if request.capability == Txt2Img.name:
            return await self.service.derive(request)
        command = self._commands.get(request.capability)
        return None if command is None else await self._check(command, request)

    async def _check(self, command: HubCommand, request: tron.JobRequest) -> tron.JobRequest | None:
        if command.for_administrators:
            self.service.check_rights(request, of_the_guild=command.of_the_guild)
        params = command.parse(request.params)
        await command.check(params, request)
        if not isinstance(params, RepeatParams):
            return None
        return replace(request, params={**request.params, "nsfw": self.service.allows_adult(request)})

    async def stats(self, requester: str) -> str | None:
        """What a person had drawn."""
        database = self.service.app.database
        totals = await database.read(lambda connection: history.totals(connection, requester))
        if not totals.jobs:
            return None
        entries = await database.read(lambda connection: history.newest(connection, requester))
        lines = [f"{totals.pictures} pictures of {totals.prompts} different prompts."]
        lines += [f"{count} × {prompt[:100]}" for prompt, count in history.top_prompts(entries) if count > 1]
        terms = ", ".join(f"{term} ({count})" for term, count in history.top_terms(entries))
        return "\n".join([*lines, f"Your words: {terms}."] if terms else lines)

    async def forget(self, requester: str) -> None:
        """Erase what a person had drawn."""
        await self.service.app.database.write(lambda connection: history.forget(connection, requester))
