"""``tron plugins new`` and ``check``: from nothing to a plugin that works, and what is wrong with one that does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app

Findings = dict[str, list[str]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def weather(here: Path) -> Path:
    """The folder of a new plugin."""
    result = tron("plugins", "new", "weather")
    assert result.exit_code == 0, result.output
    return here / "tron-plugin-weather"


def checked(folder: Path, *options: str, status: int = 0) -> Findings:
    """The sentences by their level."""
    result = tron("plugins", "check", str(folder), "--json", *options)
    assert result.exit_code == status, result.output
    found: Findings = {"ok": [], "advice": [], "problem": []}
    for finding in json.loads(result.stdout):
        found[finding["level"]].append(finding["sentence"])
    return found


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def hub_half(folder: Path) -> Path:
    return folder / "src" / "tron_plugin_weather" / "__init__.py"


def test_a_new_plugin_has_both_halves_and_nothing_to_mend(weather: Path) -> None:
    found = checked(weather)
    assert found["problem"] == []
    assert found["advice"] == ["[project] has no license, which people look for on PyPI"]
    assert found["ok"] == [
        "weather 0.1.0 loads; hooks: tron_register_capabilities",
        "capability weather: !weather, fields: text, times",
        "executor of weather: WeatherExecutor",
    ]


def test_the_test_of_a_new_plugin_passes(weather: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environment = {"PYTHONPATH": str(weather / "src"), "PATH": ""}
    done = subprocess.run(command, cwd=weather, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_of_two_words_becomes_a_module_and_a_class(here: Path) -> None:
    assert tron("plugins", "new", "tron-plugin-two-words", "--folder", "mine").exit_code == 0
    assert "class TwoWords(tron.Capability)" in (here / "mine/src/tron_plugin_two_words/__init__.py").read_text()
    assert checked(here / "mine")["problem"] == []


@pytest.mark.parametrize("name", ["Weather", "9lives", "core", "../up", ""])
def test_a_name_that_no_plugin_can_have_is_refused_and_nothing_is_written(here: Path, name: str) -> None:
    result = tron("plugins", "new", name)
    assert result.exit_code != 0
    assert f"NAME ({name})" in result.output
    assert list(here.iterdir()) == []


def test_what_is_there_is_not_overwritten(weather: Path) -> None:
    result = tron("plugins", "new", "weather")
    assert result.exit_code != 0
    assert "is there already" in result.output


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "import tron_core as tron",
            "import tron_core as tron, nowhere",
            "failed: raised at import: ModuleNotFoundError",
        ),
        ("def tron_register_capabilities", "def tron_register_capabilites", "did you mean tron_register_capabilities?"),
        ('"times": 2', '"times": 9', "weather: its demo() is not valid: times (9): "),
        ("import tron_core as tron", "import os; os._exit(3)", "the hub's half ends the process with status 3"),
        ('name = "weather"', 'name = "Weather"', "a capability's name is"),
    ],
)
def test_what_keeps_a_plugin_from_working_is_said(weather: Path, old: str, new: str, sentence: str) -> None:
    rewrite(hub_half(weather), old, new)
    (problem,) = checked(weather, status=1)["problem"]
    assert sentence in problem


def test_a_half_that_never_ends_is_given_up(weather: Path) -> None:
    rewrite(hub_half(weather), "import tron_core as tron", "import tron_core as tron, time; time.sleep(600)")
    problems = checked(weather, "--time-limit", "5", status=1)["problem"]
    assert problems == ["the hub's half is not loaded after 5 s"]


def test_a_heavy_library_in_the_hubs_half_is_noted(weather: Path) -> None:
    (weather / "src" / "torch.py").write_text("")
    rewrite(hub_half(weather), "import tron_core as tron", "import torch\nimport tron_core as tron")
    assert "the hub's half of weather imports torch, which belongs to the worker's" in checked(weather)["advice"]


def test_advice_ends_with_an_error_where_one_is_strict(weather: Path) -> None:
    assert tron("--strict", "plugins", "check", str(weather)).exit_code == 1


def test_a_clash_with_an_installed_plugin_names_both(weather: Path, shelf: Any) -> None:
    shelf.install("another", hub_half(weather).read_text(encoding="utf-8"))
    problems = checked(weather, status=1)["problem"]
    assert any("another" in problem and "weather" in problem for problem in problems)


def test_a_folder_without_a_plugin_is_said(here: Path) -> None:
    result = tron("plugins", "check", str(here))
    assert result.exit_code != 0
    assert "there is no pyproject.toml" in result.output
    (here / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert any("no entry point" in problem for problem in checked(here, status=1)["problem"])
