"""What can be asked of a picture that begins from another one."""

from __future__ import annotations

import tron_core as tron

# Both halves read this, and a worker has no `api`: that imports the hub's libraries.
from tron_plugin_stable_diffusion.worker import GROUP, PictureParams

MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff")
"""The pictures that may be begun from."""


class Img2ImgParams(PictureParams):
    """A picture, and what becomes of it. The settings are those of every capability that draws."""

    prompt: str = tron.Prompt("What it shows; nothing makes a variation", max_length=4000, default="")
    image: tron.Attachment = tron.Input("The picture to begin from", accept=",".join(MEDIA_TYPES))
    mask: tron.Attachment | None = tron.Input(
        "White where the picture is drawn anew, black where it stays", accept=",".join(MEDIA_TYPES), default=None
    )
    strength: float | None = tron.Setting(
        None, group=GROUP, ge=0, le=1, help="How much of the picture is drawn anew: 0 nothing, 1 all of it"
    )
