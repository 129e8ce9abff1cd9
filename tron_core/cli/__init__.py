"""The program ``tron``: one Typer app, to which the modules of this package add their commands.

A module that has commands defines ``register(cli: typer.Typer)`` and stands in ``COMMANDS``. At its top it imports
typer and what is as light: whatever else a command needs is imported inside it, so that ``tron --help`` is quick and a
worker loads no library of the hub. A command takes ``ctx: typer.Context`` and asks ``context_of(ctx)`` for the global
options; a TronError that it raises is printed as one line, with exit status 1.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from tron_core.cli.program import Program

app = typer.Typer(name="tron", cls=Program, no_args_is_help=True, add_completion=True, rich_markup_mode=None)


@app.callback()
def _global_options(
    config: Annotated[
        Path | None,
        typer.Option(metavar="PATH", is_eager=True, help="The configuration file; else TRON_CONFIG, ./tron.toml."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", is_eager=True, help="End with status 1 at the first plugin that is not well.")
    ] = False,
    no_plugins: Annotated[bool, typer.Option("--no-plugins", is_eager=True, help="Load no plugin.")] = False,
) -> None:
    """TRON carries requests from Discord, the web and the command line to GPU workers.

    These options stand before the command: tron --config hub/tron.toml run
    """


COMMANDS = (
    "run", "worker", "demo", "submit", "jobs", "workers", "init", "doctor", "users", "tokens", "db", "certs",
    "models", "plugins", "config", "audit", "guilds", "settings", "overview",
)  # fmt: skip
"""The modules with commands. Not found by looking: the others of this package import more than a start may cost."""

_present = {module.name for module in pkgutil.iter_modules(__path__)}
for _name in COMMANDS:
    if _name in _present:
        importlib.import_module(f"{__name__}.{_name}").register(app)


def main() -> None:
    """Run the program; ends the process."""
    app(prog_name="tron")
