"""What the plugin's capabilities, routes and hooks share: the catalogue, the settings, and changes of both."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

import tron_core as tron
from tron_plugin_stable_diffusion import records
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.config import HubConfig
from tron_plugin_stable_diffusion.deriving import Situation, derive
from tron_plugin_stable_diffusion.huggingface import HuggingFace
from tron_plugin_stable_diffusion.word_filter import WordFilter

MAX_MODELS = 1000
MAX_SCHEDULERS = 100


class Service:
    """One for each hub. ``now`` gives seconds since the epoch, ``draw_seed`` a number below its argument."""

    app: tron.App

    def __init__(
        self, *, now: Callable[[], float] = time.time, draw_seed: Callable[[int], int] = secrets.randbelow
    ) -> None:
        self.now = now
        self.config = HubConfig()
        self.catalogue = Catalogue()
        self._draw_seed = draw_seed
        self._blocked = WordFilter([])
        self._adult = WordFilter([])

    async def start(self, app: tron.App) -> None:
        """Read the settings and the catalogue."""
        self.app = app
        self._changing = asyncio.Lock()
        self.config = app.config(HubConfig)
        self._blocked = WordFilter(self.config.blocked_prompts)
        self._adult = WordFilter(self.config.adult_prompts)
        await self.refresh()

    @property
    def started(self) -> bool:
        """Whether the hub started the plugin: it may be disabled while another builds on it."""
        return hasattr(self, "app")

    async def refresh(self) -> Catalogue:
        """The catalogue as it is in the database: another hub may have changed it."""
        self.catalogue = await self.app.database.read(records.load)
        return self.catalogue

    def huggingface(self) -> HuggingFace:
        """Where the metadata of models come from."""
        token = self.config.huggingface_token
        return HuggingFace(self.config.huggingface_url, token.get_secret_value() if token else None)

    def announced(self, capability: str = "txt2img") -> list[str]:
        """The models that connected workers have."""
        return list(self.app.choices(capability, "model"))

    # Requests

    async def derive(self, request: tron.JobRequest) -> tron.JobRequest:
        """The request with its params completed, see ``deriving``; raises Refused and InvalidParams."""
        nsfw = self.allows_adult(request)
        self.check_prompt(request.params, nsfw=nsfw)
        where = await self.situation(guild=request.guild, capability=request.capability, nsfw=nsfw)
        return replace(request, params=derive(request.params, where))

    async def situation(self, *, guild: str | None, capability: str = "txt2img", nsfw: bool = False) -> Situation:
        """What decides how a request is completed."""
        return Situation(
            catalogue=await self.refresh(),
            draw_seed=self._draw_seed,
            guild=guild,
            announced=self.announced(capability),
            default_model=self.config.default_model,
            nsfw=nsfw,
        )

    def allows_adult(self, request: tron.JobRequest) -> bool:
        """Whether pictures are not filtered where a request comes from."""
        adult = self.config.adult
        return adult == "always" or (adult == "age-restricted" and request.nsfw)

    def check_prompt(self, params: Mapping[str, Any], *, nsfw: bool) -> None:
        """Raise Refused for words that are not allowed."""
        texts = [params.get("prompt"), params.get("positive_prompt")]
        if (word := self._blocked.found(*texts)) is not None:
            raise tron.Refused(f"prompt: {word!r} is not allowed here.", code="blocked_prompt")
        if not nsfw and (word := self._adult.found(*texts)) is not None:
            where = "" if self.config.adult == "never" else "; it is in age-restricted channels"
            raise tron.Refused(f"prompt: {word!r} is not allowed here{where}.", code="blocked_prompt")

    def check_rights(self, request: tron.JobRequest, *, of_the_guild: bool = False) -> None:
        """Raise Refused unless the asker may change the catalogue, or (``of_the_guild``) what their guild allows."""
        guilds = () if of_the_guild else self.config.catalogue_guilds
        if not request.admin:
            raise tron.Refused("This is for administrators: those who may manage the server.", code="forbidden")
        if request.guild is not None and guilds and request.guild not in guilds:
            raise tron.Refused(
                "The catalogue is one for all servers, and is not changed from this one.", code="forbidden"
            )

    # Changes

    async def add_model(self, model: Model) -> Model:
        """A new model; raises Refused where there is one of that name."""
        async with self._changing:
            catalogue = await self.refresh()
            if (there := catalogue.find(model.name)) is not None:
                raise tron.Refused(f"model ({model.name}): {there.name} is in the catalogue already.", code="conflict")
            if len(catalogue.models) >= MAX_MODELS:
                raise tron.Refused(f"The catalogue holds {MAX_MODELS} models, and that is all there may be.")
            await self._write(lambda connection: records.add_model(connection, model))
        return self.catalogue.models[model.name]

    async def change_model(self, name: str, **changes: Any) -> Model:
        """A model, changed; raises Refused for an unknown model or scheduler, and for steps out of order."""
        async with self._changing:
            catalogue = await self.refresh()
            changed = replace(catalogue.model(name), **changes)
            if changed.scheduler is not None:
                catalogue.scheduler(changed.scheduler)
            _check_steps(changed)
            await self._write(lambda connection: records.change_model(connection, changed.name, changes))
        return self.catalogue.models[changed.name]

    async def delete_model(self, name: str) -> Model:
        """Remove a model; raises Refused where there is none."""
        async with self._changing:
            model = (await self.refresh()).model(name)
            await self._write(lambda connection: records.delete_model(connection, model.name))
        return model

    async def allow_model(self, guild: str, name: str, allowed: bool = True) -> list[str]:
        """Let a model be on a guild's list, or not; returns the list. Raises Refused for an unknown model."""
        async with self._changing:
            catalogue = await self.refresh()
            listed = catalogue.allowed.get(guild, frozenset())
            # A worker's own model may be listed, and what was listed may have left the catalogue.
            found = catalogue.find(name)
            known = found.name if found else name if name in listed or name in self.announced() else None
            if known is None:
                known = catalogue.model(name).name
            await self._write(lambda connection: records.allow_model(connection, guild, known, allowed))
        return sorted(self.catalogue.allowed.get(guild, frozenset()))

    async def add_scheduler(self, scheduler: Scheduler) -> Scheduler:
        """A new scheduler; raises Refused where there is one of that name."""
        async with self._changing:
            catalogue = await self.refresh()
            if scheduler.name in catalogue.schedulers:
                raise tron.Refused(f"scheduler ({scheduler.name}): there is one already.", code="conflict")
            if len(catalogue.schedulers) >= MAX_SCHEDULERS:
                raise tron.Refused(f"There are {MAX_SCHEDULERS} schedulers, and that is all there may be.")
            await self._write(lambda connection: records.add_scheduler(connection, scheduler))
        return self.catalogue.schedulers[scheduler.name]

    async def change_scheduler(self, name: str, **changes: Any) -> Scheduler:
        """A scheduler, changed; raises Refused where there is none."""
        async with self._changing:
            known = (await self.refresh()).scheduler(name)
            await self._write(lambda connection: records.change_scheduler(connection, known.name, changes))
        return self.catalogue.schedulers[known.name]

    async def delete_scheduler(self, name: str) -> Scheduler:
        """Remove a scheduler; raises Refused where there is none."""
        async with self._changing:
            known = (await self.refresh()).scheduler(name)
            await self._write(lambda connection: records.delete_scheduler(connection, known.name))
        return known

    async def _write(self, change: Callable[[Connection], None]) -> None:
        await self.app.database.write(change)
        await self.refresh()


def _check_steps(model: Model) -> None:
    least, most = model.min_steps or 1, model.max_steps or 150
    if not least <= (model.steps or least) <= most:
        raise tron.Refused(f"steps ({model.steps}): not from min_steps to max_steps; allowed: {least} to {most}.")
