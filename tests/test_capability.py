"""What a plugin declares, and how values become params."""

import enum
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tron_core as tron
from tron_core.capability import (
    MAX_FILES,
    MAX_INT,
    allowed_values,
    fields_of,
    offered_fields,
    parse_params,
    shown_artifacts,
)
from tron_core.cli.fields import fields_of_schema
from tron_core.errors import InvalidParams


class Shape(enum.Enum):
    WIDE = "wide"
    TALL = "tall"


class Every(tron.Params):
    """One field of each type."""

    text: str = tron.Prompt("What to draw", max_length=20)
    style: str = tron.Setting("", max_length=5)
    steps: int = tron.Setting(20, ge=1, le=50, help="How many steps", group="pictures")
    seed: int | None = tron.Setting(None, saved=False)
    strength: float = tron.Setting(0.5, ge=0, le=1)
    bias: float = tron.Setting(0.0, slash=False)
    tiling: bool = tron.Setting(False)
    factor: Literal[2, 4] = tron.Setting(2)
    shape: Shape | None = tron.Setting(None)
    image: tron.Attachment | None = tron.Input("A picture", accept="image/*", default=None)
    more: list[tron.Attachment] = tron.Input("More files", default=[])


class Draw(tron.Capability):
    name = "draw"
    command = tron.Command("draw")
    params = Every


SPECS = {spec.name: spec for spec in fields_of(Every)}
SCHEMA = jsonschema.Draft202012Validator(Every.model_json_schema())

words = st.text("abc é🦊", max_size=6)
ids = st.text("abcXYZ019_-", min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
VALID: Mapping[str, st.SearchStrategy[Any]] = {
    "text": st.text("abc é🦊", min_size=1, max_size=20),
    "style": st.text("abc é", max_size=5),
    "steps": st.integers(1, 50),
    "seed": st.none() | st.integers(-MAX_INT, MAX_INT),
    "strength": st.floats(0, 1),
    "bias": numbers,
    "tiling": st.booleans(),
    "factor": st.sampled_from([2, 4]),
    "shape": st.sampled_from([None, "wide", "tall"]),
    "image": st.none() | ids,
    "more": st.lists(ids, max_size=MAX_FILES),
}
optional = {name: strategy for name, strategy in VALID.items() if name != "text"}
valid = st.fixed_dictionaries({"text": VALID["text"]}, optional=optional)
# Whole numbers written as 2.0 are left out: JSON Schema takes them for integers, TRON's strict reading does not.
anything = (
    st.none() | st.booleans() | st.integers() | numbers.filter(lambda n: not n.is_integer()) | words | st.lists(words)
)
junk = st.dictionaries(st.sampled_from([*VALID, "unknown"]), anything)


@given(valid)
def test_valid_json_is_taken_and_comes_back_the_same(values: dict[str, Any]) -> None:
    params = parse_params(Every, values)
    again = params.model_dump(mode="json")
    assert {name: again[name] for name in values} == values
    assert parse_params(Every, again) == params


@given(junk)
def test_strict_reading_takes_what_the_json_schema_takes_and_nothing_else(values: dict[str, Any]) -> None:
    assert (refusal(values) is None) == SCHEMA.is_valid(values)


@given(junk, st.booleans())
def test_each_wrong_field_is_named_with_its_value_and_what_is_allowed(values: dict[str, Any], lenient: bool) -> None:
    error = refusal(values, lenient=lenient)
    problems = error.details["errors"] if error else []
    for problem in problems:
        assert problem["field"] in (*VALID, "unknown")
        assert problem["value"] == values.get(problem["field"])
        assert problem["message"]
        assert problem["allowed"]
    assert error is None or error.message.startswith(problems[0]["field"])


def refusal(values: Mapping[str, Any], *, lenient: bool = False) -> InvalidParams | None:
    try:
        parse_params(Every, values, lenient=lenient)
    except InvalidParams as error:
        return error
    return None


@given(valid)
def test_lenient_reading_takes_each_value_as_people_type_it(values: dict[str, Any]) -> None:
    typed = {name: as_typed(value) for name, value in values.items() if value is not None}
    given_values = {name: value for name, value in values.items() if value is not None}
    assert parse_params(Every, typed, lenient=True) == parse_params(Every, given_values)


def as_typed(value: Any) -> Any:
    return value if isinstance(value, str | list) else json.dumps(value)


@pytest.mark.parametrize("values", [{"steps": "30"}, {"tiling": 1}, {"tiling": "yes"}, {"factor": "2"}, {"seed": 1.0}])
def test_strict_reading_does_not_guess(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        parse_params(Every, {"text": "a", **values})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "nan", "inf", "-Infinity"])
@pytest.mark.parametrize("lenient", [True, False])
def test_a_number_that_json_cannot_hold_is_refused(number: Any, lenient: bool) -> None:
    with pytest.raises(InvalidParams, match=r"^bias"):
        parse_params(Every, {"text": "a", "bias": number}, lenient=lenient)


