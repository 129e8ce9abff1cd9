"""From words to params, by the schema that the hub shows."""

from __future__ import annotations

import enum
import shlex
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tron_core as tron
from tron_core.cli.fields import Field, Files, command_line, fields_of_schema, file_of, read_words, require_all, rows_of
from tron_core.errors import InvalidParams


class Paper(enum.Enum):
    ROUGH = "rough"
    SMOOTH = "smooth"


class Everything(tron.Params):
    text: str = tron.Prompt("What to draw", default="")
    dark_corners: bool = tron.Setting(False)
    width: int = tron.Setting(512, ge=64, le=2048)
    warmth: float | None = tron.Setting(None, ge=-1)
    copies: Literal[1, 2, 4] = tron.Setting(1)
    paper: Paper = tron.Setting(Paper.ROUGH)
    seed: int | None = tron.Setting(None)
    image: tron.Attachment | None = None
    more: list[tron.Attachment] = tron.Input("Others", accept="image/*", default=[])


FIELDS = fields_of_schema(Everything.model_json_schema())


def read(line: str) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    params, files = read_words(shlex.split(line), FIELDS)
    return params, {each.field.name: each.given for each in files}


@pytest.mark.parametrize(
    ("line", "params"),
    [
        ("--width 64", {"width": 64}),
        ("--width=64", {"width": 64}),
        ("--warmth -0.5", {"warmth": -0.5}),
        ("--seed -1", {"seed": -1}),
        ("--copies 4", {"copies": 4}),
        ("--paper smooth", {"paper": "smooth"}),
        ("--dark-corners", {"dark_corners": True}),
        ("--dark_corners --width 64", {"dark_corners": True, "width": 64}),
        ("--dark-corners off", {"dark_corners": False}),
        ("--no-dark-corners", {"dark_corners": False}),
        ("--text 'a -- b'", {"text": "a -- b"}),
        ("--text=--width", {"text": "--width"}),
        ("a red fox --width 64 in snow", {"text": "a red fox in snow", "width": 64}),
        ("", {}),
    ],
)
def test_words_become_params(line: str, params: dict[str, Any]) -> None:
    assert read(line) == (params, {})


def test_files_are_told_apart_from_values() -> None:
    assert read("--image a.png --more b.png --more c.png") == ({}, {"image": ("a.png",), "more": ("b.png", "c.png")})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--witdh 64", "there is no field --witdh; did you mean --width"),
        ("--zzzzzz 1", "there is no field --zzzzzz; there is: --text, --dark-corners"),
        ("--width wide", "--width (wide): must be a whole number from 64 to 2048"),
        ("--width", "--width needs a value; allowed: a whole number from 64 to 2048"),
        ("--warmth hot", "--warmth (hot): must be a number of at least -1"),
        ("--copies 3", "--copies (3): must be 1, 2, 4"),
        ("--paper smoth", "--paper (smoth): must be rough, smooth; did you mean smooth?"),
        ("--width 64 --width 65", "--width is given twice"),
        ("--image a --image b", "--image is given twice"),
        ("fox --text wolf", "'fox' belongs to no field: --text is given already"),
        ("--no-width 3", "there is no field --no-width"),
        ("--dark-corners=perhaps", "--dark-corners (perhaps): must be true or false"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_is_allowed(line: str, sentence: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        read(line)
    assert sentence in caught.value.message


def test_a_field_that_must_be_given_is_missed() -> None:
    class Enlarge(tron.Params):
        image: tron.Attachment
        factor: int = tron.Setting(2)

    fields = fields_of_schema(Enlarge.model_json_schema())
    require_all(["image"], fields)
    with pytest.raises(InvalidParams, match="--image is required: a file, or the id of an upload or artifact"):
        require_all(["factor"], fields)


def test_words_need_a_field_that_takes_them() -> None:
    without = {name: field for name, field in FIELDS.items() if name != "text"}
    with pytest.raises(InvalidParams, match="'fox' belongs to no field; there is: --dark-corners"):
        read_words(["fox"], without)


@given(text=st.text(), seed=st.integers(-(2**53) + 1, 2**53 - 1), dark=st.booleans())
def test_the_command_line_that_is_shown_is_read_as_the_same_params(text: str, seed: int, dark: bool) -> None:
    params = {"text": text, "seed": seed, "dark_corners": dark}
    words = shlex.split(command_line("draw", params, {}))
    assert words[:3] == ["tron", "submit", "draw"]
    assert read_words(words[3:], FIELDS) == (params, [])


def test_the_limits_of_json_are_no_limits_worth_showing() -> None:
    rows = {row[0]: row for row in rows_of(FIELDS)}
    assert rows["--seed"] == ["--seed", "a whole number", "", ""]
    assert rows["--width"][1:3] == ["a whole number from 64 to 2048", "512"]
    assert rows["--more"][1:] == ["files, one flag each", "", "Others"]


def test_a_file_that_is_here_is_a_file_and_anything_else_an_id(tmp_path: Path) -> None:
    image: Field = FIELDS["image"]
    (tmp_path / "a.png").touch()
    assert file_of(image, str(tmp_path / "a.png")) == tmp_path / "a.png"
    assert file_of(image, "01JZ8QW2Y3V5M9K7N4T6B1C0DF") is None
    with pytest.raises(InvalidParams, match=r"--image \(b.png\): there is no such file"):
        file_of(image, "b.png")


def test_a_field_without_a_declaration_of_its_own_takes_files_too() -> None:
    assert read_words(["--image", "x"], FIELDS) == ({}, [Files(FIELDS["image"], ("x",))])
