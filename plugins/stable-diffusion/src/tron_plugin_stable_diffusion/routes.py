"""The catalogue over REST, below ``/api/v1/plugins/stable-diffusion``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from tron_core.http import Admin, User
from tron_plugin_stable_diffusion.adding import MAX_DESCRIPTION, add_model
from tron_plugin_stable_diffusion.as_json import ModelShape, SchedulerShape, model_json, scheduler_json
from tron_plugin_stable_diffusion.catalogue import Model
from tron_plugin_stable_diffusion.changing import ModelDefaults, changes_of
from tron_plugin_stable_diffusion.commands.schedulers import MAX_USES, new_scheduler
from tron_plugin_stable_diffusion.resolutions import RESOLUTIONS
from tron_plugin_stable_diffusion.service import Service
from tron_plugin_stable_diffusion.styles import STYLES

Name = Annotated[str, Field(min_length=1, max_length=128)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
Steps = Annotated[int, Field(ge=1, le=150)]
Guild = Annotated[str, Path(pattern=r"^[0-9]{15,20}$")]


class Models(TypedDict):
    items: list[ModelShape]
    next: None


class Schedulers(TypedDict):
    items: list[SchedulerShape]
    next: None


class Allowed(TypedDict):
    """``models`` is empty where every approved model is allowed."""

    guild: str
    models: list[str]


class NewModel(BaseModel):
    """A model of Hugging Face's, or one that workers have under that name."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description = ""


class ChangedModel(ModelDefaults):
    """What is left out stays; a text ``none`` leaves it to the worker, ``reset`` all that is not given."""

    approved: bool | None = None
    description: str | None = Field(None, max_length=MAX_DESCRIPTION)
    kind: Literal["base", "refiner"] | None = None
    reset: bool = False


class NewScheduler(BaseModel):
    """A class of diffusers, and what its configuration is changed by."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    class_name: str
    args: dict[str, Any] = {}
    description: Description = ""
    min_steps: Steps = 1
    max_steps: Steps = 150


class ChangedScheduler(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    description: Description | None = None
    uses: list[Annotated[str, Field(min_length=1, max_length=50)]] | None = Field(None, max_length=MAX_USES)


def add_routes(router: APIRouter, service: Service) -> None:
    """Add everything to ``router``."""
    _add_models(router, service)
    _add_guilds(router, service)
    _add_schedulers(router, service)

    @router.get("/styles", summary="List styles and resolutions")
    async def list_styles() -> dict[str, list[str]]:
        """Those that are offered; any other resolution within the limits may be asked for as well."""
        return {"styles": list(STYLES), "resolutions": list(RESOLUTIONS)}


def _add_models(router: APIRouter, service: Service) -> None:
    def shown(model: Model) -> ModelShape:
        return model_json(model, service.announced())

    @router.get("/models", summary="List models")
    async def list_models() -> Models:
        """All of the catalogue, those that wait for approval too; the default is the first that is ``available``."""
        return {"items": [shown(model) for model in (await service.refresh()).models.values()], "next": None}

    @router.get("/models/{name:path}", summary="Show a model")
    async def show_model(name: str) -> ModelShape:
        return shown((await service.refresh()).model(name))

    @router.post("/models", status_code=201, summary="Add a model")
    async def add(body: NewModel, caller: Admin) -> ModelShape:
        """It waits for approval. Its ``facts`` are Hugging Face's, where that can be reached."""
        model, _ = await add_model(service, body.name, body.description, caller.requester)
        return shown(model)

    @router.patch("/models/{name:path}", summary="Approve, describe or change a model")
    async def change(name: str, body: ChangedModel, caller: Admin) -> ModelShape:
        named = {key: getattr(body, key) for key in ("approved", "description", "kind")}
        changes = {key: value for key, value in named.items() if value is not None}
        changed = await service.change_model(name, **changes, **changes_of(body, reset=body.reset))
        return shown(changed)

    @router.delete("/models/{name:path}", status_code=204, summary="Delete a model")
    async def delete(name: str, caller: Admin) -> None:
        await service.delete_model(name)


def _add_guilds(router: APIRouter, service: Service) -> None:
    @router.get("/guilds/{guild}/models", summary="List the models that a guild allows")
    async def list_allowed(guild: Guild, caller: User) -> Allowed:
        return {"guild": guild, "models": sorted((await service.refresh()).allowed.get(guild, frozenset()))}

    @router.put("/guilds/{guild}/models/{name:path}", summary="Allow a model in a guild")
    async def allow(guild: Guild, name: str, caller: Admin) -> Allowed:
        """A guild that allows none by name allows every approved model."""
        return {"guild": guild, "models": await service.allow_model(guild, name)}

    @router.delete("/guilds/{guild}/models/{name:path}", summary="Take a model from a guild's list")
    async def disallow(guild: Guild, name: str, caller: Admin) -> Allowed:
        return {"guild": guild, "models": await service.allow_model(guild, name, False)}


def _add_schedulers(router: APIRouter, service: Service) -> None:
    @router.get("/schedulers", summary="List schedulers")
    async def list_schedulers() -> Schedulers:
        return {"items": [scheduler_json(each) for each in (await service.refresh()).schedulers.values()], "next": None}

    @router.post("/schedulers", status_code=201, summary="Add a scheduler")
    async def add(body: NewScheduler, caller: Admin) -> SchedulerShape:
        scheduler = new_scheduler(
            name=body.name,
            class_name=body.class_name,
            args=body.args,
            description=body.description,
            steps=(body.min_steps, body.max_steps),
        )
        return scheduler_json(await service.add_scheduler(scheduler))

    @router.patch("/schedulers/{name}", summary="Describe a scheduler")
    async def change(name: str, body: ChangedScheduler, caller: Admin) -> SchedulerShape:
        changes = body.model_dump(exclude_none=True)
        return scheduler_json(await service.change_scheduler(name, **changes))

    @router.delete("/schedulers/{name}", status_code=204, summary="Delete a scheduler")
    async def delete(name: str, caller: Admin) -> None:
        await service.delete_scheduler(name)
