"""Enable and disable: an edit of ``[plugins] disabled`` in tron.toml, which needs nothing of the plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from tron_core.errors import ConfigError, NotFound
from tron_core.plugins.discovery import PLUGINS, discover
from tron_core.sections import did_you_mean


def set_disabled(file: Path, name: str, disabled: bool) -> bool:
    """Write it down, comments and layout kept; returns whether that changed anything. It holds from the next start on.

    ``file`` is made where there is none. Raises NotFound for a plugin that is neither installed nor written down,
    ConfigError where the file cannot be used.
    """
    document = _read(file)
    plugins = document.get("plugins", {})
    if not isinstance(plugins, dict) or not isinstance(plugins.get("disabled", []), list):
        raise ConfigError(f"{file}: [plugins] is to be a table, and its key disabled a list of names")
    before = [str(other) for other in plugins.get("disabled", [])]
    _check_known(name, before)
    if (name in before) == disabled:
        return False
    _edit(document, name, disabled)
    file.write_text(tomlkit.dumps(document), encoding="utf-8")
    return True


def _read(file: Path) -> tomlkit.TOMLDocument:
    if not file.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"{file}: cannot be edited: {error}") from None


def _edit(document: tomlkit.TOMLDocument, name: str, disabled: bool) -> None:
    plugins: Any = document.setdefault("plugins", tomlkit.table())
    names: Any = plugins.setdefault("disabled", tomlkit.array())
    if disabled:
        names.append(name)
    else:
        names.remove(name)


def _check_known(name: str, written: list[str]) -> None:
    installed = [found.name for found in discover(PLUGINS)]
    if name not in installed and name not in written:
        raise NotFound(f"no plugin {name} is installed{did_you_mean(name, installed)}")
