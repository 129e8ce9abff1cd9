"""The worker's half: pictures from pictures, with the engines and the memory of stable-diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tron_core.worker import ExecutionContext, Executor, ExecutorError, hookimpl
from tron_plugin_img2img.params import Img2ImgParams
from tron_plugin_img2img.sizes import shaped_like
from tron_plugin_stable_diffusion.worker import PictureExecutor, Start, draw, resolution

STRENGTH = 0.6
"""Of a picture that is to show what a prompt says."""
VARIATION_STRENGTH = 0.5
"""Of a variation: another picture, in which the first is still seen."""


class ImageToImageExecutor(PictureExecutor):
    """Draws pictures that begin from another one."""

    capability = "img2img"
    section = "stable-diffusion"

    def run(self, params: Img2ImgParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Draw; the output says with what, so that it can be done again.

        The picture keeps its shape: ``resolution``, or the model's own, says how many pixels it becomes.
        """
        from tron_plugin_img2img.reading import read_mask, read_picture

        picture = read_picture("image", ctx.input("image").path)
        masks = ctx.inputs("mask")
        mask = read_mask(masks[0].path) if masks else None
        studio = self.studio
        model = studio.chosen("model", params.model)
        wanted = resolution(params.resolution) if params.resolution else studio.engine(model, ctx).native
        try:
            width, height = shaped_like(picture.size, wanted)
        except ValueError as error:
            raise ExecutorError(f"image: {error}", "invalid") from None
        sized = params.model_copy(update={"resolution": f"{width}x{height}"})
        return draw(self.capability, sized, ctx, studio, Start(picture, strength_of(params), mask))


def strength_of(params: Img2ImgParams) -> float:
    """How much is drawn anew: what was asked for, else more where a prompt says what is wanted."""
    if params.strength is not None:
        return params.strength
    return STRENGTH if params.prompt.strip() else VARIATION_STRENGTH


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    """Offer the executor of ``img2img``."""
    return [ImageToImageExecutor()]
