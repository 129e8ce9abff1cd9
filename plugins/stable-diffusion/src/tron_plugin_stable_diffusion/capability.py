"""The capability ``txt2img``."""

from __future__ import annotations

import tron_core as tron
from tron_plugin_stable_diffusion.params import PictureParams


class Txt2Img(tron.Capability):
    """Pictures from text."""

    name = "txt2img"
    command = tron.Command(
        "generate",
        summary="Draw a picture of what you say",
        split_lines=True,
        example="a red fox in snow --steps 30 --seed 7",
    )
    params = PictureParams

    def demo(self) -> tron.Demo:
        """What the small model that ships with this package draws exactly."""
        return tron.Demo({"prompt": "a red circle above a blue square", "model": "tron/shapes", "seed": 7})
