"""The section ``[executors.upscale]`` of worker.toml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tron_plugin_upscale import MAX_PIXELS


class UpscaleConfig(BaseModel):
    """``[executors.upscale]``."""

    model_config = ConfigDict(extra="forbid")

    models: Path | None = Field(None, description="Folder of NAME.param and NAME.bin; else the installed package's")
    threads: int | None = Field(None, ge=1, description="Threads of the CPU; else one a core")
    tile: int = Field(
        200, ge=32, le=2048, description="Pixels of a tile's side; larger is faster and takes more memory"
    )
    max_pixels: int = Field(MAX_PIXELS, ge=1, description="Pixels of the largest picture that is taken")
    diffusion_models: dict[str, str] = Field(
        default_factory=dict,
        description="Diffusion upscalers by name: a folder, or an id of the Hugging Face hub such as "
        "stabilityai/stable-diffusion-x4-upscaler",
    )
    diffusion_device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda or mps")
    diffusion_tile: int = Field(128, ge=32, le=1024, description="Pixels of a tile's side for these")
    diffusion_steps: int = Field(20, ge=1, le=150, description="Steps for each tile")
    diffusion_noise: int = Field(20, ge=0, le=350, description="Noise that details grow from; more invents more")
    diffusion_seed: int = Field(0, ge=0, le=2**32 - 1, description="The same seed gives the same picture")
    huggingface_token: SecretStr | None = Field(None, description="For models that want one; env:NAME or file:PATH")
