"""How people of a discord-tron-master had set their models, for ``tron import-upstream`` of the plugin ``legacy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tron_plugin_wizardlm.params import GROUP

if TYPE_CHECKING:
    from tron_plugin_legacy.api import Taking


class LLMImport:
    """What has the same name and meaning there and here."""

    tables = ()
    settings = ("temperature", "top_p", "top_k", "repeat_penalty", "max_tokens")
    guild_values = ()

    def take(self, taking: Taking) -> None:
        """Each becomes a setting of all commands that ask a language model."""
        for key in self.settings:
            for choice in taking.choices(key):
                with choice:
                    choice.save(f"{GROUP}.{key}", choice.value)
