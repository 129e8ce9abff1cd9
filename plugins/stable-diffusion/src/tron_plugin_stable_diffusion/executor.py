"""The worker's half: pictures from text, on diffusers or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tron_core.worker import ExecutionContext, Executor, hookimpl
from tron_plugin_stable_diffusion.drawing import draw
from tron_plugin_stable_diffusion.params import PictureParams
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import PictureConfig, problem
from tron_plugin_stable_diffusion.studio import Studio


class PictureExecutor(Executor):
    """What the executors that draw have in common: the models, in the one cache of the process."""

    config = PictureConfig
    section = "stable-diffusion"

    def unavailable(self) -> str | None:
        """Say what is missing: a library, a model, or a file of one."""
        return problem(self.studio.config)

    def models(self) -> Sequence[str]:
        """Those of worker.toml, then the one that ships with the plugin."""
        return self.studio.models()

    def loaded(self) -> Sequence[str]:
        """Those in memory, whichever executor of this process loaded them."""
        return self.studio.loaded()

    def choices(self) -> Mapping[str, Sequence[str]]:
        """Any model of this worker may refine; a job that wants another as ``refiner`` goes to another worker."""
        return {"refiner": self.studio.models()}

    @property
    def studio(self) -> Studio:
        """The models as this executor is configured."""
        config = self.options if isinstance(self.options, PictureConfig) else PictureConfig()
        return Studio(config, process_cache())


class TextToImageExecutor(PictureExecutor):
    """Draws pictures from text."""

    capability = "txt2img"

    def run(self, params: PictureParams, ctx: ExecutionContext) -> dict[str, Any]:
        """Draw; the output says with what, so that it can be done again."""
        return draw(self.capability, params, ctx, self.studio)


@hookimpl
def tron_register_executors() -> Sequence[Executor]:
    """Offer the executor of ``txt2img``."""
    return [TextToImageExecutor()]