def test_an_int_beyond_what_json_readers_keep_is_refused() -> None:
    with pytest.raises(InvalidParams, match=f"seed .*within ±{MAX_INT}"):
        parse_params(Every, {"text": "a", "seed": MAX_INT + 1})


def test_the_fifth_file_is_refused() -> None:
    with pytest.raises(InvalidParams, match=r"more .*at most 4 files"):
        parse_params(Every, {"text": "a", "more": list("abcde")})


def test_values_that_are_not_json_are_refused() -> None:
    with pytest.raises(InvalidParams, match="The params are not JSON"):
        parse_params(Every, {"text": object()})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"text": "a", "factor": 3}, "factor (3): input should be 2 or 4; allowed: 2, 4"),
        ({"text": "a", "stepz": 9}, "stepz (9): there is no such field; allowed: one of " + ", ".join(VALID)),
        ({}, "text: field required; allowed: a text"),
        ({"text": "a", "shape": "round"}, "shape (\"round\"): input should be 'wide' or 'tall'; allowed: wide, tall"),
    ],
)  # fmt: skip
def test_an_error_is_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        parse_params(Every, values)
    assert caught.value.message == sentence


def test_a_long_value_is_shortened_in_the_sentence_alone() -> None:
    with pytest.raises(InvalidParams) as caught:
        parse_params(Every, {"text": "a" * 500})
    assert len(caught.value.message) < 150
    assert caught.value.details["errors"][0]["value"] == "a" * 500


def test_fields_are_described_in_the_order_of_their_declaration() -> None:
    assert list(SPECS) == list(VALID)
    assert [spec.type for spec in SPECS.values()] == [
        "str", "str", "int", "int", "float", "float", "bool", "choice", "choice", "attachment", "attachments",
    ]  # fmt: skip
    assert [spec.name for spec in SPECS.values() if spec.required] == ["text"]
    assert {spec.name for spec in SPECS.values() if spec.optional} == {"seed", "shape", "image"}


def test_a_description_carries_what_the_declaration_says() -> None:
    steps = SPECS["steps"]
    assert (steps.kind, steps.default, steps.ge, steps.le, steps.group) == ("setting", 20, 1, 50, "pictures")
    assert steps.help == "How many steps"
    assert SPECS["factor"].choices == ("2", "4")
    assert SPECS["image"].kind == "input"
    assert SPECS["image"].accept == "image/*"
    assert not SPECS["bias"].slash
    assert not SPECS["seed"].saved


def test_a_derived_field_is_in_the_schema_and_offered_to_nobody() -> None:
    class Numbered(tron.Params):
        text: str = tron.Prompt("What")
        number: int = tron.Setting(0, derived=True)

    assert [spec.name for spec in offered_fields(Numbered)] == ["text"]
    [number] = [spec for spec in fields_of(Numbered) if spec.derived]
    assert (number.name, number.slash, number.saved) == ("number", False, False)
    schema = Numbered.model_json_schema()
    assert schema["properties"]["number"]["x-tron"]["derived"] is True
    assert list(fields_of_schema(schema)) == ["text"]


def test_a_default_of_an_enum_is_described_by_its_value() -> None:
    class Framed(tron.Params):
        shape: Shape = tron.Setting(Shape.TALL)

    (spec,) = fields_of(Framed)
    assert spec.default == "tall"


def test_a_large_limit_is_said_in_full() -> None:
    class Seeded(tron.Params):
        seed: int = tron.Setting(-1, ge=-1, le=2**32 - 1)

    (spec,) = fields_of(Seeded)
    assert allowed_values(spec) == "a whole number from -1 to 4294967295"


