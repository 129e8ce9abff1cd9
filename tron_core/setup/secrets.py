"""Secrets that a person gives at set-up: kept in files of their own, and named in tron.toml by where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tron_core.errors import ConfigError
from tron_core.private_file import write_whole
from tron_core.sections import is_secret

if TYPE_CHECKING:
    from tron_core.plugins import Plugins

FOLDER = "secrets"
REFERENCE = re.compile(r"(env|file):\S+")
_USUAL_VARIABLE = re.compile(r"\benv:([A-Z][A-Z0-9_]*)\b")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that something wants: ``key`` is where tron.toml has it, dotted; ``variable`` its usual environment
    variable, by which people know it; ``meaning`` a sentence."""

    key: str
    variable: str
    meaning: str

    @property
    def file(self) -> str:
        """The file in which it is kept, relative to tron.toml."""
        return file_of(self.variable)


def file_of(variable: str) -> str:
    """``secrets/openai-api-key`` for ``OPENAI_API_KEY``."""
    return f"{FOLDER}/{variable.lower().replace('_', '-')}"


def wanted_by(plugins: Plugins) -> Iterator[Secret]:
    """The secrets of plugins that say in their description which variable they usually stand in (``env:NAME``)."""
    for record in plugins.records:
        config = plugins.config(record.name)
        if config is None:
            continue
        for name, field in type(config).model_fields.items():
            said = _USUAL_VARIABLE.search(field.description or "")
            if said and is_secret(type(config), name):
                meaning = (field.description or "").split("\n")[0]
                yield Secret(f"plugins.{record.name}.{name}", said[1], meaning)


def keep(value: str, file: str, folder: Path) -> str:
    """The reference to write for a secret as it was given: itself if it is one already, else ``file:``, and the secret
    is kept there for its owner alone. Raises ConfigError where it cannot be, or holds what no key has."""
    value = value.strip()
    if REFERENCE.fullmatch(value):
        return value
    if not value or not value.isprintable():
        raise ConfigError(f"{file}: what was given is not one line of text")
    try:
        write_whole(folder / file, value + "\n")
    except OSError as error:
        raise ConfigError(f"{folder / file}: cannot be written: {error.strerror}") from None
    return f"file:{file}"
