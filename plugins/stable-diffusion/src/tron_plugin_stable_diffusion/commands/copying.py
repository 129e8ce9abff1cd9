"""Taking over from a picture what it was drawn with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion.commands.base import HubCommand
from tron_plugin_stable_diffusion.params import GROUP

COPIED = (
    "negative_prompt", "positive_prompt", "style", "model", "resolution", "steps", "guidance", "guidance_rescale",
    "scheduler", "loras", "hires", "refiner", "refiner_strength",
)  # fmt: skip
"""The settings that are taken over: what makes the look of a picture, not how many there are or of which seed."""


class CopyParams(tron.Params):
    """From where."""

    job: str = tron.Prompt("The id of a job that drew", max_length=26)


class _Copy(HubCommand):
    params = CopyParams

    async def _params_of(self, job: str) -> Mapping[str, Any]:
        found = await self.app.job(job)
        if "resolution" not in found.params or "seed" not in found.params:
            raise tron.Refused(f"job ({job}): it drew nothing.")
        return found.params


class CopySettings(_Copy):
    """Save the settings of a picture as one's own."""

    name = "picture-copy-settings"
    command = tron.Command("copy-settings", summary="Save a picture's settings as yours")

    async def do(self, params: CopyParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Save each; what the picture did not set is at its default again."""
        found = await self._params_of(params.job)
        given = {field: found.get(field) for field in COPIED}
        for field, value in given.items():
            await self.app.settings.save(asker.requester, f"{GROUP}.{field}", value)
        kept = {field: value for field, value in given.items() if value not in (None, "")}
        shown = ", ".join(f"{field} {value}" for field, value in kept.items() if not field.endswith("prompt"))
        return {"text": f"Your settings are those of the picture: {shown}. Your seed is as it was.", "settings": kept}


class CopySeed(_Copy):
    """Save the seed of a picture as one's own."""

    name = "picture-copy-seed"
    command = tron.Command("copy-seed", summary="Save a picture's seed as yours")

    async def do(self, params: CopyParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Save it."""
        seed = (await self._params_of(params.job))["seed"]
        await self.app.settings.save(asker.requester, f"{GROUP}.seed", seed)
        return {"text": f"Your seed is **{seed}** from now on; `seed random` lets it change again.", "seed": seed}
