"""The grammar of prefix commands: what a person typed becomes the given fields of a capability. Pure.

``a red fox in snow --steps 30 --no-tiling --style "film noir"``: flags anywhere (or, where the command says so, only
before the text), ``--`` ends the flags, the rest is the Prompt field. ``—steps``, which phones make of ``--steps``, is
read as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tron_core.capability import MAX_FILES, Command, FieldSpec, allowed_values
from tron_core.errors import InvalidParams
from tron_core.sections import nearest

MAX_LINES = 10
"""Lines of one message that become jobs, where a command splits lines."""

_FLAG = re.compile(r"(--|—|––)([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»"}
_WORD = re.compile(r"\S+")


@dataclass(slots=True)
class _Reading:
    """What was read so far: flags by field, and the pieces of the text between them."""

    values: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)


def parse(
    text: str, fields: Sequence[FieldSpec], *, flags: Literal["anywhere", "leading"] = "anywhere"
) -> dict[str, Any]:
    """The fields that ``text`` gives, as text (a bool flag alone as True or False, files as a list of ids).

    Raises InvalidParams, which names the field, the value and what is allowed.
    """
    reading = _read(text, fields, flags)
    prompt = next((spec for spec in fields if spec.kind == "prompt"), None)
    words = _unquote("".join(reading.pieces).strip())
    if words and prompt is None:
        raise _problem("", words, "this command takes no text", _flags_in_words(fields))
    if words and prompt is not None:
        if prompt.name in reading.values:
            raise _problem(prompt.name, words, "it is given twice, as a flag and as the text", "one of the two")
        reading.values[prompt.name] = words
    return reading.values


def parse_lines(text: str, fields: Sequence[FieldSpec], command: Command) -> list[dict[str, Any]]:
    """``parse``, for each line of its own where the command splits lines; a line of flags alone counts for all.

    Raises InvalidParams for any line that is wrong, before anything is made of the others.
    """
    lines = [line for line in text.splitlines() if line.strip()] if command.split_lines else []
    if len(lines) < 2:
        return [parse(text, fields, flags=command.flags)]
    prompt = next((spec.name for spec in fields if spec.kind == "prompt"), None)
    read = [parse(line, fields, flags=command.flags) for line in lines]
    shared: dict[str, Any] = {}
    for values in read:
        if prompt not in values:
            shared.update(values)
    jobs = [{**shared, **values} for values in read if prompt in values]
    if len(jobs) > MAX_LINES:
        raise _problem(prompt or "", f"{len(jobs)} lines", "each line is a job of its own", f"at most {MAX_LINES}")
    return jobs or [shared]


def example(prefix: str, command: Command, fields: Sequence[FieldSpec]) -> str:
    """One correct line: the command's own example, or one made of its fields."""
    if command.example:
        return f"{prefix}{command.name} {command.example}"
    words = [f"{prefix}{command.name}"]
    if any(spec.kind == "prompt" for spec in fields):
        words.append("some text")
    for spec in fields:
        if spec.kind == "setting" and spec.type != "bool" and (value := _sample(spec)):
            words.append(f"--{_dashed(spec.name)} {value}")
            break
    return " ".join(words)


def _sample(spec: FieldSpec) -> str:
    if spec.default not in (None, ""):
        return str(spec.default)
    if spec.choices:
        return spec.choices[0]
    bound = spec.ge if spec.ge is not None else spec.le
    return "" if bound is None else f"{bound:g}"


def _read(text: str, fields: Sequence[FieldSpec], flags: str) -> _Reading:
    reading, position = _Reading(), 0
    while (word := _WORD.search(text, position)) is not None:
        if word.group() == "--":
            position = word.end()
            break
        flag = _flag(word, fields)
        if flag is None and flags == "leading":
            break
        if flag is None:
            reading.pieces.append(text[position : word.end()])
            position = word.end()
        else:
            position = _take(flag, text, reading.values)
    reading.pieces.append(text[position:])
    return reading


@dataclass(frozen=True, slots=True)
class _Flag:
    """A flag in the text; what follows it begins at ``after``, behind a ``=`` where it is ``inline``."""

    spec: FieldSpec
    negated: bool
    inline: bool
    after: int


