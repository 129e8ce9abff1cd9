"""Pictures from text: the hub's half, which imports no library for pictures."""

from __future__ import annotations

from collections.abc import Sequence

import tron_core as tron
from tron_plugin_stable_diffusion.capability import Txt2Img
from tron_plugin_stable_diffusion.params import PictureParams

__all__ = ["PictureParams", "Txt2Img"]


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    return [Txt2Img()]
