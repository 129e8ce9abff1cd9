"""A capability's fields on the command line: from its JSON Schema, and from words to params. Pure but for files that
are looked at."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tron_core.capability import ATTACHMENT_PATTERN
from tron_core.errors import InvalidParams

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the schema describes it. ``many``: a list of files. ``choices`` as people type them."""

    name: str
    kind: Literal["prompt", "setting", "input"]
    type: Literal["string", "integer", "number", "boolean"]
    many: bool
    required: bool
    help: str
    default: Any
    choices: tuple[Any, ...]
    limits: str

    @property
    def flag(self) -> str:
        """How it is written: ``--negative-prompt``."""
        return "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.kind == "input":
            return "files, one flag each" if self.many else "a file, or the id of an upload or artifact"
        words = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
        return words[self.type] + self.limits


@dataclass(frozen=True, slots=True)
class Files:
    """A field that takes files: what was given for it, paths of files that are here, or ids."""

    field: Field
    given: tuple[str, ...]


def fields_of_schema(schema: Mapping[str, Any]) -> dict[str, Field]:
    """The fields of a capability that people may give, by name, in the order of their declaration."""
    required = set(schema.get("required", ()))
    return {
        name: _field(name, declared, schema.get("$defs", {}), name in required)
        for name, declared in schema.get("properties", {}).items()
        if not declared.get("x-tron", {}).get("derived")
    }


def _field(name: str, declared: Mapping[str, Any], definitions: Mapping[str, Any], required: bool) -> Field:
    inner = _without_null(declared, definitions)
    many = inner.get("type") == "array"
    value = inner.get("items", {}) if many else inner
    kind = declared.get("x-tron", {}).get("kind", "setting")
    low, high = inner.get("minimum"), inner.get("maximum")
    if inner.get("type") == "integer" and low is not None and abs(low) >= 2**53 - 1 == high:
        low = high = None  # what JSON can hold is no limit worth naming
    return Field(
        name=name,
        kind="input" if value.get("pattern") == ATTACHMENT_PATTERN else kind,
        type=value.get("type", "string"),
        many=many,
        required=required,
        help=declared.get("description", ""),
        default=declared.get("default"),
        choices=tuple(value.get("enum", ())) or ((value["const"],) if "const" in value else ()),
        limits=_limits(low, high),
    )


def _without_null(declared: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in declared.get("anyOf", ()):
        if part.get("type") != "null":
            return _without_null({**declared, "anyOf": (), **part}, definitions)
    reference = declared.get("$ref")
    return declared if reference is None else {**declared, **definitions[reference.rpartition("/")[2]]}


def _limits(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:.16g} to {high:.16g}"
    if low is not None:
        return f" of at least {low:.16g}"
    return "" if high is None else f" of at most {high:.16g}"


def read_words(words: Sequence[str], fields: Mapping[str, Field]) -> tuple[dict[str, Any], list[Files]]:
    """``--field value`` pairs as params, and the files that are still to be uploaded.

    ``--flag=value`` does too; ``--field`` alone is true and ``--no-field`` false for a field of that kind; words
    without a flag are the text, where the capability takes one. Raises InvalidParams.
    """
    params: dict[str, Any] = {}
    files: dict[str, list[str]] = {}
    text: list[str] = []
    for name, value in _pairs(words, fields):
        if name is None:
            text.append(value)
            continue
        field = fields[name]
        if field.many:
            files.setdefault(name, []).append(value)
        elif name in params or name in files:
            raise InvalidParams(f"{field.flag} is given twice")
        elif field.kind == "input":
            files[name] = [value]
        else:
            params[name] = convert(field, value)
    if text:
        _take_text(" ".join(text), params, fields)
    return params, [Files(fields[name], tuple(given)) for name, given in files.items()]


def require_all(given: Iterable[str], fields: Mapping[str, Field]) -> None:
    """Raise InvalidParams for the first field that must be given and is not among ``given``."""
    missing = next((field for field in fields.values() if field.required and field.name not in set(given)), None)
    if missing is not None:
        raise InvalidParams(f"{missing.flag} is required: {missing.allowed}")


def _pairs(words: Sequence[str], fields: Mapping[str, Field]) -> Iterator[tuple[str | None, str]]:
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--") or word == "--":
            yield None, word
            continue
        flag, has_value, value = word.partition("=")
        name, implied = _known(flag, fields)
        if has_value:
            yield name, value
        elif implied is not None and not (left and implied == "true" and left[0].lower() in (*TRUE, *FALSE)):
            yield name, implied
        elif left:
            yield name, left.pop(0)
        else:
            raise InvalidParams(f"{flag} needs a value; allowed: {fields[name].allowed}")


def _known(flag: str, fields: Mapping[str, Field]) -> tuple[str, str | None]:
    """The field that a flag names, and the value that the flag alone stands for (of a boolean)."""
    name = flag.removeprefix("--").replace("-", "_")
    if name in fields:
        return name, "true" if fields[name].type == "boolean" and fields[name].kind != "input" else None
    off = name.removeprefix("no_")
    if off in fields and off != name and fields[off].type == "boolean":
        return off, "false"
    flags = [field.flag for field in fields.values()]
    near = difflib.get_close_matches("--" + name.replace("_", "-"), flags, 3)
    known = f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(flags) or 'none'}"
    raise InvalidParams(f"there is no field {flag}; {known}")


