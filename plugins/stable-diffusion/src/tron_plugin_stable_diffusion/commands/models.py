"""The catalogue of models: listed for everybody, changed by administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion.adding import MAX_DESCRIPTION, add_model
from tron_plugin_stable_diffusion.as_json import model_json
from tron_plugin_stable_diffusion.catalogue import Model
from tron_plugin_stable_diffusion.changing import DEFAULTS, ModelDefaults, changes_of
from tron_plugin_stable_diffusion.commands.base import HubCommand, NoParams, name_and_rest, wrong

MODEL = "The model, OWNER/NAME"


class ModelParams(tron.Params):
    """Which model."""

    model: str = tron.Prompt(MODEL, max_length=128)


class _OfModel(HubCommand):
    """A command whose first word is a model of the catalogue."""

    def choices(self, field: str) -> Sequence[str]:
        return tuple(self.service.catalogue.models) if field == "model" else ()


class ListModels(HubCommand):
    """The models that may be asked for where it is asked."""

    name = "picture-models"
    command = tron.Command("model-list", aliases=["models"], summary="List the models that draw")
    params = NoParams

    def demo(self) -> tron.Demo:
        """Those there are."""
        return tron.Demo({})

    async def do(self, params: NoParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """A line for each; those that a connected worker has are marked."""
        catalogue, here = await self.service.refresh(), self.service.announced()
        offered = catalogue.offered(asker.guild)
        own = [
            Model(name, "a worker's own", approved=True)
            for name in here
            if catalogue.find(name) is None and catalogue.allows(asker.guild, name)
        ]
        shown = [*offered, *own]
        waiting = [model.name for model in catalogue.models.values() if not model.approved]
        lines = [_line(model, model.name in here) for model in shown] or ["There is no model."]
        if waiting:
            lines.append(f"Waiting for approval: {', '.join(waiting)}.")
        return {"text": "\n".join(lines), "models": [model_json(model, here) for model in shown]}


def _line(model: Model, here: bool) -> str:
    there = "a worker has it" if here else "no worker has it now"
    return f"**{model.name}** · {model.description or model.kind} · {there}"


class ShowModel(_OfModel):
    """All that is known of a model."""

    name = "picture-model-show"
    command = tron.Command("model-show", summary="What is known of a model")
    params = ModelParams

    async def do(self, params: ModelParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """A line for each fact."""
        model = (await self.service.refresh()).model(params.model)
        return {"text": "\n".join(described(model)), "model": model_json(model, self.service.announced())}


def described(model: Model) -> list[str]:
    """A model in words."""
    least, most = model.min_steps or 1, model.max_steps or 150
    lines = [f"**{model.name}** · {model.description or 'no description'}"]
    lines.append(f"{model.kind}, {'approved' if model.approved else 'waits for approval'}")
    lines.append(f"steps: {model.steps or 'the worker’s'} ({least} to {most})")
    fields = ("resolution", "guidance", "scheduler", "positive_prompt", "negative_prompt")
    lines += [f"{field}: {getattr(model, field)}" for field in fields if getattr(model, field) is not None]
    lines.append(f"GPU memory: {model.gpu_memory_mb} MiB" if model.gpu_memory_mb else "runs without a GPU, too")
    lines += [f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in model.facts.items()]
    return lines


class AddParams(tron.Params):
    """Which model, and what it is."""

    model: str = tron.Prompt("OWNER/NAME as on Hugging Face, then a description", max_length=700)


class AddModel(HubCommand):
    """Add a model to the catalogue, where it waits for approval."""

    name = "picture-model-add"
    command = tron.Command("model-add", summary="Add a model to the catalogue", example="stabilityai/sd-turbo One step")
    params = AddParams
    for_administrators = True

    async def do(self, params: AddParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """With what Hugging Face says of it."""
        name, description = name_and_rest(params.model)
        # discord-tron-master wants to be told that it is for pictures.
        kind, after = name_and_rest(description)
        model, said = await add_model(self.service, name, after if kind == "image" else description, asker.requester)
        text = f"{model.name} is in the catalogue and waits for approval (`model-approve {model.name}`). {said}"
        return {"text": text.strip(), "model": model_json(model, self.service.announced())}


class ApproveParams(ModelParams):
    """Which model."""

    withdraw: bool = tron.Setting(False, saved=False, help="Take the approval back")


class ApproveModel(_OfModel):
    """Let people ask for a model, or no longer."""

    name = "picture-model-approve"
    command = tron.Command("model-approve", summary="Let people ask for a model", example="stabilityai/sd-turbo")
    params = ApproveParams
    for_administrators = True

    async def do(self, params: ApproveParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From the next request on."""
        model = await self.service.change_model(params.model, approved=not params.withdraw)
        return {"text": f"{model.name} {'is approved' if model.approved else 'waits for approval'}."}


