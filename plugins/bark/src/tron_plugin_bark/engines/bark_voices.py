"""Which of Bark's voices are here or can be had, and their prompts: three arrays of tokens that Bark goes on from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines.bark_files import ModelFiles
from tron_plugin_bark.presets import FAVOURITE, PRESETS

Preset: TypeAlias = Mapping[str, npt.NDArray[np.int64]]
"""The arrays by their names in ``PARTS``."""

PARTS: Mapping[str, tuple[int | None, int]] = {
    "semantic_prompt": (None, 10_000),
    "coarse_prompt": (2, 1_024),
    "fine_prompt": (8, 1_024),
}
"""How many rows each array has (None: it is a list), and below which number its tokens are: Bark's vocabularies. A
token beyond them would end a CUDA process."""

INDEX = "speaker_embeddings_path.json"
"""In a model's folder: for each voice the files of its arrays."""

MADE_UP = "random"
"""The voice without a prompt: whoever Bark makes up."""

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
"""What a voice may be called, so that people can write it."""

_OUTSIDE = re.compile(r"^[/\\]|^\w:|(^|[/\\])\.\.([/\\]|$)")
"""A path that leaves the folder that it is relative to."""


class BrokenVoice(Exception):
    """A voice whose files are missing or make no sense; the message says which."""


class BarkVoices:
    """The voices of one model: those of its own, and the ``NAME.npz`` of a folder."""

    def __init__(self, config: BarkConfig, files: ModelFiles) -> None:
        self._folder = config.voices.expanduser() if config.voices else None
        self._files = files

    def names(self) -> list[str]:
        """Bark's best known one first, then by name; the made up voice, which needs no file, is the last."""
        found = sorted({*self._single_files(), *self._of_the_model()}, key=lambda name: (name != FAVOURITE, name))
        return [*found, MADE_UP]

    def load(self, name: str) -> Preset | None:
        """The arrays of a voice, None for the made up one. Raises BrokenVoice."""
        if name == MADE_UP:
            return None
        try:
            file = self._single_files().get(name)
            arrays = _from_one(file) if file else self._from_several(name)
        except (OSError, ValueError, KeyError) as error:
            raise BrokenVoice(f"the voice {name} cannot be read: {error}") from error
        return check_preset(name, arrays)

    def _single_files(self) -> dict[str, Path]:
        """The files of the folder, by their path in it: ``v2/en_speaker_6.npz`` is that voice."""
        if self._folder is None:
            return {}
        files = {
            file.relative_to(self._folder).with_suffix("").as_posix(): file for file in self._folder.rglob("*.npz")
        }
        return {name: file for name, file in files.items() if _NAME.fullmatch(name) and name != MADE_UP}

    def _of_the_model(self) -> list[str]:
        """What the model's index names and is here, or can be fetched."""
        index = self._index()
        if index is None:
            return list(PRESETS) if self._files.published and not self._files.offline else []
        return [name for name, parts in index.items() if _NAME.fullmatch(name) and self._within_reach(parts)]

    def _within_reach(self, parts: Mapping[str, str]) -> bool:
        return (self._files.remote and not self._files.offline) or all(map(self._files.here, parts.values()))

    def _index(self) -> dict[str, dict[str, str]] | None:
        """The files by voice and array; None where there is no index here. What makes no sense is left out."""
        file = self._files.here(INDEX)
        if file is None:
            return None
        try:
            index = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            return {}
        entries = index.items() if isinstance(index, dict) else ()
        return {name: parts for name, parts in entries if isinstance(parts, dict) and _complete(parts)}

    def _from_several(self, name: str) -> dict[str, Any]:
        if self._index() is None:
            self._files.fetch(INDEX)
        parts = (self._index() or {})[name]
        return {part: np.load(self._files.fetch(parts[part]), allow_pickle=False) for part in PARTS}


def check_preset(name: str, arrays: Mapping[str, Any]) -> Preset:
    """``arrays`` as a preset; raises BrokenVoice for what Bark cannot go on from."""
    for part, (rows, limit) in PARTS.items():
        array = arrays.get(part)
        if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.integer):
            raise BrokenVoice(f"the voice {name} has no whole numbers called {part}")
        fits = array.ndim == 1 if rows is None else array.ndim == 2 and array.shape[0] == rows
        if not fits or not array.size:
            shape = "a list" if rows is None else f"{rows} rows"
            raise BrokenVoice(f"the voice {name}: {part} must be {shape}, and its shape is {array.shape}")
        if array.min() < 0 or array.max() >= limit:
            raise BrokenVoice(f"the voice {name}: {part} has numbers outside of 0 to {limit - 1}")
    return {part: arrays[part].astype(np.int64) for part in PARTS}


def _from_one(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return {part: arrays[part] for part in PARTS}


def _complete(parts: Mapping[str, Any]) -> bool:
    return all(isinstance(parts.get(part), str) and _stays_inside(parts[part]) for part in PARTS)


def _stays_inside(relative: str) -> bool:
    return _OUTSIDE.search(relative) is None
