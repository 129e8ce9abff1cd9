"""``tron audit`` where no hub runs: what was done in the database itself is written down too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "olga")
    for name in ("TRON_CONFIG", "TRON_URL", "TRON_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def tron(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["--no-plugins", *arguments])
    assert result.exit_code == 0, result.output
    return result


def test_changes_in_the_database_stand_under_the_name_of_the_systems_user() -> None:
    tron("users", "create", "--username", "dora", "--password", "a long password")
    tron("users", "ban", "dora", "--reason", "spam")
    found = json.loads(tron("audit", "--json").stdout)
    assert [(each["actor"], each["action"], each["target"]) for each in found] == [
        ("console:olga", "user.changed", "dora"),
        ("console:olga", "user.created", "dora"),
    ]
    assert found[0]["detail"] == {"banned": True, "ban_reason": "spam"}
    lines = tron("audit", "--actor", "console:olga", "--limit", "1").stdout.splitlines()
    assert lines[0].split() == ["WHEN", "WHO", "WHAT", "TARGET", "DETAIL"]
    assert lines[1].endswith("console:olga  user.changed  dora    banned=True, ban_reason=spam")
    assert len(lines) == 2


def test_channels_are_granted_and_taken_away() -> None:
    tron("users", "create", "--username", "dora", "--password", "a long password")
    assert tron("users", "channels", "dora", "99", "1234").stdout == "dora may have replies sent to 1234, 99\n"
    assert tron("users", "channels", "dora").stdout == "dora may have replies sent to no channel\n"
    refused = CliRunner().invoke(app, ["users", "channels", "dora", "general"])
    assert (refused.exit_code, refused.stderr) == (1, "error: channel 'general': expected is its id, up to 20 digits\n")
