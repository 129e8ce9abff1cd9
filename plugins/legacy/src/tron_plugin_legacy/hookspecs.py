"""The hooks of this plugin, which other plugins implement with ``@tron.hookimpl(optionalhook=True)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tron_core as tron

if TYPE_CHECKING:
    from tron_plugin_legacy.api import LegacyJob


@tron.hookspec
def tron_legacy_job() -> Sequence[LegacyJob]:
    """What the jobs of a capability are for workers of discord-tron-master. Experimental.

    Called once when the hub starts, on the event loop; must not block. Return a list of objects as ``LegacyJob`` says,
    one for each kind of job that such workers announce. Raising is logged, and leaves the plugin's jobs out.

    Example::

        @tron.hookimpl(optionalhook=True)
        def tron_legacy_job():
            return [BarkSpeech()]
    """
