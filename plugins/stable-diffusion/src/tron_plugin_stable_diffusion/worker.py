"""What executors of other plugins may use, beside ``api``: the models in the one cache of the process.

A PictureExecutor whose ``section`` is ``stable-diffusion`` is configured like the one of this plugin, offers the same
models and keeps to the same memory budget. Nothing of the hub is imported.
"""

from tron_plugin_stable_diffusion.drawing import Start, draw, resolution
from tron_plugin_stable_diffusion.executor import PictureExecutor
from tron_plugin_stable_diffusion.params import GROUP, MAX_SIDE, MIN_SIDE, SIDE_STEP, PictureParams

__all__ = [
    "GROUP",
    "MAX_SIDE",
    "MIN_SIDE",
    "SIDE_STEP",
    "PictureExecutor",
    "PictureParams",
    "Start",
    "draw",
    "resolution",
]
