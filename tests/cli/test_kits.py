"""Kits of plugins: options that `tron create-client-tokens` has from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app

PAPER = """
    import json
    import tron_core as tron

    def files(kit):
        told = {"hub": kit.hub, "http": kit.http, "authority": kit.authority}
        return {"told.json": json.dumps(told).encode(), "secrets/token.json": json.dumps(dict(kit.token)).encode()}

    @tron.hookimpl
    def tron_register_kits():
        return [tron.Kit("paper", "For a worker that speaks paper.", files, "{folder} is made of paper")]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def worker(shelf: Any) -> None:
    shelf.install("paper", PAPER)
    assert tron("create-worker-user", "--username", "gpu-1", "--password", "a long password").exit_code == 0


@pytest.mark.usefixtures("worker")
def test_a_plugins_kit_is_written(here: Path) -> None:
    result = tron("create-client-tokens", "--username", "gpu-1", "--paper", "kit")
    assert result.exit_code == 0, result.output
    assert "kit is made of paper\n" in result.stderr
    told = json.loads((here / "kit" / "told.json").read_text())
    assert told == {"hub": "ws://127.0.0.1:6789", "http": "http://127.0.0.1:5000", "authority": None}
    blocks = result.stdout.replace("}\n{", "}\x00{").split("\x00")
    assert json.loads(blocks[1]) == json.loads((here / "kit" / "secrets" / "token.json").read_text())
    assert (here / "kit" / "told.json").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("worker")
def test_its_option_is_in_the_help_and_not_without_plugins() -> None:
    assert "For a worker that speaks paper." in tron("create-client-tokens", "--help").stdout
    result = tron("--no-plugins", "create-client-tokens", "--username", "gpu-1", "--paper", "kit")
    assert result.exit_code == 2


@pytest.mark.usefixtures("worker")
def test_two_kits_at_once_are_refused(here: Path) -> None:
    result = tron("create-client-tokens", "--username", "gpu-1", "--paper", "a", "--kit", "b")
    assert (result.exit_code, result.stderr) == (1, "error: one kit at a time, not --kit and --paper\n")
    assert not (here / "a").exists()


@pytest.mark.usefixtures("worker")
def test_a_kit_is_for_a_worker() -> None:
    tron("users", "create", "--username", "ann", "--password", "a long password")
    result = tron("create-client-tokens", "--username", "ann", "--paper", "kit")
    assert result.exit_code == 1
    assert "'ann' is no worker's" in result.stderr


def test_an_option_that_is_taken_is_left_out(shelf: Any) -> None:
    shelf.install("paper", PAPER.replace('"paper"', '"output"'))
    result = tron("create-client-tokens", "--help")
    assert result.exit_code == 0
    assert "speaks paper" not in result.stdout