def _take_text(text: str, params: dict[str, Any], fields: Mapping[str, Field]) -> None:
    prompt = next((field for field in fields.values() if field.kind == "prompt"), None)
    if prompt is None:
        raise InvalidParams(
            f"{text!r} belongs to no field; there is: {', '.join(each.flag for each in fields.values())}"
        )
    if prompt.name in params:
        raise InvalidParams(f"{text!r} belongs to no field: {prompt.flag} is given already; put the text in quotes")
    params[prompt.name] = text


def convert(field: Field, text: str) -> Any:
    """``text`` as the field's value; raises InvalidParams naming the field, the value and what is allowed."""
    wrong = InvalidParams(f"{field.flag} ({text}): must be {field.allowed}")
    if field.choices:
        for choice in field.choices:
            if str(choice) == text:
                return choice
        near = difflib.get_close_matches(text, [str(choice) for choice in field.choices], 1)
        raise InvalidParams(wrong.message + (f"; did you mean {near[0]}?" if near else ""))
    try:
        if field.type == "boolean":
            return _boolean(text)
        if field.type == "integer":
            return int(text)
        return float(text) if field.type == "number" else text
    except ValueError:
        raise wrong from None


def _boolean(text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise ValueError(text)
    return text.lower() in TRUE


def file_of(field: Field, given: str) -> Path | None:
    """The file that ``given`` names; None where it is the id of an upload or artifact. Raises InvalidParams."""
    file = Path(given).expanduser()
    if file.is_file():
        return file
    if re.fullmatch(ATTACHMENT_PATTERN, given):
        return None
    raise InvalidParams(f"{field.flag} ({given}): there is no such file")


def command_line(capability: str, params: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """What one would type to ask for the same."""
    words = ["tron", "submit", capability]
    for name, value in params.items():
        words += ["--" + name.replace("_", "-"), value if isinstance(value, str) else json.dumps(value)]
    for name, file in files.items():
        words += ["--" + name.replace("_", "-"), str(file)]
    return shlex.join(words)


def rows_of(fields: Mapping[str, Field]) -> list[list[str]]:
    """Flag, what it may be, default and help of each field, for a table."""
    rows = []
    for field in fields.values():
        default = "required" if field.required else "" if field.default in (None, []) else json.dumps(field.default)
        rows.append([field.flag, field.allowed, default, field.help])
    return rows
