"""Jobs of ``img2img`` as workers of discord-tron-master know them, for the plugin `legacy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tron_plugin_img2img.vary import NAME
from tron_plugin_stable_diffusion.api import OldPicture, Service


class OldImage(OldPicture):
    """What a prompt says of a picture."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, capability=NAME)

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        return super().to_wire(params, inputs) if params.get("prompt") else None


class OldVariation(OldPicture):
    """A picture like another one: such a worker has a job of its own for what has no prompt."""

    job_type = "variation"

    def __init__(self, service: Service) -> None:
        super().__init__(service, capability=NAME)

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        keys = None if params.get("prompt") else super().to_wire(params, inputs)
        if keys is None:
            return None
        return {**keys, "module_name": "image_variation", "module_command": "promptless_variation"}
