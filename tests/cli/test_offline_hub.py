"""What a plugin's command does while no hub runs."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app
from tron_core.run_file import RunFile

IMPORTER = """
    import typer
    import tron_core as tron

    class Hooks:
        @tron.hookspec
        def tron_sample_names():
            "Called once. Example: none."

    @tron.hookimpl
    def tron_register_hookspecs():
        return Hooks

    @tron.hookimpl
    def tron_register_cli(cli):
        @cli.command()
        def take(ctx: typer.Context, dry_run: bool = False) -> None:
            with tron.open_offline_hub(ctx, dry_run=dry_run) as hub:
                for outcome in hub.call_each("tron_sample_names"):
                    print(outcome.plugin, hub.write(lambda adoption: adoption.add_worker_user(outcome.value)))
                hub.record("names", taken=1)
"""
NAMES = """
    import tron_core as tron

    @tron.hookimpl
    def tron_sample_names():
        return "gpu-1"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shelf: Any) -> Path:
    """An empty folder, where the plugins ``importer`` and ``names`` are installed, is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRON_CONFIG", "TRON_URL", "TRON_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    shelf.install("importer", IMPORTER)
    shelf.install("names", NAMES)
    return tmp_path


@pytest.fixture
def running_hub(folder: Path) -> Iterator[None]:
    """Something answers where run.json says that a hub does."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    RunFile(folder).write(http=address, hub="ws://127.0.0.1:1", token="secret")
    yield
    server.shutdown()
    server.server_close()


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_command_asks_other_plugins_and_writes_into_the_hubs_tables() -> None:
    assert tron("take").stdout == "names True\n"
    assert tron("take").stdout == "names False\n"
    [user] = json.loads(tron("users", "list", "--json").stdout)
    assert (user["username"], user["scope"]) == ("gpu-1", "worker")


def test_what_was_taken_stands_in_the_audit_log() -> None:
    tron("take")
    [entry] = json.loads(tron("audit", "--json").stdout)
    assert (entry["action"], entry["target"], entry["detail"]) == ("data.imported", "names", {"taken": 1})
    assert entry["actor"].startswith("console:")


def test_of_a_dry_run_nothing_stays() -> None:
    assert tron("db", "upgrade").exit_code == 0
    for _ in range(2):
        assert tron("take", "--dry-run").stdout == "names True\n"
    assert json.loads(tron("users", "list", "--json").stdout) == []
    assert json.loads(tron("audit", "--json").stdout) == []


def test_a_dry_run_needs_no_database_and_makes_none(folder: Path) -> None:
    assert tron("take", "--dry-run").stdout == "names True\n"
    assert not (folder / "tron.db").exists()


def test_a_dry_run_upgrades_nothing(folder: Path) -> None:
    sqlite3.connect(folder / "tron.db").close()
    result = tron("take", "--dry-run")
    assert result.exit_code == 1
    assert "run `tron db upgrade` first" in result.stderr


@pytest.mark.usefixtures("running_hub")
def test_a_hub_that_runs_is_left_alone(folder: Path) -> None:
    result = tron("take")
    assert result.exit_code == 1
    assert "error: the hub runs (http://127.0.0.1:" in result.stderr
    assert "stop it first" in result.stderr
    assert not (folder / "tron.db").exists()