def _flag(word: re.Match[str], fields: Sequence[FieldSpec]) -> _Flag | None:
    """The flag that ``word`` is, None where it is text; raises InvalidParams for a flag that there is not."""
    found = _FLAG.match(word.group())
    if found is None:
        return None
    known = dict(_names(fields))
    name = found[2].lower().replace("-", "_")
    if name not in known:
        if found[1] != "--" or found.end() < len(word.group()):
            return None  # a dash as people write it in a sentence
        raise _unknown(found[2], known)
    spec, negated = known[name]
    inline = found[3] is not None
    return _Flag(spec, negated, inline, word.start() + (found.start(3) if inline else found.end()))


def _names(fields: Sequence[FieldSpec]) -> Iterator[tuple[str, tuple[FieldSpec, bool]]]:
    """What may stand after the dashes; a field's own name goes before another's negation."""
    yield from ((f"no_{spec.name}".lower(), (spec, True)) for spec in fields if spec.type == "bool")
    yield from ((spec.name.lower(), (spec, False)) for spec in fields)


def _unknown(typed: str, known: Mapping[str, tuple[FieldSpec, bool]]) -> InvalidParams:
    near = nearest(typed.lower().replace("-", "_"), known)
    hint = f"; did you mean --{_dashed(near)}?" if near else ""
    allowed = _flags_in_words([spec for spec, negated in known.values() if not negated])
    return _problem(f"--{typed}", None, f"there is no such flag{hint}", allowed)


def _take(flag: _Flag, text: str, values: dict[str, Any]) -> int:
    """Put the flag's value into ``values``; returns where the reading goes on."""
    spec = flag.spec
    if spec.name in values and spec.type != "attachments":
        raise _problem(spec.name, None, "it is given twice", "once")
    if spec.type == "bool" and not flag.inline:
        values[spec.name] = not flag.negated
        return flag.after
    value, position = _value(text, flag.after, inline=flag.inline)
    if value is None:
        raise _problem(spec.name, None, "a value is missing", allowed_values(spec))
    if flag.negated:
        raise _problem(f"no-{_dashed(spec.name)}", value, "it takes no value", f"--no-{_dashed(spec.name)} alone")
    if spec.type != "attachments":
        values[spec.name] = value
        return position
    values.setdefault(spec.name, []).append(value)
    if len(values[spec.name]) > MAX_FILES:
        raise _problem(spec.name, value, "there are too many", allowed_values(spec))
    return position


def _value(text: str, start: int, *, inline: bool) -> tuple[str | None, int]:
    """The value that begins at ``start``, and where it ends; None where there is none."""
    if not inline:
        while start < len(text) and text[start].isspace():
            start += 1
    if start >= len(text):
        return None, start
    closing = _QUOTES.get(text[start])
    if closing is not None:
        stop = text.find(closing, start + 1)
        if stop >= 0:
            return text[start + 1 : stop], stop + 1
    if inline and text[start].isspace():
        return None, start
    found = _WORD.match(text, start)
    if found is None or (not inline and found.group().startswith(("--", "—"))):
        return None, start
    return found.group(), found.end()


def _unquote(text: str) -> str:
    """Without the quotes around the whole of it."""
    if len(text) >= 2 and _QUOTES.get(text[0]) == text[-1]:
        inner = text[1:-1]
        if text[0] not in inner and text[-1] not in inner:
            return inner.strip()
    return text


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _flags_in_words(fields: Iterable[FieldSpec]) -> str:
    names = [f"--{_dashed(spec.name)}" for spec in fields if spec.kind != "prompt"]
    return ", ".join(names) or "no flags"


def _problem(name: str, value: str | None, message: str, allowed: str) -> InvalidParams:
    shown = "" if value is None else f" ({_shorten(value)})"
    problem = {"field": name, "value": value, "message": message, "allowed": allowed}
    sentence = f"{name}{shown}: {message}; allowed: {allowed}" if name else f"{_shorten(value or '')}: {message}"
    return InvalidParams(sentence, details={"errors": [problem]})


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
