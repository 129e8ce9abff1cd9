"""What other plugins rely on: each entry has its own fate, a part is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from original_hub import ANN, BOB, CYD, GUILD, OriginalHub, profile
from reports import item

PART = """
    import tron_core as tron
    from sqlalchemy import text

    class Settings:
        tables = ()
        settings = ("flavour",)
        guild_values = ("flavours",)

        def take(self, taking):
            taking.connection.execute(text("INSERT INTO hub (`key`, value) VALUES ('whole', '1')"))
            for choice in taking.choices("flavour"):
                with choice:
                    row = {"key": choice.requester}
                    taking.connection.execute(text("INSERT INTO hub (`key`, value) VALUES (:key, '1')"), row)
                    BODY

    @tron.hookimpl(optionalhook=True)
    def tron_legacy_import():
        RETURN
"""


@pytest.fixture
def install(shelf_of_plugins: Callable[[str, str], None]) -> Callable[..., None]:
    """Install a plugin that takes the key ``flavour`` so."""

    def install(body: str, returned: str = "return [Settings()]") -> None:
        shelf_of_plugins("flavours", PART.replace("BODY", body).replace("RETURN", returned))

    return install


def written(hub: Any) -> list[str]:
    return [key for (key,) in hub.rows("SELECT `key` FROM hub WHERE value = '1' ORDER BY `key`")]


@pytest.fixture
def three_people(original: OriginalHub) -> OriginalHub:
    original.configure({ANN: profile(flavour="plum"), BOB: profile(flavour="lime"), CYD: profile(flavour="fig")})
    return original


def test_an_entry_that_raises_is_undone_alone(three_people: OriginalHub, hub: Any, install: Any) -> None:
    install("{}['x'] if choice.value == 'lime' else choice.taken()")
    flavours = item(hub.take(three_people), "setting", "flavour")
    assert flavours == {"plugin": "flavours", "taken": 2, "left": 1, "why": ["broken: 'x' is missing"]}
    assert written(hub) == [f"discord:{ANN}", f"discord:{CYD}", "whole"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("pass", "RuntimeError: setting flavour"),
        ("1 / 0", "ZeroDivisionError"),
        ("taking.connection.execute(text('SELECT * FROM nowhere'))", "OperationalError"),
    ],
)
def test_a_part_that_fails_is_not_there_at_all(
    three_people: OriginalHub, hub: Any, install: Any, body: str, why: str
) -> None:
    install(body)
    result = hub.run_import(three_people, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failed"]["flavours"].startswith(why)
    assert written(hub) == []


def test_a_hook_that_raises_is_reported(three_people: OriginalHub, hub: Any, install: Any) -> None:
    install("pass", "raise ValueError('no idea')")
    result = hub.run_import(three_people)
    assert result.exit_code == 1
    assert "error: plugin flavours took nothing: ValueError: no idea" in result.stderr


def test_a_plugin_saves_its_own_settings_alone(three_people: OriginalHub, hub: Any, install: Any) -> None:
    install("choice.save('llm.temperature', 0.5)")
    why = item(hub.take(three_people), "setting", "flavour")["why"]
    assert why == ["broken: The setting 'llm.temperature' is not of the plugin flavours"]


def test_what_a_part_claims_is_its_own(three_people: OriginalHub, hub: Any, install: Any) -> None:
    three_people.rule({GUILD: {"flavours": ["plum"]}})
    install("choice.left('sour')")
    report = hub.take(three_people)
    assert [each["plugin"] for each in report["items"] if each["name"].startswith("flavour")] == ["flavours"]
