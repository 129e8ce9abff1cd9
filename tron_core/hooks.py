"""The two pluggy markers of the project."""

import pluggy

PROJECT = "tron"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
