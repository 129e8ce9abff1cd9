"""The parts that need no database: what profiles hold, what a report counts, what is read as which type."""

from __future__ import annotations

from typing import Any

import pytest
from original_hub import ANN, BOB, profile

from tron_plugin_legacy.importing.accounts import fitting_name
from tron_plugin_legacy.importing.guilds import ids
from tron_plugin_legacy.importing.original import SETTINGS, integer, number, switch
from tron_plugin_legacy.importing.profiles import Profiles
from tron_plugin_legacy.importing.report import MOST_REASONS, OTHER, Outcome, Report


@pytest.mark.parametrize(
    ("value", "read"), [("42", 42), (-1, -1), ("-1", -1), ("7.5", 7.5), (" 3 ", 3), ("1e3", 1000.0)]
)
def test_a_number_may_be_text(value: Any, read: float) -> None:
    assert number(value) == read
    assert type(number(value)) is type(read)


@pytest.mark.parametrize("value", ["", "none", "random", "inf", float("inf"), "NaN", [], {}, True, "²", "1_000x"])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number(value)


def test_a_whole_number_may_have_a_point() -> None:
    assert integer("30.0") == 30
    assert isinstance(integer(30.0), int)


@pytest.mark.parametrize(("value", "read"), [("true", True), ("False", False), (True, True)])
def test_a_switch_may_be_text(value: Any, read: bool) -> None:
    assert switch(value) is read


@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_a_switch_is_true_or_false_and_nothing_else(value: Any) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        switch(value)


def test_every_default_is_what_its_key_is_read_as() -> None:
    for key, setting in SETTINGS.items():
        for default in setting.defaults:
            assert setting.is_default(setting.read(default)), key


def test_a_default_that_is_kept_as_text_is_a_default() -> None:
    [found] = Profiles({ANN: {"guidance_scaling": "6.0"}}).sift("guidance_scaling")
    assert found.why is not None


def test_known_keys_come_first() -> None:
    profiles = Profiles({ANN: {"zebra": 1, "steps": 20}, BOB: {"ant": 1, "seed": -1}})
    assert profiles.keys == ["seed", "steps", "ant", "zebra"]


def test_a_long_text_of_two_people_is_their_choice() -> None:
    text = "a text of more than forty characters, which two people have"
    people = {ANN: profile(gpt_role=text), BOB: profile(gpt_role=text)}
    assert [found.why for found in Profiles(people).sift("gpt_role")] == [None, None]


@pytest.mark.parametrize(
    ("name", "fitting"),
    [("gpu-1", "gpu-1"), ("GPU_1.b@home", "GPU_1.b@home"), ("local", "local-7"), ("ä b", "b-7"), ("", "-7")],
)
def test_a_name_stays_where_it_may(name: str, fitting: str) -> None:
    assert fitting_name(name, 7) == fitting


@pytest.mark.parametrize("value", ["1", [1.5], [True], [None], ["x"], {"1": 2}])
def test_what_is_no_list_of_ids_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is no"):
        ids(value)


def test_a_report_stays_short_however_many_reasons_there_are() -> None:
    report = Report()
    for number_ in range(1000):
        report.item("table", "user").add(Outcome.LEFT, f"reason {number_}", str(number_))
        report.item("table", "user").add(Outcome.LEFT, "the same", str(number_))
    [item] = report.as_json()["items"]
    assert item["left"] == 2000
    assert len(item["notes"]) == MOST_REASONS + 1
    [same] = [note for note in item["notes"] if note["why"] == "the same"]
    assert (same["count"], same["rows"][:2], len(same["rows"])) == (1000, ["0", "1"], 10)
    [other] = [note for note in item["notes"] if note["why"] == OTHER]
    assert other["count"] == 1000 - (MOST_REASONS - 1)
