"""What people type becomes the fields of a capability."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tron_core as tron
from tron_core.capability import fields_of
from tron_core.errors import InvalidParams
from tron_core.frontends.discord.grammar import example, parse, parse_lines


class Shape(enum.StrEnum):
    WIDE = "wide"
    TALL = "tall"


class Picture(tron.Params):
    prompt: str = tron.Prompt("What to draw")
    negative_prompt: str = tron.Setting("")
    steps: int = tron.Setting(25, ge=1, le=50)
    seed: int | None = tron.Setting(None)
    tiling: bool = tron.Setting(False)
    shape: Shape = tron.Setting(Shape.WIDE)
    references: list[tron.Attachment] = tron.Input("Like these", default=[])


FIELDS = fields_of(Picture)
COMMAND = tron.Command("generate", split_lines=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", {"prompt": "a fox"}),
        ("a red fox --steps 30", {"prompt": "a red fox", "steps": "30"}),
        ("--steps 30 a red fox", {"prompt": "a red fox", "steps": "30"}),
        ("a red --steps 30 fox", {"prompt": "a red fox", "steps": "30"}),
        ("a fox —steps 30", {"prompt": "a fox", "steps": "30"}),
        ("a fox ––steps 30", {"prompt": "a fox", "steps": "30"}),
        ("a fox --steps=30", {"prompt": "a fox", "steps": "30"}),
        ("a fox --STEPS 30", {"prompt": "a fox", "steps": "30"}),
        ("a fox --seed -1", {"prompt": "a fox", "seed": "-1"}),
        ('a fox --negative-prompt "bad, worse" in snow', {"prompt": "a fox in snow", "negative_prompt": "bad, worse"}),
        ("a fox --negative_prompt=“bad hands”", {"prompt": "a fox", "negative_prompt": "bad hands"}),
        ("a fox --negative-prompt ''", {"prompt": "a fox", "negative_prompt": ""}),
        ("a fox --tiling", {"prompt": "a fox", "tiling": True}),
        ("a fox --no-tiling", {"prompt": "a fox", "tiling": False}),
        ("a fox --tiling=false", {"prompt": "a fox", "tiling": "false"}),
        ("a fox -- --steps 30", {"prompt": "a fox --steps 30"}),
        ("a fox — said nobody —loudly", {"prompt": "a fox — said nobody —loudly"}),
        ("a well-known fox - red", {"prompt": "a well-known fox - red"}),
        ('"a fox"', {"prompt": "a fox"}),
        ('"a fox" and "a hare"', {"prompt": '"a fox" and "a hare"'}),
        ("--prompt fox", {"prompt": "fox"}),
        ("a fox --references A1 --references B2", {"prompt": "a fox", "references": ["A1", "B2"]}),
        ("first\nsecond", {"prompt": "first\nsecond"}),
        ("", {}),
    ],
)
def test_flags_stand_anywhere_and_the_rest_is_the_prompt(text: str, expected: dict[str, object]) -> None:
    assert parse(text, FIELDS) == expected


def test_leading_flags_end_at_the_first_word() -> None:
    found = parse("--steps 30 what does --seed 7 mean?", FIELDS, flags="leading")
    assert found == {"steps": "30", "prompt": "what does --seed 7 mean?"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a fox --stepps 30",
            "--stepps: there is no such flag; did you mean --steps?; allowed: --negative-prompt, --s",
        ),
        ("a fox --steps", "steps: a value is missing; allowed: a whole number from 1 to 50"),
        ("a fox --steps --tiling", "steps: a value is missing; allowed: a whole number from 1 to 50"),
        ("--steps 3 --steps 4 x", "steps: it is given twice; allowed: once"),
        ("--prompt a b", "prompt (b): it is given twice, as a flag and as the text; allowed: one of the two"),
        ("x --no-tiling=maybe", "no-tiling (maybe): it takes no value; allowed: --no-tiling alone"),
        ("x " + "--references A " * 5, "references (A): there are too many"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        parse(text, FIELDS)
    assert caught.value.message.startswith(said)
    assert caught.value.details["errors"][0]["allowed"]


def test_a_command_without_a_prompt_takes_no_text() -> None:
    with pytest.raises(InvalidParams, match="takes no text"):
        parse("please", [spec for spec in FIELDS if spec.kind != "prompt"])


def test_each_line_is_a_job_and_a_line_of_flags_counts_for_all() -> None:
    read = parse_lines("a fox\na hare --steps 9\n\n--steps 5 --tiling", FIELDS, COMMAND)
    assert read == [
        {"prompt": "a fox", "steps": "5", "tiling": True},
        {"prompt": "a hare", "steps": "9", "tiling": True},
    ]


def test_lines_stay_together_where_the_command_does_not_split_them() -> None:
    assert parse_lines("a\nb", FIELDS, tron.Command("llm")) == [{"prompt": "a\nb"}]


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(InvalidParams, match="11 lines"):
        parse_lines("\n".join("abcdefghijk"), FIELDS, COMMAND)


def test_the_example_is_a_correct_command() -> None:
    shown = example("!", COMMAND, FIELDS)
    assert shown == "!generate some text --steps 25"
    assert parse(shown.removeprefix("!generate "), FIELDS) == {"prompt": "some text", "steps": "25"}
    assert example("!", tron.Command("say", example="hello"), FIELDS) == "!say hello"


@given(st.text())
def test_nothing_that_people_type_breaks_it(text: str) -> None:
    for flags in ("anywhere", "leading"):
        try:
            read = parse(text, FIELDS, flags=flags)  # type: ignore[arg-type]
        except InvalidParams:
            continue
        assert read.keys() <= Picture.model_fields.keys()


words = st.lists(st.from_regex(r"[A-Za-z0-9,.!?]{1,8}", fullmatch=True), min_size=1, max_size=8)


@given(words, st.integers(-5, 99), st.data())
def test_a_flag_means_the_same_wherever_it_stands(text: list[str], steps: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    typed = [*text[:place], "--steps", str(steps), *text[place:]]
    assert parse(" ".join(typed), FIELDS) == {"prompt": " ".join(text), "steps": str(steps)}
