"""``tron image-models`` and ``tron image-schedulers``: the catalogue of the hub that runs."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from tron_core.console import AsJson, Token, Url, hub_of, print_columns, print_json

ROOT = "/plugins/stable-diffusion"

models = typer.Typer(no_args_is_help=True, help="The models that draw.\n\nExample: tron image-models list")
schedulers = typer.Typer(
    no_args_is_help=True, help="The sampling methods of pictures.\n\nExample: tron image-schedulers list"
)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="A name from `tron image-models list`.")]
Scheduler = Annotated[str, typer.Argument(metavar="NAME", help="A name from `tron image-schedulers list`.")]


@models.command("list")
def list_models(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show the catalogue; the first approved model that a worker has is the default.

    Example: tron image-models list --json
    """
    with hub_of(ctx, url, token) as hub:
        found = hub.items(f"{ROOT}/models")
    if as_json:
        print_json(found)
        return
    head = ["NAME", "KIND", "APPROVED", "WORKER", "DESCRIPTION"]
    print_columns(
        head, ([m["name"], m["kind"], _yes(m["approved"]), _yes(m["available"]), m["description"]] for m in found)
    )


@models.command("show")
def show_model(ctx: typer.Context, name: Name, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show all that is known of a model.

    Example: tron image-models show tron/shapes
    """
    with hub_of(ctx, url, token) as hub:
        _print_model(hub.get(_model(name)), as_json)


@models.command("add")
def add_model(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="As on Hugging Face, or as a worker calls it.")],
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Approve it at once.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Add a model, with what Hugging Face says of it.

    Example: tron image-models add stabilityai/sd-turbo --approve
    """
    with hub_of(ctx, url, token) as hub:
        made = hub.post(f"{ROOT}/models", {"name": name, "description": description})
        if approve:
            made = hub.patch(_model(name), {"approved": True})
    _print_model(made, as_json)


@models.command("approve")
def approve_model(
    ctx: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Take the approval back.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let people ask for a model.

    Example: tron image-models approve stabilityai/sd-turbo
    """
    with hub_of(ctx, url, token) as hub:
        changed = hub.patch(_model(name), {"approved": not undo})
    typer.echo(f"{changed['name']} {'waits for approval' if undo else 'is approved'}")


@models.command("delete")
def delete_model(ctx: typer.Context, name: Name, url: Url = None, token: Token = None) -> None:
    """Take a model out of the catalogue.

    Example: tron image-models delete stabilityai/sd-turbo
    """
    with hub_of(ctx, url, token) as hub:
        hub.delete(_model(name))
    typer.echo(f"{name} is not in the catalogue any more")


@models.command("describe")
def describe_model(
    ctx: typer.Context,
    name: Name,
    description: Annotated[str, typer.Argument(metavar="TEXT", help="What it is.")],
    url: Url = None,
    token: Token = None,
) -> None:
    """Say what a model is.

    Example: tron image-models describe stabilityai/sd-turbo "One step is enough"
    """
    with hub_of(ctx, url, token) as hub:
        changed = hub.patch(_model(name), {"description": description})
    typer.echo(f"{changed['name']}: {changed['description']}")


@models.command("allow")
def allow_model(
    ctx: typer.Context,
    guild: Annotated[str, typer.Argument(metavar="GUILD", help="The id of a Discord server.")],
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Take it from the list.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Allow a model on a server. One that allows none by name allows every approved model.

    Example: tron image-models allow 123456789012345678 tron/shapes
    """
    path = f"{ROOT}/guilds/{quote(guild, safe='')}/models/{quote(name)}"
    with hub_of(ctx, url, token) as hub:
        listed = (hub.delete(path) if undo else hub.put(path))["models"]
    typer.echo(f"allowed on {guild}: {', '.join(listed) or 'every approved model'}")


@models.command("defaults")
def defaults_of_model(
    ctx: typer.Context,
    name: Name,
    resolution: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, or none.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps where nobody says how many.")] = None,
    min_steps: Annotated[int | None, typer.Option(help="The fewest steps.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="The most steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance where nobody says otherwise.")] = None,
    positive_prompt: Annotated[str | None, typer.Option(help="Added to every prompt, or none.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What to leave out, or none.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="The sampling method, or none.")] = None,
    gpu_memory_mb: Annotated[int | None, typer.Option(help="MiB of GPU memory; 0: it runs without.")] = None,
    preference: Annotated[int | None, typer.Option(help="The lowest that a worker has is the default.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Leave all that is not given to the worker.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Set what holds where people ask a model for nothing else; `none` leaves it to the worker.

    Example: tron image-models defaults tron/shapes --steps 20
    """
    given = {
        "resolution": resolution, "steps": steps, "min_steps": min_steps, "max_steps": max_steps, "guidance": guidance,
        "positive_prompt": positive_prompt, "negative_prompt": negative_prompt, "scheduler": scheduler,
        "gpu_memory_mb": gpu_memory_mb, "preference": preference,
    }  # fmt: skip
    body = {key: value for key, value in given.items() if value is not None}
    with hub_of(ctx, url, token) as hub:
        _print_model(hub.patch(_model(name), {**body, "reset": reset}), as_json)


@schedulers.command("list")
def list_schedulers(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show the sampling methods.

    Example: tron image-schedulers list
    """
    with hub_of(ctx, url, token) as hub:
        found = hub.items(f"{ROOT}/schedulers")
    if as_json:
        print_json(found)
        return
    rows = ([s["name"], s["class_name"], f"{s['min_steps']}-{s['max_steps']}", s["description"]] for s in found)
    print_columns(["NAME", "CLASS", "STEPS", "DESCRIPTION"], rows)


@schedulers.command("add")
def add_scheduler(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="A scheduler class of diffusers.")],
    args: Annotated[str, typer.Option(help="What its configuration is changed by, as JSON.")] = "{}",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    min_steps: Annotated[int, typer.Option(help="The fewest steps.")] = 1,
    max_steps: Annotated[int, typer.Option(help="The most steps.")] = 150,
    url: Url = None,
    token: Token = None,
) -> None:
    """Add a sampling method.

    Example: tron image-schedulers add heun-2 HeunDiscreteScheduler --max-steps 50
    """
    body = {
        "name": name, "class_name": class_name, "args": _object(args), "description": description,
        "min_steps": min_steps, "max_steps": max_steps,
    }  # fmt: skip
    with hub_of(ctx, url, token) as hub:
        made = hub.post(f"{ROOT}/schedulers", body)
    typer.echo(f"{made['name']} is there")


@schedulers.command("describe")
def describe_scheduler(
    ctx: typer.Context,
    name: Scheduler,
    description: Annotated[str, typer.Argument(metavar="TEXT", help="What it is.")],
    url: Url = None,
    token: Token = None,
) -> None:
    """Say what a sampling method is.

    Example: tron image-schedulers describe heun "Twice the time, finer"
    """
    with hub_of(ctx, url, token) as hub:
        changed = hub.patch(f"{ROOT}/schedulers/{quote(name, safe='')}", {"description": description})
    typer.echo(f"{changed['name']}: {changed['description']}")


@schedulers.command("delete")
def delete_scheduler(ctx: typer.Context, name: Scheduler, url: Url = None, token: Token = None) -> None:
    """Remove a sampling method.

    Example: tron image-schedulers delete heun-2
    """
    with hub_of(ctx, url, token) as hub:
        hub.delete(f"{ROOT}/schedulers/{quote(name, safe='')}")
    typer.echo(f"{name} is not there any more")


def _model(name: str) -> str:
    return f"{ROOT}/models/{quote(name)}"


def _print_model(model: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(model)
        return
    for key, value in model.items():
        if value not in (None, "", {}):
            typer.echo(f"{key}: {_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_plain(each)}" for key, each in value.items())
    if isinstance(value, bool):
        return _yes(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _object(text: str) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{text!r} is no JSON object", param_hint="--args")
    return found


def _yes(value: bool) -> str:
    return "yes" if value else "no"
