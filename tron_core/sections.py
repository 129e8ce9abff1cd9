"""Sections of configuration files, the hub's and the worker's: read, with their secrets, and validated.

Whatever is wrong becomes one ConfigError that a person can act on.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from tron_core.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

Source = str | Callable[[str], str]

HIDDEN = "********"
"""Stands for a secret's value wherever one would be shown."""


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of ``file``; raises ConfigError where it is not TOML or cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from None


def is_true(value: Any) -> bool:
    """A truth value, also as the environment has it (``true``, ``1``, ``off``); raises ValueError for anything else."""
    return TypeAdapter(bool).validate_python(value)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``name`` was most likely meant to be; None where nothing is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"``, or nothing."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""


def validate(
    model: type[M],
    values: Mapping[str, Any],
    *,
    prefix: str,
    source: Source,
    folder: Path,
    extra: Literal["forbid"] | None = None,
) -> M:
    """``values`` as ``model``, secrets read from where they point to.

    ``prefix`` is what stands before the model's own keys (``plugins.echo``, empty at the top), ``source`` where the
    values come from: a name, or a function of the dotted key; ``extra="forbid"`` refuses unknown keys whatever the
    model says. Raises ConfigError with every wrong key, its value and what is allowed.
    """
    try:
        return model.model_validate(resolve_secrets(model, values, prefix=prefix, folder=folder), extra=extra)
    except ValidationError as error:
        raise config_error(model, error, prefix=prefix, source=source) from None


def config_error(model: type[BaseModel], error: ValidationError, *, prefix: str, source: Source) -> ConfigError:
    """Every problem in ``error``, one line each; ``details["errors"]`` has them as key, value and allowed."""
    problems = [_problem(model, dict(item), prefix) for item in error.errors(include_url=False)]
    lines = [f"{_named(source, problem['key'])}: {_sentence(problem)}" for problem in problems]
    return ConfigError("\n".join(lines), details={"errors": problems})


def _problem(model: type[BaseModel], item: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    path = [str(part) for part in item["loc"]]
    key = ".".join([prefix, *path] if prefix else path)
    owner = _model_at(model, path[:-1])
    if item["type"] == "extra_forbidden" and owner is not None:
        known = list(owner.model_fields)
        hint = nearest(path[-1], known)
        allowed = "unknown key" + (f"; did you mean {hint}?" if hint else f"; known: {', '.join(known)}")
        return {"key": key, "value": None, "allowed": allowed}
    message = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    secret = owner is not None and bool(path) and path[-1] in owner.model_fields and is_secret(owner, path[-1])
    value = HIDDEN if secret else item["input"]
    missing = item["type"] == "missing" or isinstance(value, Mapping | BaseModel)
    return {"key": key, "value": None if missing else value, "allowed": message[:1].lower() + message[1:]}


def _named(source: Source, key: str) -> str:
    return source if isinstance(source, str) else source(key)


def _sentence(problem: Mapping[str, Any]) -> str:
    value = "" if problem["value"] is None else f" = {problem['value']!r}"
    return f"{problem['key']}{value}: {problem['allowed']}" if problem["key"] else str(problem["allowed"])


def _model_at(model: type[BaseModel], path: Iterable[str]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in path:
        if current is None or part not in current.model_fields:
            return None
        current = section_model(current, part)
    return current


def section_model(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model of a field that is a section of its own, None for a plain field."""
    for kind in _kinds(model.model_fields[field].annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def is_secret(model: type[BaseModel], field: str) -> bool:
    """Whether a field's value is never to be shown."""
    return SecretStr in _kinds(model.model_fields[field].annotation)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *typing.get_args(annotation))


def resolve_secrets(
    model: type[BaseModel], values: Mapping[str, Any], *, prefix: str = "", folder: Path
) -> dict[str, Any]:
    """A copy of ``values`` in which every secret that is written ``env:NAME`` or ``file:PATH`` is the secret itself.

    Raises ConfigError that names the key where the variable is not set or the file cannot be read.
    """
    resolved = dict(values)
    for name in model.model_fields:
        value = resolved.get(name)
        key = f"{prefix}.{name}" if prefix else name
        inner = section_model(model, name)
        if inner is not None and isinstance(value, Mapping):
            resolved[name] = resolve_secrets(inner, value, prefix=key, folder=folder)
        elif isinstance(value, str) and is_secret(model, name):
            resolved[name] = read_secret(key, value, folder)
    return resolved


def read_secret(key: str, value: str, folder: Path) -> str:
    """What ``value`` points to (``env:NAME``, ``file:PATH`` relative to ``folder``), or ``value`` itself."""
    scheme, _, target = value.partition(":")
    if scheme == "env":
        if target not in os.environ:
            raise ConfigError(f"{key} = {value!r}: the environment variable {target} is not set")
        return os.environ[target]
    if scheme == "file":
        try:
            return (folder / target).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{key} = {value!r}: cannot read the file: {error.strerror}") from None
    return value
