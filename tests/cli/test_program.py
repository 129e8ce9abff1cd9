"""The root of the command line: global options, errors in one line, commands of plugins, a quick start."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core import cli
from tron_core.cli import app

COMMANDS = """
    import tron_core as tron

    @tron.hookimpl
    def tron_register_cli(cli):
        @cli.command()
        def shout(text: str) -> None:
            "Print it in capitals."
            print(text.upper())

        @cli.command("config")
        def other_config() -> None:
            "Clashes with the core's."
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_plugins_command_stands_beside_the_cores(shelf: Any) -> None:
    shelf.install("shouting", COMMANDS)
    assert tron("shout", "hello").stdout == "HELLO\n"
    listed = tron("--help")
    assert "Print it in capitals." in listed.stdout
    assert "plugin shouting: its command config is left out, as there is one already" in listed.stderr
    assert tron("config", "show").exit_code == 0


def test_a_plugin_that_raises_has_no_commands(shelf: Any) -> None:
    shelf.install("half", COMMANDS + "\n        raise ValueError('half way')\n")
    result = tron("shout", "hello")
    assert result.exit_code == 2
    assert "No such command 'shout'" in result.stderr


def test_without_plugins_there_are_the_cores_commands_alone(shelf: Any) -> None:
    shelf.install("shouting", COMMANDS)
    assert "No such command 'shout'" in tron("--no-plugins", "shout", "hello").stderr
    assert "capitals" not in tron("--no-plugins", "--help").stdout


def test_help_imports_no_plugin_that_has_no_command(shelf: Any) -> None:
    shelf.install("quiet", "raise AssertionError('imported')")
    result = tron("--strict", "--help")
    assert result.exit_code == 0
    assert "plugins" in result.stdout


def test_the_first_plugin_that_is_not_well_ends_a_strict_program(shelf: Any) -> None:
    shelf.install("bad", "raise ValueError('no good')")
    result = tron("--strict", "shout", "hello")
    assert result.exit_code == 1
    assert "error: plugin bad is failed: raised at import: ValueError: no good" in result.stderr
    assert 'raise ValueError("no good")' in result.stderr.replace("'", '"')


def test_help_is_there_where_the_configuration_is_not(here: Path, shelf: Any) -> None:
    shelf.install("shouting", COMMANDS)
    (here / "tron.toml").write_text("[hbu]\n", encoding="utf-8")
    result = tron("--help")
    assert result.exit_code == 0
    assert "commands of plugins are left out" in result.stderr


def test_an_error_is_one_line_and_status_1(here: Path) -> None:
    result = tron("--config", "none.toml", "config", "show")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: none.toml: there is no such configuration file (named by --config)\n"


def test_help_needs_none_of_the_larger_libraries() -> None:
    script = (
        "import sys\nfrom tron_core.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    without = {**os.environ, "TRON_PLUGINS": "none-that-is-installed"}
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=without
    ).stdout
    assert "Usage" in output
    assert not {"pydantic", "rich", "httpx", "sqlalchemy", "asyncio"} & set(output.splitlines()[-1].split())


def test_the_module_is_the_program() -> None:
    command = [sys.executable, "-m", "tron_core", "--no-plugins", "nope"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "Usage: tron " in result.stderr


def test_every_module_that_has_commands_is_registered() -> None:
    modules = {name: import_module(f"tron_core.cli.{name}") for _, name, _ in iter_modules(cli.__path__)}
    assert {name for name, module in modules.items() if hasattr(module, "register")} <= set(cli.COMMANDS)
