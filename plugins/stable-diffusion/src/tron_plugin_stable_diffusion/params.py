"""What can be asked of a picture."""

from __future__ import annotations

import pydantic

import tron_core as tron
from tron_plugin_stable_diffusion import resolutions
from tron_plugin_stable_diffusion.resolutions import MAX_SIDE, MIN_SIDE, SIDE_STEP

__all__ = ["GROUP", "MAX_SEED", "MAX_SIDE", "MIN_SIDE", "NAME", "SIDE_STEP", "PictureParams"]

GROUP = "pictures"
"""Settings of this group are one for all the capabilities that draw."""

MAX_SEED = 2**32 - 1

NAME = r"^[\w.+-]+(/[\w.+-]+)*$"
"""A model's, adapter's or refiner's name: ``OWNER/NAME``, or any name that a worker gives."""


class PictureParams(tron.Params):
    """The params that everything which draws has in common.

    Those from ``full_prompt`` on are derived by the hub for each request, whatever was given.
    """

    prompt: str = tron.Prompt("What the picture shows", max_length=4000)
    negative_prompt: str | None = tron.Setting(
        None, group=GROUP, max_length=2000, help="What it must not show; the model's own unless given"
    )
    positive_prompt: str | None = tron.Setting(
        None, group=GROUP, max_length=2000, help="Words that are added to every prompt"
    )
    style: str | None = tron.Setting(None, group=GROUP, max_length=32, help="A style, such as anime or photographic")
    model: str | None = tron.Setting(None, group=GROUP, max_length=128, pattern=NAME, help="Which model draws")
    resolution: str | None = tron.Setting(
        None, group=GROUP, max_length=11, help="WIDTHxHEIGHT in pixels, multiples of 8; such as 1024x768"
    )
    steps: int | None = tron.Setting(None, group=GROUP, ge=1, le=150, help="More take longer and are finer")
    guidance: float | None = tron.Setting(
        None, group=GROUP, ge=0, le=30, help="How closely the picture follows the prompt"
    )
    guidance_rescale: float = tron.Setting(
        0.0, group=GROUP, ge=0, le=1, help="Takes back the glare that much guidance gives"
    )
    seed: int = tron.Setting(
        -1, group=GROUP, ge=-1, le=MAX_SEED, help="The same seed gives the same picture; -1 is another each time"
    )
    scheduler: str | None = tron.Setting(
        None, group=GROUP, max_length=32, pattern=r"^[\w.+-]+$", help="The sampling method"
    )
    count: int = tron.Setting(1, group=GROUP, ge=1, le=4, help="How many pictures, with one seed after the other")
    loras: str | None = tron.Setting(
        None, group=GROUP, max_length=200, help="Adapters with their weights: NAME:0.8,OTHER"
    )
    hires: float | None = tron.Setting(
        None, group=GROUP, ge=1, le=2, help="Draw again, so many times as large, from what was drawn"
    )
    refiner: str | None = tron.Setting(
        None, group=GROUP, max_length=128, pattern=NAME, help="A model that draws the last steps"
    )
    refiner_strength: float = tron.Setting(
        0.2, group=GROUP, ge=0, le=1, help="The share of the steps that the refiner draws"
    )
    deterministic: bool = tron.Setting(
        False, group=GROUP, help="The same bytes each time on one kind of machine, however slow"
    )
    preview_every: int = tron.Setting(
        0, group=GROUP, ge=0, le=150, help="Show what is there after so many steps; 0 does not"
    )

    full_prompt: str | None = tron.Setting(None, derived=True, help="Set by the hub")
    full_negative_prompt: str | None = tron.Setting(None, derived=True, help="Set by the hub")
    scheduler_config: str | None = tron.Setting(None, derived=True, help="Set by the hub")
    nsfw: bool = tron.Setting(False, derived=True, help="Set by the hub: pictures are not filtered")

    @pydantic.field_validator("resolution")
    @classmethod
    def _is_a_size(cls, text: str | None) -> str | None:
        if text is None:
            return None
        width, height = resolutions.parse(text)
        return f"{width}x{height}"
