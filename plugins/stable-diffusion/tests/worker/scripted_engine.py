"""An engine that paints plain squares, for the tests of what goes on around engines; it may run out of memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tron_plugin_stable_diffusion.engines import Made, OnStep, PictureRequest


@dataclass
class ScriptedEngine:
    """Paints ``(seed, 0, 0)``; with pictures to begin from, keeps their colour and adds to the blue.

    ``room``: pictures of one batch that fit into memory. ``flags``: seeds that the model's safety checker refuses.
    """

    name: str
    memory_mb: float = 100.0
    native: tuple[int, int] = (64, 64)
    room: int = 4
    flags: frozenset[int] = frozenset()
    facts: dict[str, Any] = field(default_factory=dict)
    requests: list[PictureRequest] = field(default_factory=list)
    closed: bool = False

    def generate(self, request: PictureRequest, step: OnStep) -> Made:
        assert not self.closed
        self.requests.append(request)
        if len(request.seeds) > self.room:
            raise MemoryError("the GPU is full")
        for done in range(1, request.steps + 1):
            step(done, request.steps, lambda: Image.new("RGB", (8, 8), "red"))
        size = request.width, request.height
        if request.images:
            begun = request.images if len(request.images) == len(request.seeds) else request.images * len(request.seeds)
            colours = [image.getpixel((0, 0)) for image in begun]
            images = [Image.new("RGB", size, (red, green, blue + 10)) for red, green, blue in colours]
        else:
            images = [Image.new("RGB", size, (seed % 256, 0, 0)) for seed in request.seeds]
        flagged = tuple(seed in self.flags for seed in request.seeds) if self.flags else ()
        return Made(images, {"scheduler": "DDIMScheduler", "revision": self.name, **self.facts}, flagged)

    def close(self) -> None:
        self.closed = True
