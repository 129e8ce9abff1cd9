"""The capability ``img2img``."""

from __future__ import annotations

from pathlib import Path

import tron_core as tron
from tron_plugin_img2img.params import Img2ImgParams
from tron_plugin_stable_diffusion.api import Drawing

EXAMPLE = Path(__file__).parent / "data" / "shapes.png"
"""A red circle above a blue square."""


class Img2Img(Drawing):
    """Pictures from pictures: what a prompt says of one, a variation without a prompt, or a part of it by a mask."""

    name = "img2img"
    command = tron.Command(
        "img2img",
        aliases=["vary"],
        summary="Draw anew from a picture",
        example="the same in winter --strength 0.5 (with a picture attached)",
        menu="Use as img2img",
    )
    params = Img2ImgParams

    def demo(self) -> tron.Demo:
        """With the small model that ships with stable-diffusion: the example in other colours."""
        prompt = "a green circle above a yellow square"
        return tron.Demo({"prompt": prompt, "model": "tron/shapes", "strength": 0.9, "seed": 7}, {"image": EXAMPLE})