class DeleteModel(_OfModel):
    """Take a model out of the catalogue."""

    name = "picture-model-delete"
    command = tron.Command("model-delete", summary="Take a model out of the catalogue")
    params = ModelParams
    for_administrators = True

    async def do(self, params: ModelParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """A worker that has it may go on offering it; withdraw the approval to end that."""
        model = await self.service.delete_model(params.model)
        return {"text": f"{model.name} is not in the catalogue any more."}


class DescribeParams(tron.Params):
    """Which model, and what it is."""

    model: str = tron.Prompt("OWNER/NAME, then the description", max_length=128 + 1 + MAX_DESCRIPTION)


class DescribeModel(HubCommand):
    """Say what a model is."""

    name = "picture-model-description"
    command = tron.Command("model-description", summary="Describe a model", example="tron/shapes Circles and squares")
    params = DescribeParams
    for_administrators = True

    async def do(self, params: DescribeParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From now on."""
        name, description = name_and_rest(params.model)
        model = await self.service.change_model(name, description=description[:MAX_DESCRIPTION])
        return {"text": f"{model.name}: {model.description or 'no description'}"}


class AllowParams(ModelParams):
    """Which model."""

    remove: bool = tron.Setting(False, saved=False, help="Take it from the list")


class AllowModel(_OfModel):
    """Say which models may be asked for on a server; without such a list, all that are approved."""

    name = "picture-model-allow"
    command = tron.Command("model-allow", summary="Allow a model on this server", example="tron/shapes")
    params = AllowParams
    for_administrators = True
    of_the_guild = True

    async def check(self, params: AllowParams, request: tron.JobRequest) -> None:
        if request.guild is None:
            raise tron.Refused("This is about a server; use it there. For any server: tron image-models allow.")

    async def do(self, params: AllowParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From the next request on."""
        assert asker.guild is not None, "checked before"
        listed = await self.service.allow_model(asker.guild, params.model, not params.remove)
        text = f"Allowed on this server: {', '.join(listed)}." if listed else "Every approved model is allowed here."
        return {"text": text, "allowed": listed}


class DefaultsParams(ModelDefaults, ModelParams):
    """Which model, and what holds for it."""

    reset: bool = tron.Setting(False, saved=False, help="Leave all that is not given to the worker")


class DefaultsOfModel(_OfModel):
    """Say what holds where people ask a model for nothing else."""

    name = "picture-model-defaults"
    command = tron.Command(
        "model-defaults", summary="Set a model's defaults", example="tron/shapes --steps 20 --guidance 3"
    )
    params = DefaultsParams
    for_administrators = True

    async def check(self, params: DefaultsParams, request: tron.JobRequest) -> None:
        if not params.reset and all(getattr(params, field) is None for field in DEFAULTS):
            names = ", ".join(f"--{field.replace('_', '-')}" for field in DEFAULTS)
            raise wrong("model", params.model, "say what is to change", f"{names}, --reset")

    async def do(self, params: DefaultsParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From the next request on."""
        model = await self.service.change_model(params.model, **changes_of(params, reset=params.reset))
        return {"text": "\n".join(described(model)), "model": model_json(model, self.service.announced())}
