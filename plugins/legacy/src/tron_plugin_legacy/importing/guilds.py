"""The rules of guilds that are the core's."""

from __future__ import annotations

from typing import Any

from tron_plugin_legacy.importing.taking import GuildValue, Taking

BEST_OF = "the original remembered the channel and never used it"


class GuildRules:
    """Taken by this plugin itself, into the core's rules."""

    tables = ()
    settings = ()
    guild_values = ("banned_channels", "best_of_channel_id")

    def take(self, taking: Taking) -> None:
        """Channels where the bot is silent."""
        for each in taking.guild_values("banned_channels"):
            with each:
                _ban(each)
        for each in taking.guild_values("best_of_channel_id"):
            with each:
                each.left(BEST_OF)


def _ban(each: GuildValue) -> None:
    channels = ids(each.value)
    if channels:
        each.extend("banned_channels", channels)
    else:
        each.left("empty")


def ids(value: Any) -> list[str]:
    """Ids as texts, which were kept as numbers; raises ValueError for what is no list of them."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    for each in value:
        if isinstance(each, bool) or not (isinstance(each, int) or (isinstance(each, str) and each.isdecimal())):
            raise ValueError(f"{each!r} is no id")
    return [str(each) for each in value]
