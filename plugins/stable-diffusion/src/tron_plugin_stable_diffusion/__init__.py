"""The stable-diffusion plugin of TRON: pictures from text, capability ``txt2img``.

A worker imports this package for its executor and has none of the hub's libraries, so each hook imports what it needs
when the hub calls it. Other plugins build on ``api`` (the hub's half) and ``worker``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import tron_core as tron
from tron_plugin_stable_diffusion.params import PictureParams

if TYPE_CHECKING:
    from tron_plugin_stable_diffusion.plugin import StableDiffusion

__all__ = ["PictureParams"]


@cache
def the_plugin() -> StableDiffusion:
    """The one of this process."""
    from tron_plugin_stable_diffusion.plugin import StableDiffusion

    return StableDiffusion()


class Hooks:
    """The hooks that this plugin declares for others."""

    @tron.hookspec(firstresult=True)
    async def tron_write_image_prompt(self, theme: str) -> str | None:
        """Write a prompt for a picture.

        Awaited on the event loop, plugin by plugin, until one answers. ``theme`` is what the picture is to be about,
        empty where anything will do. Return one line, or None. Raising is logged, and the next plugin is asked.
        """


@tron.hookimpl
def tron_register_hookspecs() -> type[Hooks]:
    return Hooks


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    return the_plugin().capabilities


@tron.hookimpl
def tron_register_config() -> type[Any]:
    return the_plugin().config


@tron.hookimpl
def tron_register_routes(router: Any) -> None:
    the_plugin().add_routes(router)


@tron.hookimpl
def tron_register_cli(cli: Any) -> None:
    from tron_plugin_stable_diffusion.cli import models, schedulers

    cli.add_typer(models, name="image-models")
    cli.add_typer(schedulers, name="image-schedulers")


@tron.hookimpl
async def tron_startup(app: tron.App) -> None:
    await the_plugin().service.start(app)


# First, so that the rules of guilds and moderation see what really becomes of a request.
@tron.hookimpl(tryfirst=True)
async def tron_job_submitting(request: tron.JobRequest) -> tron.JobRequest | None:
    return await the_plugin().submitting(request)


@tron.hookimpl
async def tron_stats(requester: str) -> str | None:
    return await the_plugin().stats(requester)


@tron.hookimpl
async def tron_forget_requester(requester: str) -> None:
    await the_plugin().forget(requester)


@tron.hookimpl(optionalhook=True)
def tron_legacy_job() -> list[Any]:
    from tron_plugin_stable_diffusion.legacy import OldPicture

    return [OldPicture(the_plugin().service)]


@tron.hookimpl(optionalhook=True)
def tron_legacy_import() -> list[Any]:
    from tron_plugin_stable_diffusion.legacy_import import PictureImport

    return [PictureImport()]
