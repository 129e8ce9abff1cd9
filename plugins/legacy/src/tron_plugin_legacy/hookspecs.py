"""The hooks of this plugin, which other plugins implement with ``@tron.hookimpl(optionalhook=True)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tron_core as tron

if TYPE_CHECKING:
    from tron_plugin_legacy.api import LegacyImport, LegacyJob


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


@tron.hookspec
def tron_legacy_import() -> Sequence[LegacyImport]:
    """What a plugin takes of the database and the files of a discord-tron-master. Experimental.

    Called once by ``tron import-upstream``, on the main thread, while no hub runs; must not block. Return a list of
    objects as ``LegacyImport`` says; all of a plugin's are run in one transaction. Raising is reported, and leaves
    the plugin's part out.

    Example::

        @tron.hookimpl(optionalhook=True)
        def tron_legacy_import():
            return [SpeechSettings()]
    """
