"""``tron plugins``: whatever a plugin does, it is listed with its state and reason, and can be switched off."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core import __version__
from tron_core.cli import app

A = "tron-plugin-a-echo 1.2 (plugin a-echo)"
ECHO = """
    import tron_core as tron

    class EchoParams(tron.Params):
        text: str = tron.Prompt("What")

    class Echo(tron.Capability):
        name = command = None
        params = EchoParams

    Echo.name = "{capability}"
    Echo.command = tron.Command("{command}")

    @tron.hookimpl
    def tron_register_capabilities():
        return [Echo()]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listed(*arguments: str) -> dict[str, dict[str, Any]]:
    result = tron("plugins", "list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


def test_every_kind_of_plugin_is_listed_with_its_state_and_reason(shelf: Any) -> None:
    shelf.install("a-echo", ECHO.format(capability="echo", command="echo"), version="1.2")
    shelf.install("b-clash", ECHO.format(capability="other", command="echo"))
    shelf.install("c-late", "raise AssertionError", requires="tron-core>=99")
    shelf.install("d-raises", "print('to standard output')\nraise ValueError('no good')")
    shelf.install("e-ends", "import os; os._exit(3)")
    shelf.install("f-crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    shelf.install("g-good", ECHO.format(capability="good", command="good"))
    rows = listed()
    assert rows["a-echo"] == {
        "name": "a-echo",
        "distribution": "tron-plugin-a-echo",
        "version": "1.2",
        "state": "active",
        "reason": None,
        "hooks": ["tron_register_capabilities"],
        "capabilities": ["echo"],
    }
    assert {name: (row["state"], row["reason"]) for name, row in rows.items() if name[1] == "-" and name[0] != "a"} == {
        "b-clash": (
            "failed",
            f"command 'echo' is already taken by {A}; tron-plugin-b-clash 1.0 (plugin b-clash) cannot have it too",
        ),
        "c-late": (
            "incompatible",
            f"tron-plugin-c-late 1.0 needs tron-core>=99, and this is tron-core {__version__}",
        ),
        "d-raises": ("failed", "raised at import: ValueError: no good"),
        "e-ends": ("failed", "ends the process with exit status 3 while it is loaded"),
        "f-crashes": ("failed", "ends the process with SIGSEGV while it is loaded"),
        "g-good": ("active", None),
    }


def test_a_plugin_that_hangs_is_given_up(shelf: Any) -> None:
    shelf.install("a-hangs", "import threading; threading.Event().wait()")
    shelf.install("b-good", "")
    rows = listed("--time-limit", "1")
    assert rows["a-hangs"]["reason"] == "is not done after 1 s while it is loaded"
    assert rows["b-good"]["state"] == "active"


def test_a_plugin_that_ends_the_process_when_it_registers_is_at_fault(shelf: Any) -> None:
    source = "import os\nimport tron_core\n@tron_core.hookimpl\ndef tron_register_settings(): os._exit(0)\n"
    shelf.install("a-good", "")
    shelf.install("b-ends", source)
    rows = listed()
    assert rows["a-good"]["state"] == "active"
    assert rows["b-ends"]["reason"] == "ends the process with exit status 0 while it is loaded"


def test_for_people_the_list_is_a_table(shelf: Any) -> None:
    shelf.install("bad", "raise ValueError('no good')")
    result = tron("plugins", "list")
    assert result.stdout.splitlines()[0].split()[:3] == ["NAME", "VERSION", "STATE"]
    assert "raised at import: ValueError: no good" in result.stdout


def test_with_strict_a_plugin_that_is_not_well_is_exit_status_1_after_the_list(shelf: Any) -> None:
    shelf.install("bad", "raise ValueError('no good')")
    result = tron("--strict", "plugins", "list")
    assert result.exit_code == 1
    assert "bad" in result.stdout
    assert "error: plugin bad is failed" in result.stderr


def test_a_plugin_is_disabled_and_enabled_without_being_imported(here: Path, shelf: Any) -> None:
    shelf.install("bad", "raise AssertionError('imported')")
    assert "bad is disabled in" in tron("plugins", "disable", "bad").stdout
    assert listed()["bad"]["reason"] == "disabled in the configuration (tron plugins enable bad)"
    assert "bad is disabled already" in tron("plugins", "disable", "bad").stdout
    assert "bad is enabled in" in tron("plugins", "enable", "bad").stdout
    assert tomllib.loads((here / "tron.toml").read_text(encoding="utf-8")) == {"plugins": {"disabled": []}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# ours\n[plugins]\ndisabled = ["x"] # for now\n\n[plugins.bad]\nn = 1\n',
            '# ours\n[plugins]\ndisabled = ["x", "bad"] # for now\n\n[plugins.bad]\nn = 1\n',
        ),
        ("[plugins.bad]\nn = 1 # one\n", None),
        ("[hub]\nport = 0 # any\n", None),
        ("[plugins]\n# nothing\n[plugins.bad]\nn = 1\n[hub]\nport = 0\n", None),
    ],
)
def test_what_else_stands_in_the_file_is_kept(here: Path, shelf: Any, before: str, after: str | None) -> None:
    shelf.install("bad", "raise AssertionError('imported')")
    file = here / "tron.toml"
    file.write_text(before, encoding="utf-8")
    assert tron("plugins", "disable", "bad").exit_code == 0
    text = file.read_text(encoding="utf-8")
    if after is not None:
        assert text == after
    values = tomllib.loads(text)
    assert values["plugins"].pop("disabled")[-1] == "bad"
    expected = tomllib.loads(before)
    expected.setdefault("plugins", {}).pop("disabled", None)
    assert values == expected
    assert all(comment in text for comment in before.splitlines() if comment.startswith("#"))
    assert tron("plugins", "enable", "bad").exit_code == 0


