"""The table of docs/reference/params.md against the class that it is about."""

import json
import re
import runpy
from pathlib import Path
from typing import Any, get_args

import pytest

import tron_core as tron
from tron_core.capability import FieldType, fields_of, parse_params

DOCS = Path(__file__).resolve().parents[2] / "docs"
EveryField: type[tron.Params] = runpy.run_path(str(DOCS / "samples" / "every_field.py"))["EveryField"]
PAGE = (DOCS / "reference" / "params.md").read_text(encoding="utf-8")
COLUMNS = ("prefix", "slash", "submit", "form", "schema")
ROWS = {
    match["field"]: dict(zip(COLUMNS, (cell.strip() for cell in match["cells"].split(" | ")), strict=True))
    for match in re.finditer(r"^\| `(?P<field>\w+): [^|]*\| (?P<cells>.*) \|$", PAGE, re.MULTILINE)
}
FIELDS = sorted(ROWS)


def schema_of(field: str) -> dict[str, Any]:
    """A field's JSON Schema as the page writes it: references followed, without titles, defaults and null."""
    whole = EveryField.model_json_schema()
    schema = whole["properties"][field]
    parts = [part for part in schema.get("anyOf", [schema]) if part != {"type": "null"}]
    (part,) = parts
    if "$ref" in part:
        part = whole["$defs"][part["$ref"].rpartition("/")[2]]
    return {key: value for key, value in part.items() if key not in ("title", "description", "default", "x-tron")}


def flags(cell: str) -> dict[str, str]:
    """The flags that a cell shows, with their values; a flag without one is a switch."""
    found = re.findall(r"--(no-)?(\w+)(?: ([^-`\s][^`\s]*))?", cell)
    return {name: value or ("false" if no else "true") for no, name, value in found}


def test_the_table_has_each_field_of_the_class_in_its_order() -> None:
    assert list(ROWS) == [spec.name for spec in fields_of(EveryField)]


def test_the_class_has_a_field_of_each_type() -> None:
    assert {spec.type for spec in fields_of(EveryField)} == set(get_args(FieldType))


@pytest.mark.parametrize("field", FIELDS)
def test_the_json_schema_is_the_one_that_is_published(field: str) -> None:
    match = re.fullmatch(r"`(?P<schema>.*)`(?P<null> or null)?", ROWS[field]["schema"])
    assert match
    assert json.loads(match["schema"]) == schema_of(field)
    assert bool(match["null"]) == ("anyOf" in EveryField.model_json_schema()["properties"][field])


@pytest.mark.parametrize("field", sorted(set(FIELDS) - {"prompt", "image", "references"}))
def test_the_examples_are_read_as_they_are_typed(field: str) -> None:
    for column in ("prefix", "submit"):
        typed = flags(ROWS[field][column])
        assert set(typed) == {field}
        params = parse_params(EveryField, {"prompt": "a fox", **typed}, lenient=True)
        value = params.model_dump(mode="json")[field]
        assert str(value).lower() == typed[field]


def test_a_sentence_about_the_class_is_not_older_than_the_class() -> None:
    assert set(EveryField.model_json_schema()["properties"]["steps"]["x-tron"]) == {"kind", "group", "slash", "saved"}
    assert set(EveryField.model_json_schema()["properties"]["image"]["x-tron"]) == {"kind", "accept"}
