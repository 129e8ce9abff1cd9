"""``tron guilds`` where no hub runs, in the database itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app

GUILD, MEMBER = "123456789012345678", "223456789012345678"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TRON_CONFIG", "TRON_URL", "TRON_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["--no-plugins", *arguments])


def said(*arguments: str) -> str:
    result = tron(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def rules() -> dict[str, Any]:
    found = json.loads(said("guilds", "show", GUILD, "--json"))
    return {each["rule"]: each["value"] for each in found if each["value"] is not None}


@pytest.mark.parametrize(
    ("rule", "words", "value"),
    [
        ("allowed_channels", [f"<#{MEMBER}>"], [MEMBER]),
        ("maxima", ["txt2img.steps=30", "height=768"], {"txt2img.steps": 30.0, "height": 768.0}),
        ("banned_models", ["big", "bigger"], ["big", "bigger"]),
        ("spoilers", ["on"], True),
        ("daily_quota", ["50"], 50),
        ("results", ["thread"], "thread"),
    ],
)
def test_a_rule_is_set_shown_and_removed(rule: str, words: list[str], value: Any) -> None:
    assert said("guilds", "set", GUILD, rule, *words).startswith(f"{rule} is ")
    assert rules() == {rule: value}
    assert rule in said("guilds", "list")
    assert said("guilds", "reset", GUILD, rule) == f"{rule} is not set in guild {GUILD} any more\n"
    assert rules() == {}


def test_a_member_is_banned_and_forgiven() -> None:
    assert said("guilds", "ban", GUILD, MEMBER) == f"{MEMBER} may not ask in guild {GUILD}\n"
    assert rules() == {"banned_users": [MEMBER]}
    assert said("guilds", "ban", GUILD, MEMBER, "--undo") == f"{MEMBER} may ask in guild {GUILD}\n"
    assert rules() == {}
    assert [each["action"] for each in json.loads(said("audit", "--json"))] == ["rule.changed", "rule.changed"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["set", GUILD, "result", "thread"], "There is no rule 'result'; did you mean results?"),
        (
            ["set", GUILD, "results", "nowhere"],
            "results (nowhere): this is not allowed; allowed: reply, thread",
        ),
        (["set", "general", "results", "thread"], "guild 'general': expected is its id, 15 to 20 digits"),
        (["ban", GUILD, "@alice"], "member '@alice': expected is its id, 15 to 20 digits"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(arguments: list[str], error: str) -> None:
    said("db", "upgrade")
    result = tron("guilds", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert error in result.stderr