def test_an_unknown_plugin_cannot_be_disabled_but_one_that_is_gone_can_be_enabled(here: Path, shelf: Any) -> None:
    shelf.install("echo", "")
    result = tron("plugins", "disable", "ecko")
    assert result.exit_code == 1
    assert result.stderr == "error: no plugin ecko is installed; did you mean echo?\n"
    (here / "tron.toml").write_text('[plugins]\ndisabled = ["gone"]\n', encoding="utf-8")
    assert tron("plugins", "enable", "gone").exit_code == 0


def test_the_configuration_is_checked_with_the_sections_of_plugins(here: Path, shelf: Any) -> None:
    source = """
        import pydantic, tron_core

        class Section(pydantic.BaseModel):
            shout: bool = False

        @tron_core.hookimpl
        def tron_register_config():
            return Section
    """
    shelf.install("echo", source)
    file = here / "tron.toml"
    file.write_text("[plugins.echo]\nshout = true\n[plugins.gone]\n", encoding="utf-8")
    result = tron("config", "check")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "[plugins.gone]: kept unread, no such plugin is installed",
        f"{file}: can be used",
    ]
    file.write_text("[plugins.echo]\nshuot = true\n", encoding="utf-8")
    result = tron("config", "check")
    assert result.exit_code == 1
    assert f"{file}: plugins.echo.shuot: unknown key; did you mean shout?" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[database]\nurl = "foo://x"\n', "database.url: 'foo' is not supported; allowed: sqlite:///FILE"),
        ('[hub]\ntls_certificate = "a.pem"\ntls_key = "a.key"\n', "a.pem': there is no such file"),
    ],
)
def test_a_place_that_cannot_be_used_is_found_by_the_check(here: Path, text: str, sentence: str) -> None:
    (here / "tron.toml").write_text(text, encoding="utf-8")
    result = tron("config", "check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


def test_the_configuration_is_shown_with_origins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_HUB__PORT", "0")
    (here / "tron.toml").write_text('[discord]\ntoken = "abc"\n', encoding="utf-8")
    rows = {row["key"]: row for row in json.loads(tron("config", "show", "--json").stdout)}
    assert rows["hub.port"] == {"key": "hub.port", "value": 0, "origin": "TRON_HUB__PORT"}
    assert rows["hub.host"]["origin"] == "default"
    assert rows["discord.token"] == {"key": "discord.token", "value": "********", "origin": str(here / "tron.toml")}
    assert "hub.port" in tron("config", "show").stdout
