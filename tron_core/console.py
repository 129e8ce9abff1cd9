"""What a plugin's commands for ``tron`` need to speak with the hub that runs: public.

An option ``url: Url = None`` and ``token: Token = None`` names another hub, as in every command of the core's::

    @notes.command("list")
    def list_(ctx: typer.Context, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
        with hub_of(ctx, url, token) as hub:
            found = hub.items("/plugins/notes")
"""

from __future__ import annotations

import typer

from tron_core.cli.context import context_of
from tron_core.cli.hub_client import HubClient, Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json

__all__ = ["AsJson", "HubClient", "Token", "Url", "hub_of", "print_columns", "print_json"]


def hub_of(ctx: typer.Context, url: str | None = None, token: str | None = None) -> HubClient:
    """The hub of ``--url``, or the one that runs with this configuration: its REST side, below ``/api/v1``.

    Use it in a ``with``. Raises ConfigError where there is none; what it and the hub's refusals say is printed as one
    line, and ends the command with status 1.
    """
    return require_hub(context_of(ctx).load(), url, token)
