"""The page about the command line names every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tron_core.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is shown, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        elif not command.hidden:
            yield (*words, name), command


def test_the_page_names_every_command() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `tron ")]
    rows.append("`tron submit")
    for words, _ in commands(typer.main.get_command(app)):
        assert any(f"`tron {words[0]}" in row and words[-1] in row for row in rows), " ".join(words)


def test_every_command_and_every_group_has_an_example() -> None:
    root: Any = typer.main.get_command(app)
    groups = [((name,), command) for name, command in root.commands.items() if hasattr(command, "commands")]
    for words, command in [*groups, *commands(root)]:
        assert "Example: tron " in (command.help or ""), " ".join(words)
