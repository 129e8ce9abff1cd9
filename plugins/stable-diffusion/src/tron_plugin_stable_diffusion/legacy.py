"""Jobs that draw as workers of discord-tron-master know them, for the plugin `legacy`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tron_plugin_stable_diffusion import resolutions

if TYPE_CHECKING:
    from tron_plugin_stable_diffusion.service import Service

OUR_OWN = "tron/"
"""How the names of models begin that this project made: they are in no place where such a worker could fetch them."""
BEYOND = ("loras", "hires", "refiner", "deterministic", "mask")
"""Fields of params that such a worker knows nothing of: what uses one goes to another."""
SIZE = (512, 512)
MAX_QUERY = 56_000
"""Bytes of the prompts in the address that such a worker uploads to, where both stand twice. Of 64 KiB the rest is for
what else it says there; where an address is longer, it is refused, and the worker tries for hours."""


class OldPicture:
    """A picture from a prompt, or from a picture and a prompt."""

    job_type = "gpu"

    def __init__(self, service: Service, *, capability: str = "txt2img") -> None:
        self.capability = capability
        self._service = service

    def offer(self) -> Mapping[str, Any]:
        """Every model of the catalogue: such a worker fetches the one that it is asked for."""
        models = [
            model.name
            for model in self._service.catalogue.models.values()
            if model.kind == "base" and "/" in model.name and not model.name.startswith(OUR_OWN)
        ]
        return {"models": models, "choices": {name: [] for name in BEYOND}}

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """The prompt as the hub completed it, and the settings. ``image`` among ``inputs`` is what to begin from."""
        if any(params.get(name) for name in BEYOND):
            return None
        prompt = params.get("full_prompt") or params.get("prompt") or ""
        if 2 * (len(quote(prompt)) + len(quote(params.get("full_negative_prompt") or ""))) > MAX_QUERY:
            return None
        keys: dict[str, Any] = {
            "module_name": "image_generation",
            "module_command": "generate_image",
            "image_prompt": prompt,
            "prompt": prompt,
            "overridden_user_id": None,
            "model_config": {},
            "message_flags": {},
            "upscaler": False,
            "config": settings(params),
            "scheduler_config": scheduler(params),
        }
        image = next((url for name, url in inputs if name == "image"), None)
        return keys if image is None else {**keys, "image_data": image}

    def to_output(self, params: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:
        """What a worker says of each picture, and what it was asked for, which it does not repeat."""
        width, height = size(params)
        first = int(params.get("seed") or 0)
        seeds = [_seed(file.metadata.get("seed"), first + number) for number, file in enumerate(answer.files)]
        return {
            "seeds": seeds,
            "model": answer.model or params.get("model") or "",
            "scheduler": params.get("scheduler"),
            "steps": params.get("steps"),
            "width": width,
            "height": height,
        }


def settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that a worker needs, those above all without which it fails when it has drawn already."""
    width, height = size(params)
    strength = params.get("strength")
    return {
        "model": params.get("model"),
        "resolution": {"width": width, "height": height},
        "negative_prompt": params.get("full_negative_prompt") or "",
        # The hub has put it into the prompt, as it has the style.
        "positive_prompt": "",
        "style": None,
        "steps": params.get("steps") or 25,
        "guidance_scaling": 7.5 if params.get("guidance") is None else params["guidance"],
        "guidance_rescale": params.get("guidance_rescale") or 0.0,
        "temperature": 0.0,
        "strength": 0.8 if strength is None else strength,
        "seed": params.get("seed"),
        "latent_refiner": False,
        "encode_metadata": True,
    }


def scheduler(params: Mapping[str, Any]) -> dict[str, Any]:
    """What workers of 2023 want to be told; later ones choose by themselves."""
    told = json.loads(params.get("scheduler_config") or "{}")
    return {
        "name": params.get("scheduler") or "default",
        "scheduler": told.get("class", "EulerDiscreteScheduler"),
        "use_cases": "",
        "description": "",
        "config_blob": told.get("args", {}),
        "steps_range_begin": 1,
        "steps_range_end": 150,
    }


def size(params: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height in pixels."""
    resolution = params.get("resolution")
    return resolutions.parse(resolution) if resolution else SIZE


def _seed(told: str | None, otherwise: int) -> int:
    return int(told) if told is not None and told.isascii() and told.isdigit() and len(told) < 19 else otherwise
