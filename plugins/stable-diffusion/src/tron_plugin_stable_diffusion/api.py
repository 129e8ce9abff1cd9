"""What other plugins that draw may use of the hub's half; what their workers may use is in ``worker``.

A capability of theirs has params that extend ``PictureParams`` and extends ``Drawing``; their ``tron_job_submitting``
(with ``tryfirst=True``) returns ``await derive(request)`` for it. Then it shares the settings, the catalogue, the
styles, the filters, the replies and the history of this plugin::

    class Vary(api.Drawing):
        name = "img2img"
        command = tron.Command("vary")
        params = VaryParams

    @tron.hookimpl
    def tron_register_capabilities():
        return [Vary(api.service())]
"""

from __future__ import annotations

import tron_core as tron
from tron_plugin_stable_diffusion import the_plugin
from tron_plugin_stable_diffusion.capability import Drawing
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.legacy import OldPicture
from tron_plugin_stable_diffusion.params import GROUP, PictureParams
from tron_plugin_stable_diffusion.replies import picture_reply, text_of
from tron_plugin_stable_diffusion.service import Service
from tron_plugin_stable_diffusion.styles import STYLES, Style

__all__ = [
    "GROUP",
    "STYLES",
    "Catalogue",
    "Drawing",
    "Model",
    "OldPicture",
    "PictureParams",
    "Scheduler",
    "Service",
    "Style",
    "derive",
    "picture_reply",
    "service",
    "text_of",
]


def service() -> Service:
    """What the capabilities of this process share: the catalogue (``service().catalogue``), the settings."""
    return the_plugin().service


async def derive(request: tron.JobRequest) -> tron.JobRequest:
    """The request with everything filled in that a worker needs: the model, the whole prompts, the seed, ….

    Raises Refused for a prompt or a model that is not allowed, and where this plugin is not active; InvalidParams for
    a field that is wrong.
    """
    if not service().started:
        raise tron.Refused("Not now: the plugin stable-diffusion must be active for this.", code="plugin_failed")
    return await service().derive(request)
