"""A model's files, without loading any: what is missing, how much memory they will take, which revision they are."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

MIB = 1024 * 1024

INDEX = "model_index.json"

_WITHOUT_WEIGHTS = ("Scheduler", "Tokenizer", "Fast", "Backend", "Pil", "Processor", "FeatureExtractor")
"""How the names of the classes end that are configuration alone: tokenizers and processors have many names."""

_PLAIN = re.compile(r"[\w-]+\.(safetensors|bin)")
_VARIANT = re.compile(r"[\w-]+\.(?P<variant>\w+)\.(safetensors|bin)")
"""``diffusion_pytorch_model.fp16.safetensors``: the same weights in another type."""

_SNAPSHOT = re.compile(r"[0-9a-f]{40}")

_MAX_HEADER = 100 * MIB


def read_index(folder: Path) -> dict[str, Any]:
    """The folder's ``model_index.json``; raises ValueError with a sentence where it has none or it cannot be read."""
    file = folder / INDEX
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is no model in diffusers' format: it has no {INDEX}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    if not isinstance(index, dict):
        raise ValueError(f"{file} is no JSON object")
    return index


def parts(index: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a model and their classes: ``{"unet": "UNet2DConditionModel", …}``."""
    return {
        name: value[1]
        for name, value in index.items()
        if not name.startswith("_") and isinstance(value, list) and len(value) == 2 and isinstance(value[1], str)
    }


def problem(folder: Path, *, optional: Collection[str] = ()) -> str | None:
    """What is wrong with a model's folder, in one sentence; None where it looks complete.

    ``optional``: parts that may be missing.
    """
    try:
        index = read_index(folder)
    except ValueError as error:
        return str(error)
    for name, kind in parts(index).items():
        if name in optional:
            continue
        if not (folder / name).is_dir():
            return f"{folder} has no {name}/, which its {INDEX} names"
        if not kind.endswith(_WITHOUT_WEIGHTS) and not weight_files(folder / name):
            return f"{folder / name} has no weights (.safetensors or .bin)"
    return None


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that diffusers would read from one part's folder, in order; empty where there is none.

    Safetensors go before pickles, the plain ones before a variant.
    """
    for ending in (".safetensors", ".bin"):
        files = sorted(file for file in folder.glob(f"*{ending}") if file.is_file())
        for pattern in (_PLAIN, _VARIANT):
            found = [file for file in files if pattern.fullmatch(file.name)]
            if found:
                return found
    return []


def variant(folder: Path) -> str | None:
    """The variant (``fp16``) that a model's folder holds instead of the plain weights; None for the plain ones."""
    for part in _folders(folder):
        for file in weight_files(part):
            if match := _VARIANT.fullmatch(file.name):
                return match["variant"]
    return None


def memory_mb(source: Path, bytes_per_value: int) -> float:
    """About how much memory the weights of a folder or a .safetensors file take, in MiB.

    ``bytes_per_value``: of the type that they are loaded as, whatever it is in the file.
    """
    if source.is_file():
        return _in_memory(source, bytes_per_value) / MIB
    files = [file for part in _folders(source) for file in weight_files(part)]
    return sum(_in_memory(file, bytes_per_value) for file in files) / MIB


def revision(source: Path) -> str:
    """Which weights these are: the commit of a snapshot of the Hugging Face hub; else ``sha256:`` and a hash of the
    index and of the files' names and sizes (of their content would take minutes)."""
    if _SNAPSHOT.fullmatch(source.name):
        return source.name
    digest = hashlib.sha256()
    index = source / INDEX
    if index.is_file():
        digest.update(index.read_bytes())
    for file in [source] if source.is_file() else sorted(file for file in source.rglob("*") if _is_weights(file)):
        name = file.name if source.is_file() else file.relative_to(source).as_posix()
        digest.update(f"{name} {file.stat().st_size}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def tensors(file: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors in a .safetensors file; raises ValueError where it is none."""
    with file.open("rb") as reader:
        head = reader.read(8)
        size = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        text = reader.read(size) if 0 < size <= _MAX_HEADER else b""
    try:
        header = json.loads(text)
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} is no .safetensors file") from None


def _folders(source: Path) -> Iterator[Path]:
    yield from sorted(path for path in source.iterdir() if path.is_dir())


def _in_memory(file: Path, bytes_per_value: int) -> int:
    if file.suffix != ".safetensors":
        return file.stat().st_size
    return sum(math.prod(shape) for shape in tensors(file).values()) * bytes_per_value


def _is_weights(file: Path) -> bool:
    return file.suffix in {".safetensors", ".bin", ".onnx", ".npz"} and file.is_file()
