"""How much people of a discord-tron-master wanted drawn anew, for ``tron import-upstream`` of the plugin ``legacy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tron_plugin_stable_diffusion.worker import GROUP

if TYPE_CHECKING:
    from tron_plugin_legacy.api import Taking


class StrengthImport:
    """One setting, which has the same name and meaning there and here."""

    tables = ()
    settings = ("strength",)
    guild_values = ()

    def take(self, taking: Taking) -> None:
        """It becomes a setting of everything that draws."""
        for choice in taking.choices("strength"):
            with choice:
                choice.save(f"{GROUP}.strength", choice.value)
