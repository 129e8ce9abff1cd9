"""A model for the catalogue, with what Hugging Face says of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion.catalogue import Model
from tron_plugin_stable_diffusion.huggingface import NoMetadata, NoSuchModel
from tron_plugin_stable_diffusion.params import NAME
from tron_plugin_stable_diffusion.service import Service

MAX_DESCRIPTION = 500
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")

_GUESSES = (
    (re.compile(r"refiner", re.IGNORECASE), {"kind": "refiner", "preference": 100, "gpu_memory_mb": 6000}),
    (re.compile(r"sdxl|xl[-_.]|-xl\b", re.IGNORECASE), {"resolution": "1024x1024", "gpu_memory_mb": 6000}),
    (re.compile(r"stable-diffusion-v?1|sd-?v?1[.-]?5", re.IGNORECASE), {"resolution": "512x512"}),
)
"""What a name gives away, until somebody says otherwise."""


async def add_model(service: Service, name: str, description: str, added_by: str) -> tuple[Model, str]:
    """Put a model into the catalogue, to be approved; returns it and a sentence about where its metadata come from.

    Raises Refused for a name that there is already, or that Hugging Face knows to be no model of pictures.
    """
    if not re.fullmatch(NAME, name) or len(name) > 128:
        raise tron.Refused(f"model ({name[:128]}): that is no name of a model; allowed: OWNER/NAME.")
    if (there := (await service.refresh()).find(name)) is not None:
        raise tron.Refused(f"model ({name}): {there.name} is in the catalogue already.", code="conflict")
    facts, said = await _facts(service, name)
    pipeline = facts.get("pipeline")
    if pipeline is not None and pipeline not in ("text-to-image", "image-to-image", "unconditional-image-generation"):
        raise tron.Refused(f"model ({name}): Hugging Face says that it is for {pipeline}, not for pictures from text.")
    described = (description or str(pipeline or ""))[:MAX_DESCRIPTION]
    model = Model(name, described, added_by=added_by, added_at=service.now(), facts=facts)
    return await service.add_model(replace(model, **_guess(name))), said


async def _facts(service: Service, name: str) -> tuple[dict[str, Any], str]:
    if not _HUB_NAME.fullmatch(name):
        return {}, "It has no name of Hugging Face's, so that nothing is known of it."
    try:
        facts = dict(await service.huggingface().facts(name))
    except NoSuchModel as error:
        return {}, f"{error}: a worker must have it as its own."
    except NoMetadata as error:
        return {}, f"{error}: it was added without its metadata."
    return facts, ", ".join(f"{key} {facts[key]}" for key in ("pipeline", "library", "license") if key in facts)


def _guess(name: str) -> dict[str, Any]:
    return next((dict(guess) for pattern, guess in _GUESSES if pattern.search(name)), {})
