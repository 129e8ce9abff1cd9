"""The legacy plugin of TRON: workers of discord-tron-master connect as they are, and its database is imported."""

from __future__ import annotations

from typing import Any

import tron_core as tron
from tron_plugin_legacy import hookspecs
from tron_plugin_legacy.config import LegacyConfig


@tron.hookimpl
def tron_register_hookspecs() -> Any:
    """Declare the hooks that other plugins may implement."""
    return hookspecs


@tron.hookimpl
def tron_register_config() -> type[LegacyConfig]:
    """Declare ``[plugins.legacy]``."""
    return LegacyConfig
