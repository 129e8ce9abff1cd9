"""The capability ``txt2img``."""

from __future__ import annotations

from collections.abc import Sequence

import tron_core as tron
from tron_plugin_stable_diffusion import resolutions
from tron_plugin_stable_diffusion.legacy import BEYOND
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.replies import picture_reply
from tron_plugin_stable_diffusion.service import Service
from tron_plugin_stable_diffusion.styles import STYLES

SECONDS_TO_LOAD = 5.0
SECONDS_A_STEP = 0.1
"""A first guess, of a picture of 512 x 512 on a GPU; what was measured soon counts instead."""
PIXELS = 512 * 512


class Drawing(tron.Capability):
    """What everything that draws has in common."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def requirements(self, params: PictureParams) -> tron.Requirements:
        """The model, the GPU memory that the catalogue says it takes, and what not every worker can do."""
        model = self.service.catalogue.find(params.model) if params.model else None
        beyond = tuple((name, str(value)) for name in BEYOND if (value := getattr(params, name, None)))
        return tron.Requirements(
            model=params.model, gpu_memory_mb=model.gpu_memory_mb if model else 0, compatible=beyond
        )

    def expected_seconds(self, params: PictureParams) -> float:
        """By steps, size and number."""
        width, height = resolutions.parse(params.resolution) if params.resolution else (512, 512)
        scale = width * height / PIXELS * (params.hires or 1) ** 2
        return SECONDS_TO_LOAD + SECONDS_A_STEP * (params.steps or 25) * params.count * scale

    def deadline(self, params: PictureParams) -> float:
        """An hour: the largest pictures take that on a CPU."""
        return 3600.0

    def choices(self, field: str) -> Sequence[str]:
        """The models are those that workers announce: the catalogue knows more than can be had."""
        known = {
            "style": STYLES,
            "scheduler": self.service.catalogue.schedulers,
            "resolution": resolutions.RESOLUTIONS,
            "refiner": [model.name for model in self.service.catalogue.models.values() if model.kind == "refiner"],
        }
        return tuple(known.get(field, ()))

    async def complete(self, field: str, text: str, asker: tron.Asker) -> Sequence[str]:
        """Of the models, those that the guild may ask for, the ones that a worker has first."""
        found = list(await super().complete(field, text, asker))
        if field != "model":
            return found
        catalogue, needle = self.service.catalogue, text.casefold()
        here = [
            name for name in found if (model := catalogue.find(name)) is None or model in catalogue.offered(asker.guild)
        ]
        others = [model.name for model in catalogue.offered(asker.guild) if needle in model.name.casefold()]
        return [name for name in dict.fromkeys([*here, *others]) if catalogue.allows(asker.guild, name)]

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        """The pictures with what they were drawn with, and buttons to go on."""
        return picture_reply(job, result, self.service.now())


class Txt2Img(Drawing):
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
