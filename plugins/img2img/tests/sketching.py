"""Pictures of one colour, an engine that paints them and remembers what it was asked, and the plugins of a hub."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

import tron_plugin_img2img
import tron_plugin_stable_diffusion
import tron_plugin_upscale
from tron_core.plugins import Plugins
from tron_plugin_stable_diffusion.engines import Made, OnStep, PictureRequest

PATIENCE = 40.0
"""Seconds after which a test stops waiting for an answer."""

PLUGINS = {
    "img2img": tron_plugin_img2img,
    "stable-diffusion": tron_plugin_stable_diffusion,
    "upscale": tron_plugin_upscale,
}


def plugins_of(*names: str) -> Plugins:
    """Those of these names, as a hub that was just started has them."""
    tron_plugin_stable_diffusion.the_plugin.cache_clear()
    plugins = Plugins({"stable-diffusion": {"default_model": "sketch"}}, strict=True)
    for name in names:
        plugins.register(name, PLUGINS[name])
    return plugins


def png(size: tuple[int, int] = (64, 64), colour: str = "red") -> bytes:
    """A picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, "PNG")
    return written.getvalue()


@dataclass
class SketchingEngine:
    """From text it paints blue; from a picture, so much blue over it as the strength says, where the mask is white."""

    name: str
    memory_mb: float = 100.0
    native: tuple[int, int] = (64, 64)
    requests: list[PictureRequest] = field(default_factory=list)

    @property
    def asked(self) -> PictureRequest:
        """What it was asked last."""
        return self.requests[-1]

    def generate(self, request: PictureRequest, step: OnStep) -> Made:
        self.requests.append(request)
        for done in range(1, request.steps + 1):
            step(done, request.steps, None)
        made: list[Any] = [self._paint(request, number) for number in range(len(request.seeds))]
        return Made(made, {"scheduler": "DDIMScheduler", "revision": "scripted"})

    def close(self) -> None:
        pass

    def _paint(self, request: PictureRequest, number: int) -> Image.Image:
        blue = Image.new("RGB", (request.width, request.height), "blue")
        if not request.images:
            return blue
        begun = request.images[number % len(request.images)]
        painted = Image.blend(begun, blue, request.strength)
        return painted if request.mask is None else Image.composite(painted, begun, request.mask)
