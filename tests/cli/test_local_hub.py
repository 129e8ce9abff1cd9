"""The demo's folder: written where nothing is, never over somebody's own; its processes watched."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tron_core.cli.local_hub import LocalHub, without_settings
from tron_core.cli.processes import ProcessEnded, TookTooLong, TronProcess, wait_for
from tron_core.config import load
from tron_core.errors import ConfigError
from tron_core.run_file import RunFile


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHub:
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return LocalHub(tmp_path / "shown", [])


def test_an_empty_folder_gets_a_configuration_that_loads(hub: LocalHub) -> None:
    loaded = hub.prepare()
    assert loaded.folder == hub.folder
    assert hub.prepare().path == loaded.path


def test_an_empty_tron_toml_is_filled(hub: LocalHub) -> None:
    hub.folder.mkdir()
    (hub.folder / "tron.toml").touch()
    hub.prepare()
    assert (hub.folder / "tron.toml").read_text().startswith("# Written by `tron demo`.")


@pytest.mark.parametrize("name", ["tron.toml", "worker.toml"])
def test_somebody_s_own_configuration_is_left_alone(hub: LocalHub, name: str) -> None:
    hub.folder.mkdir()
    (hub.folder / name).write_text("# mine\n")
    with pytest.raises(ConfigError, match="is not from `tron demo`"):
        hub.prepare()
    assert (hub.folder / name).read_text() == "# mine\n"


def test_what_a_demo_needs_is_configured_and_what_stands_there_stays(hub: LocalHub) -> None:
    file = hub.prepare().path
    assert file is not None
    file.write_text(file.read_text() + "\n[plugins.one]\nkey = 'mine'\n")
    hub.configure({"one": {"key": "demo"}, "two": {"server": True, "words": 48}})
    assert tomllib.loads(file.read_text())["plugins"] == {"one": {"key": "mine"}, "two": {"server": True, "words": 48}}
    assert file.read_text().startswith("# Written by `tron demo`.")
    assert load(file).settings.plugins.sections["two"] == {"server": True, "words": 48}


def test_nothing_to_configure_leaves_the_file_as_it_is(hub: LocalHub) -> None:
    file = hub.prepare().path
    assert file is not None
    before = file.read_text()
    hub.configure({})
    assert file.read_text() == before


def test_the_file_of_a_hub_that_was_killed_does_not_keep_the_demo_from_starting(hub: LocalHub) -> None:
    hub.folder.mkdir()
    RunFile(hub.folder).write(http="http://127.0.0.1:1", hub="ws://127.0.0.1:2", token="t")
    hub.prepare()


def test_settings_of_another_hub_are_hidden_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRON_CONFIG", "TRON_DISCORD__TOKEN", "TRON_PLUGINS"):
        monkeypatch.setenv(name, "x")
    with without_settings():
        assert os.environ["TRON_PLUGINS"] == "x"
        assert not os.environ.keys() & {"TRON_CONFIG", "TRON_DISCORD__TOKEN"}
    assert os.environ["TRON_DISCORD__TOKEN"] == os.environ["TRON_CONFIG"] == "x"


def test_a_process_that_ends_too_early_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = TronProcess("the hub", ["--no-such-option"], log=tmp_path / "hub.log")
    with pytest.raises(ProcessEnded, match="the hub ended with status 2") as caught:
        wait_for("the hub", lambda: False, 30, [process])
    assert "No such option" in caught.value.message
    assert process.stop() == 2


def test_what_does_not_come_in_time_is_said_with_the_log_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(TookTooLong, match="waited 0 s for the moon"):
        wait_for("the moon", lambda: False, 0, [])
