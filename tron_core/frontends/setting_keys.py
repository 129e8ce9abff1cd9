"""What people may save: every key, whose it is, and what its value may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tron_core.api import SettingSpec
from tron_core.capability import Capability, fields_of
from tron_core.errors import InvalidParams, NotFound
from tron_core.plugins import Plugins
from tron_core.sections import did_you_mean


@dataclass(frozen=True, slots=True)
class FieldKey:
    """A field of a capability's params, alone or as one of a group."""

    plugin: str
    capability: Capability
    field: str

    def check(self, value: Any) -> None:
        """Raise InvalidParams unless the field takes ``value``."""
        try:
            self.capability.parse({self.field: value})
        except InvalidParams as error:
            # Other fields are not there, which is no fault of this value.
            if any(problem["field"] == self.field for problem in error.details["errors"]):
                own = [problem for problem in error.details["errors"] if problem["field"] == self.field]
                raise InvalidParams(_sentence(own[0]), details={"errors": own}) from None


@dataclass(frozen=True, slots=True)
class SpecKey:
    """A setting beyond those: what ``tron_register_settings`` returned."""

    plugin: str
    spec: SettingSpec

    def check(self, value: Any) -> None:
        """Raise InvalidParams unless ``value`` is one of the choices, or of the default's type."""
        spec = self.spec
        fits = value in spec.choices if spec.choices else type(value) is type(spec.default)
        if not fits:
            allowed = ", ".join(spec.choices) or f"a value like {spec.default!r}"
            problem = {"field": spec.key, "value": value, "message": "this is not allowed", "allowed": allowed}
            raise InvalidParams(_sentence(problem), details={"errors": [problem]})


def find(plugins: Plugins, key: str) -> list[FieldKey | SpecKey]:
    """What ``key`` (``echo.steps``) stands for; several where capabilities share it. Raises NotFound."""
    known = dict[str, list[FieldKey | SpecKey]]()
    for name, each in every(plugins):
        known.setdefault(name, []).append(each)
    if key not in known:
        raise NotFound(f"There is no setting {key!r}{did_you_mean(key, known)}", code="unknown_setting")
    return known[key]


def every(plugins: Plugins) -> Iterator[tuple[str, FieldKey | SpecKey]]:
    """Every key with what it stands for; one that capabilities share comes once for each."""
    for name, capability in plugins.capabilities.items():
        for spec in fields_of(capability.params):
            if spec.kind == "setting" and spec.saved:
                yield f"{spec.group or name}.{spec.name}", FieldKey(plugins.plugin_of(name), capability, spec.name)
    for plugin, specs in plugins.setting_specs.items():
        for setting in specs:
            yield f"{plugin}.{setting.key}", SpecKey(plugin, setting)


def _sentence(problem: dict[str, Any]) -> str:
    return f"{problem['field']} ({problem['value']!r}): {problem['message']}; allowed: {problem['allowed']}"
