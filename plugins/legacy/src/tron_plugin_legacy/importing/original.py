"""What is known of the original: which settings a person had, of which type, and what each was before anybody chose.

The original stores a person's whole profile, defaults included, the first time that person changes anything. So a value
that equals a default is nobody's choice. The defaults are those of November 2023 and of May 2026.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PSEUDO_USER = "default"
"""Where ``!defaults`` wrote; nothing ever read it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of a profile. ``read`` makes its value what it should have been, as numbers were often kept as text;
    ``defaults`` are what it was by itself, ``texts`` the SHA-256 of defaults that are long texts."""

    read: Callable[[Any], Any]
    defaults: tuple[Any, ...] = ()
    texts: frozenset[str] = frozenset()

    def is_default(self, value: Any) -> bool:
        """Whether a value that was read is a default."""
        return value in self.defaults or (isinstance(value, str) and _digest(value) in self.texts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def integer(value: Any) -> int:
    """A whole number; raises ValueError."""
    found = number(value)
    if found != int(found):
        raise ValueError(f"{value!r} is not a whole number")
    return int(found)


def number(value: Any) -> float | int:
    """A number, which may be kept as text; raises ValueError."""
    found = value
    if isinstance(value, str):
        try:
            found = int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
        except ValueError:
            found = None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise ValueError(f"{value!r} is not a number")
    return found


def switch(value: Any) -> bool:
    """True or false, which may be kept as text; raises ValueError."""
    named = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(named, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return named


def text(value: Any) -> str:
    """A text; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value


def table(value: Any) -> Mapping[str, Any]:
    """An object of JSON; raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not an object")
    return value


def whatever(value: Any) -> Any:
    """Any value, of a key of which nothing is known."""
    return value


UNKNOWN = Setting(whatever)

_NEGATIVE = frozenset(
    {
        "7e13552a0e03bdf1060d29cb0b190dd8f284da552334d6cef5f915c0a2d68652",
        "8ce5ca233942f3e6ffe1b86317de3bfbb9bc44d5261670826594477af81403fa",
    }
)

SETTINGS: Mapping[str, Setting] = {
    "seed": Setting(integer, (-1,)),
    "scheduler": Setting(text, ("fast",)),
    "steps": Setting(integer, (20, 25)),
    "strength": Setting(number, (0.5, 0.3)),
    "resize": Setting(number, (1,)),
    "guidance_scaling": Setting(number, (6,)),
    "guidance_rescale": Setting(number, (0.0, 0.7)),
    "model": Setting(text, ("ptx0/s1", "ptx0/terminus-xl-gamma-v2")),
    "negative_prompt": Setting(text, (), _NEGATIVE),
    "positive_prompt": Setting(text, ("",)),
    "resolution": Setting(table, ({"width": 1024, "height": 1024},)),
    "style": Setting(text, ("base",)),
    "hires_fix": Setting(switch, (False,)),
    "latent_refiner": Setting(switch, (True, False)),
    "refiner_guidance": Setting(number, (7.5,)),
    "refiner_guidance_rescale": Setting(number, (0.7,)),
    "refiner_strength": Setting(number, (0.3,)),
    "refiner_steps": Setting(integer, (10,)),
    "refiner_prompt_weighting": Setting(switch, (False,)),
    "aesthetic_score": Setting(number, (5.0,)),
    "negative_aesthetic_score": Setting(number, (1.0,)),
    "first_inference_step": Setting(integer),
    "max_inference_steps": Setting(integer),
    "tile_negative": Setting(text, (), frozenset({"0d6006c43e0b369fa1e88b3b99a495bd7bd61c64ce7b8566286f5f3426557db8"})),
    "tile_positive": Setting(text, (), frozenset({"beea65b2cdb284b67d3b7d6379703f61bfad3856aa59acdfb1663b1745ffacfd"})),
    "tile_strength": Setting(number, (0.0,)),
    "df_guidance_scale_1": Setting(number, (9.2,)),
    "df_guidance_scale_2": Setting(number, (5.7,)),
    "df_guidance_scale_3": Setting(number, (5.6,)),
    "df_x4_upscaler": Setting(switch, (False,)),
    "df_latent_refiner": Setting(switch, (False,)),
    "df_esrgan_upscaler": Setting(switch, (False,)),
    "df_controlnet_upscaler": Setting(switch, (True,)),
    "df_controlnet_strength": Setting(number, (1.0,)),
    "df_stage3_strength": Setting(number, (1.0,)),
    "enable_deepcache": Setting(switch, (True,)),
    "deepcache_branch_id": Setting(integer, (0,)),
    "deepcache_interval": Setting(integer, (3,)),
    "enable_teacache": Setting(switch, (True,)),
    "teacache_distance": Setting(number, (0.6,)),
    "enable_sageattn": Setting(switch, (True,)),
    "auto_model": Setting(switch, (True,)),
    "model_adapter_1": Setting(text),
    "flux_adapter_1": Setting(text, ("",)),
    "flux_guidance_scale": Setting(number, (3.0,)),
    "skip_guidance_layers": Setting(whatever, (-1, "-1")),
    "gpt_role": Setting(text, ("You are a Discord bot.",)),
    "group_chat": Setting(switch, (True,)),
    "temperature": Setting(number, (0.9,)),
    "repeat_penalty": Setting(number, (1.1,)),
    "top_p": Setting(number, (0.95,)),
    "top_k": Setting(integer, (40,)),
    "max_tokens": Setting(integer, (1024,)),
    "tts_voice": Setting(text, ("en_fiery",)),
    "tts_actors": Setting(table, ({},)),
    "zork_private_dm": Setting(
        table,
        ({"enabled": False, "campaign_id": None, "guild_id": None, "channel_id": None, "campaign_name": None},),
    ),
}
