"""Which models a worker has: those of ``[executors.stable-diffusion]`` in worker.toml, and the one that ships."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from tron_plugin_stable_diffusion import folders, memory
from tron_plugin_stable_diffusion.engines import EngineKind, EngineSettings, runs_on_onnx

SHAPES = "tron/shapes"
"""The small model that comes with this plugin; it runs on ONNX Runtime, without torch, or on diffusers."""

SHAPES_FOLDER = Path(__file__).with_name("shapes")

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

_SAFETY = ("safety_checker", "feature_extractor", "image_encoder")
"""Parts of a model that many folders name and do without."""

TORCH = ("torch", "diffusers", "transformers")
ONNX = ("onnxruntime", "numpy", "PIL")

_TORCH_MISSING = "pip install 'tron-plugin-stable-diffusion[worker]'"
_ONNX_MISSING = "pip install 'tron-plugin-stable-diffusion[demo]'"

Auto = Literal["auto"]


class ModelSource(BaseModel):
    """Where one model is. ``config``: for a .safetensors file, the folder or id of a model whose configuration it has;
    unset, diffusers finds out and fetches it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    config: str | None = None

    @property
    def local(self) -> Path | None:
        """The folder or file; None where ``path`` is an id of the Hugging Face hub."""
        path = Path(self.path).expanduser()
        return path if path.exists() or not _HUB_ID.fullmatch(self.path) else None


def _from_path(value: Any) -> Any:
    return {"path": str(value)} if isinstance(value, str | Path) else value


def _from_list(value: Any) -> Any:
    return {name: name for name in value} if isinstance(value, list) else value


class PictureConfig(BaseModel):
    """``[executors.stable-diffusion]`` in worker.toml."""

    model_config = ConfigDict(extra="forbid")

    models: Annotated[
        dict[str, Annotated[ModelSource, BeforeValidator(_from_path)]],
        BeforeValidator(_from_list),
    ] = Field(
        default_factory=dict,
        description="Models by the name people ask for: a folder, a .safetensors file or an id of the Hugging Face "
        "hub; or a list of ids",
    )
    engine: EngineKind = Field(
        "auto", description="What runs the models; auto: ONNX Runtime where a model is made for it"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="auto: float32 on a CPU, else the half precision that the model is made for"
    )
    memory_budget_mb: Auto | Annotated[float, Field(gt=0)] = Field(
        "auto", description="MiB that loaded models may take; auto: 80 % of the GPU's memory, half of the RAM on a CPU"
    )
    preview_every: int = Field(0, ge=0, description="Steps between two previews; 0: none")
    deterministic: bool = Field(False, description="Make every job as if --deterministic had been asked for")
    huggingface_token: SecretStr | None = Field(None, description="For models that want one; env:NAME or file:PATH")
    loras: dict[str, str] = Field(default_factory=dict, description="Adapters by name: a file, a folder or an id")
    attention_slicing: Auto | bool = Field("auto", description="Slower, with less memory; auto: where it is short")
    cpu_offload: Auto | bool = Field("auto", description="Keep on the GPU only what computes; auto: where it is short")
    safety_checker: bool = Field(True, description="Use the safety checker of models that bring one")

    @property
    def engine_settings(self) -> EngineSettings:
        """What of it concerns the engines."""
        return EngineSettings(
            device=self.device,
            dtype=self.dtype,
            token=self.huggingface_token.get_secret_value() if self.huggingface_token else None,
            loras=self.loras,
            attention_slicing=None if self.attention_slicing == "auto" else self.attention_slicing,
            cpu_offload=None if self.cpu_offload == "auto" else self.cpu_offload,
            memory_budget_mb=None if self.memory_budget_mb == "auto" else self.memory_budget_mb,
            safety_checker=self.safety_checker,
        )


def missing(libraries: tuple[str, ...]) -> list[str]:
    """Those of ``libraries`` that are not installed."""
    return [name for name in libraries if importlib.util.find_spec(name) is None]


def engine_of(source: ModelSource, config: PictureConfig) -> Literal["onnx", "diffusers"]:
    """What runs ``source`` here."""
    if config.engine != "auto":
        return config.engine
    return "onnx" if runs_on_onnx(source.path) and not missing(ONNX) else "diffusers"


def available(config: PictureConfig) -> Mapping[str, ModelSource]:
    """The models of this worker by name: those of worker.toml in their order, then the one that comes along."""
    found = dict(config.models)
    shapes = ModelSource(path=str(SHAPES_FOLDER))
    if SHAPES not in found and _problem_of(shapes, config) is None:
        found[SHAPES] = shapes
    return found


def problem(config: PictureConfig) -> str | None:
    """Why nothing can be drawn with ``config`` here, in one sentence; None when it can."""
    for name, source in config.models.items():
        reason = _problem_of(source, config)
        if reason is not None:
            return f"models: {name}: {reason}"
    if not missing(TORCH) and (reason := memory.absent(config.device)) is not None:
        return f"device = {config.device!r}: {reason}"
    if available(config):
        return None
    absent = missing(ONNX)
    if absent:
        return f"{', '.join(absent)} not installed, which {SHAPES} needs: {_ONNX_MISSING}; or name models of your own"
    return "no model: name folders or ids as models in [executors.stable-diffusion]"


def _problem_of(source: ModelSource, config: PictureConfig) -> str | None:
    local = source.local
    if engine_of(source, config) == "onnx":
        if missing(ONNX):
            return f"{', '.join(missing(ONNX))} not installed: {_ONNX_MISSING}"
        return None if runs_on_onnx(source.path) else f"{source.path} has no .onnx files beside a {folders.INDEX}"
    if missing(TORCH):
        return f"{', '.join(missing(TORCH))} not installed: {_TORCH_MISSING}"
    if local is None:
        return None
    if not local.exists():
        return f"{local} does not exist"
    if local.is_file():
        return None if local.suffix == ".safetensors" else f"{local} is neither a folder nor a .safetensors file"
    return folders.problem(local, optional=_SAFETY)
