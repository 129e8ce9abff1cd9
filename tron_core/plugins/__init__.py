"""Plugins: discovery, compatibility, isolation, guarded hook calls, listing."""

from tron_core.plugins.calling import Answer, Outcome, PerPlugin
from tron_core.plugins.discovery import EXECUTORS, PLUGINS
from tron_core.plugins.records import PluginFailed, PluginRecord, PluginState
from tron_core.plugins.registry import Plugins

__all__ = [
    "EXECUTORS",
    "PLUGINS",
    "Answer",
    "Outcome",
    "PerPlugin",
    "PluginFailed",
    "PluginRecord",
    "PluginState",
    "Plugins",
]
