"""The section ``[executors.bark]`` of worker.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BARK = "suno/bark-small"
"""The model that speaks unless another is named: the smaller of the two that Bark's authors publish, 1.7 GB."""


class BarkConfig(BaseModel):
    """What speaks on this worker, and where its files are."""

    model_config = ConfigDict(extra="forbid")

    engine: Literal["auto", "bark", "piper"] = Field(
        "auto", description="What speaks; auto: Bark where there is a GPU and the model is here already, else Piper"
    )
    voices: Path | None = Field(
        None, description="Folder of voices: NAME.onnx with NAME.onnx.json for Piper, NAME.npz for Bark"
    )
    model: str = Field(BARK, min_length=1, description="Bark: a folder, or an id of the Hugging Face hub")
    revision: str | None = Field(None, min_length=1, description="Bark: which commit, tag or branch of the id")
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="Bark: where it computes")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="Bark: the type of its numbers; auto: float16 on a CUDA device, else float32"
    )
    cpu_offload: bool = Field(False, description="Bark: only the part that computes is in the GPU's memory")