def test_what_is_allowed_is_said_in_words() -> None:
    assert allowed_values(SPECS["strength"]) == "a number from 0 to 1"
    assert allowed_values(SPECS["tiling"]) == "true or false"
    assert allowed_values(SPECS["image"]) == "the id of an upload or artifact (image/*)"

    class OneSided(tron.Params):
        low: int = tron.Setting(1, ge=1)
        high: int = tron.Setting(1, le=9)

    assert [allowed_values(spec) for spec in fields_of(OneSided)] == [
        "a whole number of at least 1",
        "a whole number of at most 9",
    ]


@pytest.mark.parametrize("annotation", [bytes, dict, list[str], int | str, "list[int] | None"])
def test_a_field_type_that_no_frontend_can_show_is_refused_when_the_class_is_made(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"Odd\.field is .*; a field is str, int, float, bool"):
        type("Odd", (tron.Params,), {"__annotations__": {"field": annotation}, "field": tron.Setting(None)})


def test_a_second_prompt_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="more than one Prompt"):

        class Two(tron.Params):
            first: str = tron.Prompt("one")
            second: str = tron.Prompt("two")


def test_a_default_that_the_field_does_not_allow_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Low\.times: its default 0 is not allowed: input should be greater than"):

        class Low(tron.Params):
            times: int = tron.Setting(0, ge=1)

    with pytest.raises(TypeError, match=r"Absent\.seed: its default None is not allowed"):

        class Absent(tron.Params):
            seed: int = tron.Setting(None)


def test_params_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Every(text="a").text = "b"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "Draw", "a b", "x" * 33])
def test_a_command_that_cannot_be_typed_is_refused(name: str) -> None:
    for names in [(name, ()), ("draw", (name,))]:
        with pytest.raises(ValueError, match="a command is"):
            tron.Command(names[0], aliases=names[1])


def test_a_model_that_is_asked_for_is_required() -> None:
    assert Draw().requirements(SimpleNamespace(model="xl")).model == "xl"
    assert Draw().requirements(SimpleNamespace(model="")).model is None
    assert Draw().requirements(Every(text="a")).model is None


def test_files_are_listed_by_field() -> None:
    assert Draw().attachments({"more": ["b", "c"], "image": "a", "text": "x"}) == [
        ("image", ["a"]),
        ("more", ["b", "c"]),
    ]
    assert Draw().attachments({"image": None, "more": []}) == []


async def test_completions_that_begin_with_the_text_come_first() -> None:
    def choices(capability: str, field: str) -> Sequence[str]:
        return ["Old-Fox", "foxy", "bear", "Fox"] if (capability, field) == ("draw", "style") else []

    draw = Draw()
    draw.app = SimpleNamespace(choices=choices)  # type: ignore[assignment]
    assert await draw.complete("style", "fox", tron.Asker("api:alice")) == ["Fox", "foxy", "Old-Fox"]


def artifact(name: str, role: tron.Role = tron.Role.RESULT) -> tron.Artifact:
    return tron.Artifact(f"id-of-{name}", name, role, "key", name, "image/png", 1, "00")


JOB = tron.Job("1", "draw", {"text": "a"}, tron.JobState.SUCCEEDED, "api:alice", 0.0)
RESULT = tron.Result(
    {"text": "done"}, artifacts=[artifact("a"), artifact("a-small", tron.Role.THUMBNAIL), artifact("b")]
)


async def test_a_reply_is_the_outputs_text_and_every_result_unless_a_plugin_says_otherwise() -> None:
    reply = await Draw().handle_result(JOB, RESULT)
    assert reply.text == "done"
    assert shown_artifacts(reply, RESULT) == ["id-of-a", "id-of-b"]


def test_a_reply_shows_the_artifacts_that_it_names_in_its_order() -> None:
    reply = tron.Reply(artifacts=["b", "a-small", "never-made"])
    assert shown_artifacts(reply, RESULT) == ["id-of-b", "id-of-a-small"]


async def test_an_output_without_text_makes_an_empty_one() -> None:
    assert (await Draw().handle_result(JOB, tron.Result({"text": 7}))).text == ""


async def test_a_capability_of_the_hub_must_bring_its_run() -> None:
    with pytest.raises(NotImplementedError, match="Draw runs on the hub"):
        await Draw().run(Every(text="a"), SimpleNamespace())  # type: ignore[arg-type]
