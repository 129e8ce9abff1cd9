"""The options that plugins add to ``tron create-client-tokens``: one for each kit of theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from tron_core.cli.context import context_of
from tron_core.errors import ConfigError

if TYPE_CHECKING:
    from tron_core.kits import Kit

HOOK = "tron_register_kits"
OPTION = re.compile(r"[a-z][a-z0-9-]{0,30}")
_CHOSEN = "tron_core.kits.chosen"
_OFFERED = "tron_core.kits.offered"


class KitsCommand(TyperCommand):
    """A command with an option, which takes a folder, for the kit of each plugin that has one.

    ``ctx`` is a ``typer.Context``; in the overridden signatures typer names a class of its own that is not public.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own, the plugins' before ``--help``."""
        *own, last = super().get_params(ctx)
        taken = {option for param in (*own, last) for option in param.opts}
        return [*own, *(_option(kit) for _, kit in _offered(ctx) if f"--{kit.option}" not in taken), last]

    def invoke(self, ctx: Any) -> Any:
        """Take the plugins' options out of what the function is called with."""
        named = [(plugin, kit, ctx.params.pop(_parameter(kit), None)) for plugin, kit in _offered(ctx)]
        ctx.meta[_CHOSEN] = [(plugin, kit, Path(folder)) for plugin, kit, folder in named if folder is not None]
        return super().invoke(ctx)


def chosen_kit(ctx: typer.Context) -> tuple[str, Kit, Path] | None:
    """The plugin, its kit and the folder that the command line names; raises ConfigError where it names several."""
    chosen: Sequence[tuple[str, Kit, Path]] = ctx.meta.get(_CHOSEN, ())
    if len(chosen) > 1:
        raise ConfigError(f"one kit at a time, not {' and '.join(f'--{kit.option}' for _, kit, _ in chosen)}")
    return chosen[0] if chosen else None


def _offered(ctx: Any) -> list[tuple[str, Kit]]:
    """The kits of the plugins that load, each with its plugin's name."""
    if _OFFERED not in ctx.meta:
        ctx.meta[_OFFERED] = _load(ctx)
    found: list[tuple[str, Kit]] = ctx.meta[_OFFERED]
    return found


def _load(ctx: Any) -> list[tuple[str, Kit]]:
    context = context_of(ctx)
    if context.no_plugins:
        return []
    try:
        plugins = context.load_plugins(context.load())
    except ConfigError:
        return []  # the command itself says so, and its --help is shown all the same
    kits = [(answer.plugin, kit) for answer in plugins.call_all_now(HOOK) for kit in answer.value]
    found: dict[str, tuple[str, Kit]] = {}
    for plugin, kit in kits:
        if not OPTION.fullmatch(kit.option) or kit.option in found:
            typer.echo(f"plugin {plugin}: its kit --{kit.option} is left out: the name is taken or none", err=True)
            continue
        found[kit.option] = (plugin, kit)
    return list(found.values())


def _parameter(kit: Kit) -> str:
    return f"kit_{kit.option.replace('-', '_')}"


def _option(kit: Kit) -> Any:
    """The option as Typer makes it: from the signature of a function."""
    probe = typer.Typer(add_completion=False)

    @probe.command()
    def _(folder: Path | None = typer.Option(None, f"--{kit.option}", metavar="DIR", help=kit.help)) -> None: ...

    [option] = [param for param in typer.main.get_command(probe).params if f"--{kit.option}" in param.opts]
    option.name = _parameter(kit)
    return option
